"""The subcommands ``evaluate`` and ``search``."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from recallkit.tables import metrics_table

if TYPE_CHECKING:
    pass
from recallkit.cli.shared import latest_run, save_figure

Split = Literal["test", "validation", "train"]


def evaluate(
    what: Positional[Path | None] = None,
    labels: Path | None = None,
    gallery: Path | None = None,
    gallery_labels: Path | None = None,
    dataset: str = "",
    root: str = "",
    split: Split = "test",
    ks: tuple[int, ...] = (),
    whiten: Path | None = None,
    distractors: Path | None = None,
    scales: tuple[float, ...] = (1.0, 2**-0.5, 0.5),
    longest: int = 1024,
    save: Path | None = None,
    device: str = "auto",
) -> None:
    """Measure a run, or embeddings made by any other tool: R@k, precision@1, mAP@R and mAP.

    Each image is searched among all others, or by the protocol of --dataset: queries against a
    gallery (In-Shop), three test sets (VehicleID), Easy, Medium and Hard (roxford5k, rparis6k).

    Examples:
      recallkit evaluate
      recallkit evaluate runs/large --split validation
      recallkit evaluate runs/landmarks --dataset roxford5k --root ~/data/roxford5k
      recallkit evaluate runs/landmarks --dataset revisitop1m --root DIR --save far.npy
      recallkit evaluate embeddings.npz --ks 1 10 100 1000
      recallkit evaluate queries.npy --gallery gallery.npy
      recallkit evaluate test.npy --dataset sop --root ~/data/Stanford_Online_Products

    Args:
        what: a run folder, by default the latest finished one below runs/; or a file of
            embeddings (N, D): .npy, .npz, .pt or .safetensors, labels inside or beside it as
            NAME.labels.npy or NAME.labels.txt.
        labels: another file of labels, .npy or text with one a line.
        gallery: a file of embeddings to search in; by default all against all.
        gallery_labels: its labels.
        dataset: a benchmark; the rows of a file are in the order of its list file (In-Shop:
            queries, then gallery; VehicleID: small, medium, large, each image once).
        root: the folder that holds the benchmark.
        split: which classes of the data of a run.
        ks: the k of R@k, for embeddings; by default 1 10 100, or those of the benchmark.
        whiten: a file of embeddings to learn a PCA whitening from.
        distractors: a file of embeddings of more gallery images, for roxford5k and rparis6k.
        scales: sizes at which a run sees landmarks; their descriptors are averaged.
        longest: side to which a run's landmarks are brought, aspect kept; 0: squares.
        save: keep the embeddings of a run in this .npz; of revisitop1m, in this .npy.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit.evaluation.protocols import (
        DISTRACTORS,
        Data,
        Options,
        evaluate_files,
        evaluate_run,
        save_distractors,
    )
    from recallkit.training.run_folder import load_run

    what, data = what or latest_run(), Data(dataset, root, split)
    options = Options(ks, whiten, distractors, scales, longest, save)
    if what.is_dir() or not what.suffix:
        config, network = load_run(what, device)
        if dataset == DISTRACTORS:
            print(f"wrote {save_distractors(network, config, Path(root), options)}")
            return
        rows = evaluate_run(network, config, data, options)
        title = f"{what}, {dataset or f'{split} classes'}, %"
    else:
        rows = evaluate_files(what, data, options, labels, gallery, gallery_labels)
        title = f"{dataset}, %" if dataset else "%"
    for part in _narrow_tables(rows):
        print(metrics_table(rows, part, title=title))


def _narrow_tables(rows: dict[str, dict[str, float]]) -> list[list[str]]:
    """The metrics in groups: those of each search of a protocol, or all."""
    groups: dict[str, list[str]] = {}
    for name in next(iter(rows.values())):
        groups.setdefault(name.rpartition(" ")[0], []).append(name)
    return list(groups.values())


def search(
    picture: Positional[Path],
    run: Path | None = None,
    k: int = 8,
    split: Split = "test",
    out: Path | None = None,
    device: str = "auto",
) -> None:
    """Find the images of a gallery most similar to a picture of one's own.

    Prints the nearest images, and draws them.

    Examples:
      recallkit search drawing.png
      recallkit search photo.jpg --run runs/large --k 16 --split train --out found.png

    Args:
        picture: a file in any usual format; transparent parts count as white.
        run: a run folder; by default the latest finished one below runs/.
        k: how many to find.
        split: the classes that make up the gallery.
        out: where to draw; by default in the run's folder figures/.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import metrics, plots
    from recallkit.data import load
    from recallkit.data.image_files import read_image
    from recallkit.evaluation.embedding import embed
    from recallkit.training.run_folder import load_run

    read_image(picture)  # a damaged one is named before anything is loaded
    folder = run or latest_run()
    config, network = load_run(folder, device)
    gallery = getattr(load(config.dataset, config.image_size, config.root), split)
    query = read_image(picture, side=gallery.images.shape[-1])
    query_embedding = embed(network, query[None], config.image_size)
    gallery_embeddings = embed(network, gallery.images, config.image_size)
    similarities, neighbours = metrics.search(query_embedding, gallery_embeddings, k)
    for rank, (value, item) in enumerate(zip(similarities[0], neighbours[0].tolist(), strict=True)):
        print(f"{rank + 1:3d}  {value:6.3f}  {gallery.name(item)}")
    fig, _ = plots.plot_image_search(query, picture.name, gallery, neighbours[0], similarities[0])
    save_figure(fig, out or folder / "figures" / f"search-{picture.stem}.png")
