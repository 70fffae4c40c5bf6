"""The subcommands ``embed``, ``search``, ``duplicates`` and ``confusions``.

Results go to stdout, and what there is to say about them to stderr.
"""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional

from recallkit.cli.galleries import (
    OnBadImage,
    Split,
    Workers,
    embedding_for,
    open_for,
    plan_for,
    run_of,
    source_and_run,
)
from recallkit.cli.gallery_results import (
    print_confusions,
    print_csv,
    print_duplicates,
    print_json,
    print_search,
    say,
    say_bad,
    values_of_confusions,
    values_of_duplicates,
    values_of_search,
)
from recallkit.cli.outputs import warning_without
from recallkit.cli.shared import save_figure
from recallkit.errors import RecallkitError
from recallkit.ranges import Range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recallkit.gallery import FoundImages, Gallery, Index, SearchResult

Count = Annotated[int, Range(1, 10**9)]
Cosine = Annotated[float, Range(-1, 1)]

MOST_FIGURES = 20


def embed(
    folder: Positional[Path],
    out: Path,
    run: Path | None = None,
    on_bad_image: OnBadImage = "raise",
    check_content: bool = False,
    workers: Workers = 0,
    device: str = "auto",
) -> None:
    """Embed a folder of images into an index file, or extend one.

    The images may lie in sub-folders, one a class, or not. If the file is there, only images that
    are new or have changed are embedded, and those that are gone are dropped. Ctrl-C keeps what is
    done; the same command goes on.

    Examples:
      recallkit embed photos --out photos.npz
      recallkit embed photos --out photos.parquet --run runs/mine --on-bad-image skip
      recallkit evaluate photos.npz                       (if the images have classes)

    Args:
        folder: of the images; all below it are taken. Hidden names are left out.
        out: the index: .npz or .parquet.
        run: a run folder. The default: that of the index, else the latest finished run below runs/.
        on_bad_image: "raise" ends with an error that names unreadable images, when the others are
            done; "skip" leaves them out.
        check_content: compare the content of each file, not its size and time alone.
        workers: processes that decode images. 0: the command itself does.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import gallery

    gallery.check_suffix(out)
    found = gallery.find_images(folder)
    gallery.check_names(out, map(str, found.files()))
    index = gallery.read_index(out) if out.exists() else None
    if index is not None:
        _check_of_folder(index, found, out, folder)
    say(found.describe())
    trained = gallery.load_trained_run(run_of(index, run), device)
    if index is not None:
        gallery.check_same_run(index, trained, out)
    options = gallery.Embedding(on_bad_image, workers, check_content=check_content)
    index, changes = gallery.extend_index(
        trained, found, index, options, lambda part: gallery.write_index(out, part)
    )
    say_bad(changes.bad)
    print(f"wrote {out}: {len(index):,} images × {index.embeddings.shape[1]}")
    print(changes.describe())


def _check_of_folder(index: "Index", found: "FoundImages", out: Path, folder: Path) -> None:
    """Refuse to replace the index of other images; a folder that moved as a whole is the same."""
    from recallkit.gallery import file_digest

    shared = {*found.paths} & {*index.paths}
    gone = len(index) - len(shared)
    moved = Path(index.root).resolve() != found.root.resolve()
    digests = dict(zip(index.paths, index.digests, strict=True))
    kept = not moved or any(file_digest(found.root / path) == digests[path] for path in shared)
    if shared and kept and not (moved and gone):
        return
    lack = f"{gone:,} of its images are not" if shared and kept else "no image of it is"
    raise RecallkitError(
        f"{out} is the index of {index.root}, and {lack} in {folder}: choose another --out, "
        f"or delete it"
    )


def search(
    images: Positional[tuple[Path, ...]],
    gallery: Path | None = None,
    run: Path | None = None,
    k: Annotated[int | None, Range(1, 10**9)] = None,
    split: Split = "all",
    dataset: str = "",
    root: str = "",
    on_bad_image: OnBadImage | None = None,
    json: bool = False,
    out: Path | None = None,
    workers: Workers = 0,
    device: str = "auto",
) -> None:
    """Find the images most similar to yours.

    Prints for each of your images the nearest of a gallery: rank, cosine, path, class. Of one image
    a figure is drawn, too. The gallery is embedded once: its index is kept in the run folder. An
    image that is in the gallery does not find itself.

    Examples:
      recallkit search photo.jpg                      (all images that the run was made of)
      recallkit search photo.jpg --gallery ~/photos --k 16 --out nearest.png
      recallkit search new/ --gallery photos.npz --json > nearest.json
      recallkit search drawing.png --run runs/large --split test

    Args:
        images: files, or folders of images. Transparent pixels count as white.
        gallery: where to search: a folder, or an index that recallkit embed wrote. The default:
            the images of the run.
        run: a run folder. The default: that of the index, else the latest finished run below runs/.
        k: how many images to find. The default: 8, or as many as there are.
        split: search these images of the run alone.
        dataset: where the images of the run are now, if they have moved.
        root: the folder that holds the benchmark now, if it has moved.
        on_bad_image: "raise" ends with an error that names unreadable images, "skip" leaves them
            out. The default: what the run did; for other images "raise".
        json: print one JSON object.
        out: draw here (.png, .svg or .pdf). Of several images the figures are NAME-1, NAME-2, …,
            at most 20. The default: for one image a figure in figures/ of the run folder.
        workers: processes that decode images. 0: the command itself does.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import gallery as kit

    queries = kit.expand(images)
    kit.check_queries(queries)
    plan, folder = plan_for(gallery, run, split, dataset, root)
    kit.check_k(k, plan.size(), int(plan.holds_any(queries)), plan.name)
    trained = kit.load_trained_run(folder, device)
    options = embedding_for(folder, gallery is None, on_bad_image, workers)
    opened = open_for(trained, plan, options)
    result = kit.search_files(trained, queries, opened.index, k, options.on_bad_image, workers)
    say_bad(result.bad)
    if json:
        print_json(values_of_search(result, opened.index, folder))
    else:
        print_search(result)
    with redirect_stdout(sys.stderr if json else sys.stdout):
        for number, path in enumerate(_figures(out, folder, result.queries, json)):
            with warning_without(f"the figure {path}"):
                save_figure(_figure(result, number, opened), path)


def duplicates(
    what: Positional[Path | None] = None,
    run: Path | None = None,
    threshold: Cosine = 0.95,
    on_bad_image: OnBadImage | None = None,
    json: bool = False,
    csv: bool = False,
    workers: Workers = 0,
    device: str = "auto",
) -> None:
    """List the images that are there twice: copies and near-duplicates.

    Copies are files of the same content. Near-duplicates are images whose embeddings have at least
    a certain cosine: other sizes, other compression, shots in a row. Images that are joined
    by such pairs are one group. Groups across classes come first: one of their labels is wrong, or
    a test image is known from the training.

    Examples:
      recallkit duplicates                               (images of the latest run)
      recallkit duplicates ~/photos --run runs/mine
      recallkit duplicates photos.npz --threshold 0.98 --csv > duplicates.csv

    Args:
        what: a folder of images, an index that recallkit embed wrote, or a run folder, for its
            images. The default: the latest finished run below runs/.
        run: the run that embeds a folder. The default: the latest finished one below runs/.
        threshold: the smallest cosine of near-duplicates.
        on_bad_image: as for recallkit search.
        json: print one JSON object.
        csv: print a table of all images in groups: group, kind, similarity, across_classes, path,
            class.
        workers: processes that decode images. 0: the command itself does.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import gallery

    if json and csv:
        raise ValueError("--json and --csv exclude each other")
    index = _index_of(what, run, None, "all", on_bad_image, workers, device)
    groups = gallery.duplicate_groups(index, threshold)
    show = print_json if json else print_csv if csv else print_duplicates
    show(values_of_duplicates(groups, index, threshold))


def confusions(
    what: Positional[Path | None] = None,
    run: Path | None = None,
    split: Split | None = None,
    top: Count = 10,
    on_bad_image: OnBadImage | None = None,
    json: bool = False,
    workers: Workers = 0,
    device: str = "auto",
) -> None:
    """Show the classes found worst, and what they are taken for.

    Each image is searched among all others. The first table has the classes with the lowest R@1,
    the second the pairs of classes of which the first is taken most often for the second: the share
    of its images whose nearest other image is of that class.

    Examples:
      recallkit confusions
      recallkit confusions runs/mine --split validation --top 30
      recallkit confusions photos.npz --json > confusions.json

    Args:
        what: a run folder, for its images; a folder with a sub-folder for each class; or an index
            that recallkit embed wrote. The default: the latest finished run below runs/.
        run: the run that embeds a folder. The default: the latest finished one below runs/.
        split: search these images of the run. The default: test, whose classes it has never seen.
        top: rows of each table.
        on_bad_image: as for recallkit search.
        json: print one JSON object, with all classes and pairs.
        workers: processes that decode images. 0: the command itself does.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import gallery, metrics

    index = _index_of(what, run, split, "test", on_bad_image, workers, device)
    index = _with_classes(index)
    labels = index.numbers()
    similarities, neighbours = metrics.search(index.embeddings, k=1, distance="cosine")
    recalls = gallery.recall_per_class(labels, neighbours)
    pairs = gallery.confused_classes(labels, neighbours, similarities)
    name_of = dict(zip(labels.tolist(), index.labels, strict=True))
    values = values_of_confusions(index, name_of, recalls, pairs)
    if json:
        print_json(values)
    else:
        print_confusions(values, top)


def _index_of(
    what: Path | None,
    run: Path | None,
    split: Split | None,
    usual: Split,
    on_bad_image: OnBadImage | None,
    workers: int,
    device: str,
) -> "Index":
    """Return the embeddings of a folder, of an index file, or of a split of a run's images."""
    from recallkit.gallery import load_trained_run

    gallery, run = source_and_run(what, run)
    if gallery is not None and split is not None:
        raise ValueError(f"--split chooses images of a run, and {gallery} is none")
    if gallery is not None and not gallery.is_dir():
        return _stored_index(gallery, run)
    plan, folder = plan_for(gallery, run, "all" if gallery else split or usual, "", "")
    options = embedding_for(folder, gallery is None, on_bad_image, workers)
    return open_for(load_trained_run(folder, device), plan, options).index


def _stored_index(path: Path, run: Path | None) -> "Index":
    """Read an index, and say if it is incomplete."""
    from recallkit.gallery import read_index, remarks_on_index

    if not path.exists():
        raise RecallkitError(f"there is no folder, index or run {path}")
    if run is not None:
        raise ValueError(f"--run embeds a folder, and {path} holds embeddings: leave out --run")
    index = read_index(path)
    for remark in remarks_on_index(str(path), index):
        say(remark)
    return index


def _with_classes(index: "Index") -> "Index":
    """Leave out images without a class, and say how many."""
    labelled = [row for row, label in enumerate(index.labels) if label]
    if 0 < len(labelled) < len(index):
        missing = len(index) - len(labelled)
        say(f"{missing:,} of {len(index):,} images have no class, and are left out")
        return index.rows(labelled)
    return index


def _figures(out: Path | None, folder: Path, queries: Sequence[Path], json: bool) -> Sequence[Path]:
    """Return where the figures of the queries are drawn; images of one name do not share one."""
    from recallkit.gallery import digest_of_path

    if out is not None and len(queries) > 1:
        count = min(MOST_FIGURES, len(queries))
        return [out.with_name(f"{out.stem}-{i}{out.suffix}") for i in range(1, count + 1)]
    if out is None and (json or len(queries) > 1):
        return []
    name = f"search-{queries[0].stem}-{digest_of_path(queries[0])}.png"
    return [out or folder / "figures" / name]


def _figure(result: "SearchResult", query: int, gallery: "Gallery") -> "Figure":
    """Draw a query and its nearest images, each with its path in the gallery."""
    import torch

    from recallkit import plots
    from recallkit.data.image_files import read_image
    from recallkit.data.image_set import ImageSet

    file, rows = result.queries[query], result.rows[query].tolist()
    paths = [gallery.index.paths[row] for row in rows]
    images = torch.stack([gallery.image(path) for path in paths])
    places = torch.arange(len(rows))
    shown = ImageSet(images, places, dict(enumerate(paths)))
    return plots.plot_image_search(
        read_image(file, images.shape[-1]), file.name, shown, places, result.similarities[query]
    )[0]
