"""The subcommands ``export``, ``report`` and ``serve``: a run as a file, as a page, as a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from recallkit.cli.galleries import (
    OnBadImage,
    Workers,
    embedding_for,
    open_for,
    plan_for,
    source_and_run,
)
from recallkit.cli.shared import latest_run
from recallkit.errors import RecallkitError
from recallkit.files import read_json_object, write_atomically
from recallkit.ranges import Range

if TYPE_CHECKING:
    from recallkit.gallery import Gallery, TrainedRun

ExportFormat = Literal["torch", "onnx"]

SUFFIXES: dict[ExportFormat, str] = {"torch": ".pt2", "onnx": ".onnx"}


def export(
    run: Positional[Path | None] = None,
    out: Path | None = None,
    format: ExportFormat | None = None,
    dataset: str = "",
    root: str = "",
) -> None:
    """Write a run as one file for programs without recallkit.

    The file takes pixels, (N, 3, S, S) uint8, and gives embeddings: shrinking and normalising are
    inside. Its embeddings are compared with those of the network first, on random pixels and on
    images of the run; a difference above 1e-4 is an error. S and how to make such a square are
    stored in the file.

    Examples:
      recallkit export runs/mine
      recallkit export runs/mine --out mine.onnx

    Args:
        run: a run folder. The default: the latest finished run below runs/.
        out: the file, which must not exist: .pt2 or .onnx. The default: model.pt2 or model.onnx in
            the run folder, replaced if it is there.
        format: "torch" for torch.export.load, "onnx" for ONNX Runtime and others. The default: that
            of --out, else "torch".
        dataset: where the images of the run are now, if they have moved.
        root: the folder that holds the benchmark now, if it has moved.
    """
    from recallkit import gallery

    form = _format(out, format)
    if out is not None and out.exists():
        raise RecallkitError(f"{out} exists: choose another --out, or delete it")
    trained = gallery.load_trained_run(run or latest_run(), "cpu")
    path = out or trained.folder / f"model{SUFFIXES[form]}"
    examples = gallery.example_images(trained, dataset, root)
    exported = gallery.export_run(trained, path, form, examples)
    print(f"wrote {path}: {exported.describe()}")


def report(
    run: Positional[Path | None] = None,
    out: Path | None = None,
    dataset: str = "",
    root: str = "",
    on_bad_image: OnBadImage | None = None,
    workers: Workers = 0,
    device: str = "auto",
) -> None:
    """Tell what a run does well and badly, as one HTML page.

    Metrics, recall per class, the classes that are confused most, the worst cases, nearly the same
    images in different classes, and what was left out. Measured on test classes alone, which the
    run has never seen, by the cosine. The page needs no network and no other file. Beside it lies
    recall per class as a table, NAME.classes.csv.

    Examples:
      recallkit report
      recallkit report runs/mine --out mine.html

    Args:
        run: a run folder. The default: the latest finished run below runs/.
        out: the page: a new name, or an older report, which is replaced. The default: report.html
            in the run folder.
        dataset: where the images of the run are now, if they have moved.
        root: the folder that holds the benchmark now, if it has moved.
        on_bad_image: "raise" ends with an error that names unreadable images, "skip" leaves them
            out. The default: what the run did.
        workers: processes that decode images. 0: the command itself does.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import gallery
    from recallkit.training.run_folder import reading_of_run

    folder = run or latest_run()
    path = out or folder / "report.html"
    table = path.with_name(f"{path.stem}.classes.csv")
    _check_replaceable(path, table)
    reading = reading_of_run(folder, workers, on_bad_image)
    plan = gallery.plan_gallery(folder, dataset=dataset, root=root, split="test")
    trained = gallery.load_trained_run(folder, device)
    opened = gallery.open_gallery(trained, plan, gallery.Embedding(reading.on_bad_image, workers))
    made = gallery.make_report(opened.index)
    page = gallery.report_page(
        made,
        gallery.image_reader(opened.index, opened.image, side=96),
        f"Report on the run {folder.absolute().name}",
        _facts(trained),
        [*filter(None, opened.messages), *_notes_of_protocol(folder, dataset, root)],
        table.name,
    )
    gallery.write_class_table(made, table)
    write_atomically(path, lambda file: file.write_text(page, encoding="utf-8"))
    print(f"wrote {path} and {table.name}: {_summary(made.retrieval.metrics)}")


def serve(
    what: Positional[Path | None] = None,
    run: Path | None = None,
    port: Annotated[int | None, Range(1, 65_535)] = None,
    k: Annotated[int, Range(1, 1000)] = 24,
    browser: bool = True,
    dataset: str = "",
    root: str = "",
    on_bad_image: OnBadImage | None = None,
    workers: Workers = 0,
    device: str = "auto",
) -> None:
    """Search with images in the browser.

    Drop an image, paste or choose one: the page shows the nearest of the gallery, with similarity
    and class. A click on one of them searches on with it. Only this computer can open the page, at
    127.0.0.1. Ctrl-C ends it.

    Examples:
      recallkit serve                                    (the images of the latest run)
      recallkit serve runs/mine --port 8765 --no-browser
      recallkit serve photos.npz                         (an index of recallkit embed)
      recallkit serve ~/photos --run runs/mine

    Args:
        what: a run folder, for all its images; an index that recallkit embed wrote; or a folder of
            images. The default: the latest finished run below runs/.
        run: the run that embeds. The default: that of the index, else the latest finished one.
        port: of the page. The default: any that is free.
        k: how many images are shown.
        browser: open the page.
        dataset: where the images of the run are now, if they have moved.
        root: the folder that holds the benchmark now, if it has moved.
        on_bad_image: "raise" ends with an error that names unreadable images, "skip" leaves them
            out. The default: what the run did; for other images "raise".
        workers: processes that decode images. 0: the command itself does.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit.gallery import server

    trained, opened, name = _opened(what, run, dataset, root, on_bad_image, workers, device)
    server.serve(server.SearchSite(trained, opened, name, k), port or 0, browser)


def _format(out: Path | None, asked: ExportFormat | None) -> ExportFormat:
    """Return the format of the file, which its suffix must agree with."""
    if out is None:
        return asked or "torch"
    for form, suffix in SUFFIXES.items():
        if out.suffix.lower() == suffix and asked in (None, form):
            return form
    wanted = SUFFIXES[asked] if asked else " or ".join(SUFFIXES.values())
    raise ValueError(f"--out must end in {wanted}, and {out} does not")


def _check_replaceable(page: Path, table: Path) -> None:
    """Refuse to replace what is not a report of this command."""
    from recallkit.gallery import is_class_table, is_report

    for path, is_ours in ((page, is_report), (table, is_class_table)):
        if path.exists() and not is_ours(path):
            raise RecallkitError(f"{path} exists, and is not a report: choose another --out")


def _facts(run: "TrainedRun") -> dict[str, str]:
    result = read_json_object(run.folder / "result.json")
    config = run.config
    facts = {
        "run": str(run.folder.absolute()),
        "data": config.dataset,
        "network": f"{config.network}, {config.image_size} × {config.image_size} pixels → "
        f"{config.embedding_dim} numbers",
        "trained at commit": str(result.get("commit", "")),
    }
    return {name: text for name, text in facts.items() if text}


def _notes_of_protocol(folder: Path, dataset: str, root: str) -> list[str]:
    """Say where the report does not measure what ``evaluate`` does."""
    from recallkit.training.run_folder import load_data_of_run, reading_of_run

    reading = reading_of_run(folder, workers=1)  # with workers, files stay on the disk
    test = load_data_of_run(folder, dataset, root, split="test", reading=reading).test
    if not test.protocol.searches and test.groups is None:
        return []
    return [
        "This data set has queries, galleries or groups of its own, which recallkit evaluate keeps "
        "apart. This page does not: it searches every test image among all others."
    ]


def _summary(metrics: dict[str, float]) -> str:
    return ", ".join(
        f"{name} {100 * metrics[name]:.1f} %" for name in ("R@1", "R@2", "R@4", "R@8", "mAP@R")
    )


def _opened(
    what: Path | None,
    run: Path | None,
    dataset: str,
    root: str,
    on_bad_image: OnBadImage | None,
    workers: int,
    device: str,
) -> "tuple[TrainedRun, Gallery, str]":
    """Load a run, and open a gallery for it: its own images, a folder, or an index."""
    from recallkit.gallery import load_trained_run

    source, run = source_and_run(what, run)
    plan, folder = plan_for(source, run, "all", dataset, root)
    options = embedding_for(folder, source is None, on_bad_image, workers)
    trained = load_trained_run(folder, device)
    return trained, open_for(trained, plan, options), plan.name
