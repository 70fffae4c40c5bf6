"""The subcommand ``evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from recallkit.cli.gallery import embed
from recallkit.cli.shared import latest_run
from recallkit.ranges import Range
from recallkit.tables import metrics_table

if TYPE_CHECKING:
    from recallkit.data.image_set import Splits
    from recallkit.data.prefetch import Reading
    from recallkit.evaluation import EvaluationData, EvaluationOptions

Split = Literal["test", "validation", "train", "all"]
OnBadImage = Literal["raise", "skip"]


def evaluate(
    what: Positional[Path | None] = None,
    labels: Path | None = None,
    gallery: Path | None = None,
    gallery_labels: Path | None = None,
    dataset: str = "",
    root: str = "",
    split: Split = "test",
    ks: Annotated[tuple[int, ...], Range(1, 10**9)] = (),
    whiten: Path | None = None,
    distractors: Path | None = None,
    scales: Annotated[tuple[float, ...], Range(0.01, 100.0)] = (1.0, 2**-0.5, 0.5),
    longest: Annotated[int, Range(0, 65_536)] = 1024,
    save: Path | None = None,
    on_bad_image: OnBadImage | None = None,
    device: str = "auto",
) -> None:
    """Evaluate a run, or embeddings of any other tool.

    Prints R@k, precision@1, mAP@R and mAP. Each image is a query, and is searched for among all
    others. With --dataset the protocol of that benchmark is followed: queries against a gallery
    for In-Shop, three test sets for VehicleID, Easy, Medium and Hard for roxford5k and rparis6k.

    A run is evaluated on its own images, or on others. Classes that it trained on are never tested,
    unless all are asked for.

    Examples:
      recallkit evaluate
      recallkit evaluate runs/large --split validation
      recallkit evaluate runs/mine --dataset ~/photos           (they have moved, or are others)
      recallkit evaluate runs/mine --dataset list.csv --split all
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
        dataset: for a run: where its images are now, or other images: a folder, a list file, or a
            data set. For a file: a benchmark. The rows of the file are then in the order of its
            list file (In-Shop: queries, then gallery; VehicleID: small, medium, large, each image
            once).
        root: the folder that holds the benchmark.
        split: for a run: which classes. "all" takes every image, also of classes that trained.
        ks: the k of R@k, for embeddings. The default: 1 10 100, or those of the benchmark.
        whiten: a file of embeddings to learn a PCA whitening from.
        distractors: a file of embeddings of more gallery images, for roxford5k and rparis6k.
        scales: for landmarks: relative sizes of each image; their descriptors are averaged.
        longest: for landmarks: the longer side in pixels after resizing; 0: square images.
        save: store the embeddings of a run in this .npz; those of revisitop1m in this .npy.
        on_bad_image: for a run: "raise" ends with an error that names unreadable images, "skip"
            leaves them out. The default: what the run did.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit.evaluation import EvaluationData, EvaluationOptions, evaluate_files

    what, data = what or latest_run(), EvaluationData(dataset, root)
    options = EvaluationOptions(ks, whiten, distractors, scales, longest, save)
    is_run = what.is_dir() or not what.suffix
    if is_run and save is not None and _lacks_classes(dataset):
        embed(Path(dataset), save, what, on_bad_image or "raise", device=device)
        print(f"the images of {dataset} have no classes: they are embedded, and nothing evaluated")
        return
    if is_run:
        rows = _evaluate_run(what, data, options, split, _reading(on_bad_image), device)
        title = f"{what}, {dataset or f'{split} classes'}, %"
    else:
        rows = evaluate_files(what, data, options, labels, gallery, gallery_labels)
        title = f"{dataset}, %" if dataset else "%"
    for columns in _narrow_tables(rows):
        print(metrics_table(rows, columns, title=title))


def _evaluate_run(
    run: Path,
    data: "EvaluationData",
    options: "EvaluationOptions",
    split: Split,
    reading: "Reading | None",
    device: str,
) -> dict[str, dict[str, float]]:
    """Evaluate a run on its images or others, and print which; of distractors only store them."""
    from recallkit.data.benchmarks.loading import LANDMARKS
    from recallkit.evaluation import (
        DISTRACTORS,
        evaluate_run,
        evaluate_run_on_landmarks,
        save_distractors,
    )
    from recallkit.training.run_folder import load_data_of_run, load_run

    config, network = load_run(run, device)
    if data.dataset == DISTRACTORS:
        print(f"wrote {save_distractors(network, config, Path(data.root), options)}")
        return {}
    if data.dataset in LANDMARKS:
        return evaluate_run_on_landmarks(network, config, data, options)
    splits = load_data_of_run(run, data.dataset, data.root, split=split, reading=reading)
    _tell(splits)
    return evaluate_run(network, config, splits.part("test" if split == "all" else split), options)


def _lacks_classes(dataset: str) -> bool:
    """Tell whether this is a folder of images without classes: it can be embedded all the same."""
    from recallkit.gallery import find_images

    folder = Path(dataset).expanduser()
    return bool(dataset) and folder.is_dir() and not any(find_images(folder).labels)


def _tell(splits: "Splits") -> None:
    """Print what was used of the user's own images, and what was left out."""
    if splits.source:
        print(splits.describe())


def _reading(on_bad_image: OnBadImage | None) -> "Reading | None":
    from recallkit.data.prefetch import Reading

    return None if on_bad_image is None else Reading(0, on_bad_image)


def _narrow_tables(rows: dict[str, dict[str, float]]) -> list[list[str]]:
    """Group the names of metrics: those of each search of a protocol, or all."""
    groups: dict[str, list[str]] = {}
    for name in next(iter(rows.values()), {}):
        groups.setdefault(name.rpartition(" ")[0], []).append(name)
    return list(groups.values())
