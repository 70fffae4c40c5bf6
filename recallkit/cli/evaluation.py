"""The subcommands ``evaluate`` and ``search``."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from recallkit.cli.shared import latest_run, save_figure
from recallkit.tables import metrics_table

if TYPE_CHECKING:
    from torch import Tensor

    from recallkit.data.image_set import ImageSet

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
    """Evaluate a run, or embeddings of any other tool.

    Prints R@k, precision@1, mAP@R and mAP. Each image is a query, and is searched for among all
    others. With --dataset the protocol of that benchmark is followed: queries against a gallery
    for In-Shop, three test sets for VehicleID, Easy, Medium and Hard for roxford5k and rparis6k.

    Examples:
      recallkit evaluate
      recallkit evaluate runs/large --split validation
      recallkit evaluate runs/landmarks --dataset roxford5k --root ~/data/roxford5k
      recallkit evaluate runs/landmarks --dataset revisitop1m --root DIR --save far.npy
      recallkit evaluate embeddings.npz --ks 1 10 100 1000
      recallkit evaluate queries.npy --gallery gallery.npy
      recallkit evaluate test.npy --dataset sop --root ~/data/Stanford_Online_Products

    Args:
        what: a run folder, or a file of embeddings (N, D): .npy, .npz, .pt or .safetensors. Its
            labels are inside, or in NAME.labels.npy or NAME.labels.txt beside it. The default:
            the latest finished run below runs/.
        labels: another file of labels: .npy, or text with one label a line.
        gallery: a file of embeddings to search in. The default: search all among all.
        gallery_labels: the labels of the gallery.
        dataset: a benchmark. The rows of a file are then in the order of its list file (In-Shop:
            queries, then gallery; VehicleID: small, medium, large, each image once).
        root: the folder that holds the benchmark.
        split: which classes of the data of a run.
        ks: the k of R@k, for embeddings. The default: 1 10 100, or those of the benchmark.
        whiten: a file of embeddings to learn a PCA whitening from.
        distractors: a file of embeddings of more gallery images, for roxford5k and rparis6k.
        scales: for landmarks: relative sizes of each image; their descriptors are averaged.
        longest: for landmarks: the longer side in pixels after resizing; 0: square images.
        save: store the embeddings of a run in this .npz; those of revisitop1m in this .npy.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit.evaluation import (
        DISTRACTORS,
        EvaluationData,
        EvaluationOptions,
        evaluate_files,
        evaluate_run,
        save_distractors,
    )
    from recallkit.training.run_folder import load_run

    what, data = what or latest_run(), EvaluationData(dataset, root, split)
    options = EvaluationOptions(ks, whiten, distractors, scales, longest, save)
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
    for columns in _narrow_tables(rows):
        print(metrics_table(rows, columns, title=title))


def _narrow_tables(rows: dict[str, dict[str, float]]) -> list[list[str]]:
    """Group the names of metrics: those of each search of a protocol, or all."""
    groups: dict[str, list[str]] = {}
    for name in next(iter(rows.values())):
        groups.setdefault(name.rpartition(" ")[0], []).append(name)
    return list(groups.values())


def search(
    image: Positional[Path],
    run: Path | None = None,
    k: int = 8,
    split: Split = "test",
    out: Path | None = None,
    device: str = "auto",
) -> None:
    """Find the images most similar to one of yours.

    Prints the nearest images of a gallery, and draws them.

    Examples:
      recallkit search drawing.png
      recallkit search photo.jpg --run runs/large --k 16 --split train --out nearest.png

    Args:
        image: a file in any usual format; transparent pixels count as white.
        run: a run folder. The default: the latest finished run below runs/.
        k: how many images to find.
        split: the classes that make up the gallery.
        out: where to draw. The default: in figures/ of the run folder.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import plots
    from recallkit.data.image_files import read_image

    read_image(image)  # a damaged one is named before anything is loaded
    folder = run or latest_run()
    gallery, query, similarities, neighbours = _nearest(image, folder, k, split, device)
    for rank, (value, item) in enumerate(zip(similarities, neighbours.tolist(), strict=True), 1):
        print(f"{rank:3d}  {value:6.3f}  {gallery.name(item)}")
    fig, _ = plots.plot_image_search(query, image.name, gallery, neighbours, similarities)
    save_figure(fig, out or folder / "figures" / f"search-{image.stem}.png")


def _nearest(
    image: Path, run: Path, k: int, split: Split, device: str
) -> "tuple[ImageSet, Tensor, Tensor, Tensor]":
    """Search a gallery for an image; return it, the query, similarities (k,) and indices (k,)."""
    from recallkit import metrics
    from recallkit.data import load
    from recallkit.data.image_files import read_image
    from recallkit.evaluation import embed
    from recallkit.training.run_folder import load_run

    config, network = load_run(run, device)
    gallery = getattr(load(config.dataset, config.image_size, config.root), split)
    query = read_image(image, side=gallery.images.shape[-1])
    query_embedding = embed(network, query[None], config.image_size)
    gallery_embeddings = embed(network, gallery.images, config.image_size)
    similarities, neighbours = metrics.search(query_embedding, gallery_embeddings, k)
    return gallery, query, similarities[0], neighbours[0]
