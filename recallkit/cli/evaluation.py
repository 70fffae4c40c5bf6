"""The subcommand ``evaluate``."""

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from recallkit.cli.gallery import embed
from recallkit.cli.shared import latest_run
from recallkit.files import expanded
from recallkit.ranges import Range
from recallkit.tables import metrics_table

if TYPE_CHECKING:
    from recallkit.data.image_set import Splits
    from recallkit.data.prefetch import Reading
    from recallkit.evaluation import Evaluation, EvaluationData, EvaluationOptions, Source

Split = Literal["test", "validation", "train", "all"]
OnBadImage = Literal["raise", "skip"]

OF_LABELS = {"labels", "gallery_labels", "groups", "gallery_groups"}
OF_FILES = OF_LABELS | {"gallery", "distance"}
OF_RUNS = {"split", "scales", "longest", "save", "on_bad_image", "device"}
WITHOUT_EFFECT = {  # what is evaluated → options that change nothing there
    "a run on images with classes": OF_FILES | {"distractors", "scales", "longest"},
    "a run on landmarks": OF_FILES | {"split", "per_class", "on_bad_image"},
    "the distractors": OF_FILES
    | {"split", "per_class", "on_bad_image", "ks", "whiten", "distractors"},
    "a file of embeddings": OF_RUNS | {"root", "distractors"},
    "a file by the protocol of a benchmark": OF_RUNS | OF_LABELS | {"distractors"},
    "files of landmarks": OF_RUNS | OF_LABELS | {"per_class"},
}

REASONS = {
    "distance": "its embeddings have unit length, and every distance ranks them alike",
    "device": "files are measured on the CPU",
    "distractors": "they are for --dataset roxford5k and rparis6k",
}


def evaluate(
    what: Positional[Path | None] = None,
    labels: Path | None = None,
    gallery: Path | None = None,
    gallery_labels: Path | None = None,
    distance: Literal["cosine", "dot", "l2"] = "cosine",
    groups: Path | None = None,
    gallery_groups: Path | None = None,
    per_class: bool = False,
    dataset: str = "",
    root: str = "",
    split: Split = "test",
    ks: Annotated[tuple[int, ...] | None, arg(metavar="K [K ...]"), Range(1, 10**9)] = None,
    whiten: Path | None = None,
    distractors: Path | None = None,
    scales: Annotated[tuple[float, ...], Range(0.01, 100.0)] = (1.0, 2**-0.5, 0.5),
    longest: Annotated[int, Range(0, 65_536)] = 1024,
    save: Path | None = None,
    on_bad_image: OnBadImage | None = None,
    device: str = "auto",
) -> None:
    """Evaluate a run, or embeddings of any other tool.

    Prints R@k, precision@1, mAP@R and mAP, and under each table what was measured: by which
    distance, over how many queries, and which were left out. Each image is a query, and is searched
    for among all others. With --dataset the protocol of that benchmark is followed: queries against
    a gallery for In-Shop, three test sets for VehicleID, Easy, Medium and Hard for roxford5k and
    rparis6k.

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
      recallkit evaluate queries.npy --gallery gallery.npy --distance l2
      recallkit evaluate table.csv --labels product --groups camera --per-class
      recallkit evaluate test.npy --dataset sop --root ~/data/Stanford_Online_Products

    Args:
        what: a run folder, or a file of embeddings (N, D): .npy, .npz, .pt, .safetensors, .csv,
            .tsv, .parquet, .json, .jsonl or .h5. Its labels are inside, or in NAME.labels.npy or
            NAME.labels.txt beside it. The default: the latest finished run below runs/.
        labels: the name of another array or column of the file, or a file of labels: text with one
            label a line, or any form that embeddings have.
        gallery: a file of embeddings to search in. The default: search all among all.
        gallery_labels: the labels of the gallery. The default: inside or beside it, under the name
            that --labels gives, if it gives a name.
        distance: how near two embeddings are: by cosine, dot product, or Euclidean distance (l2).
            For vectors of unit length all three give the same order.
        groups: the camera or session of each image: a name or a file, as for --labels. The images
            of a query's own group are left out of its ranking.
        gallery_groups: the groups of the gallery. The default: as for --gallery-labels.
        per_class: add the means over classes, in which a large class counts no more than a small
            one.
        dataset: for a run: where its images are now, or other images: a folder, a list file, or a
            data set. For a file: a benchmark. The rows of the file are then in the order of its
            list file (In-Shop: queries, then gallery; VehicleID: small, medium, large, each image
            once).
        root: the folder that holds the benchmark.
        split: for a run: which classes. "all" takes every image, also of classes that trained.
        ks: the k of R@k. The default: 1 10 100 for files, else those of the data set.
        whiten: a file of embeddings to learn a PCA whitening from.
        distractors: a file of embeddings of more gallery images, for roxford5k and rparis6k.
        scales: for landmarks: relative sizes of each image; their descriptors are averaged.
        longest: for landmarks: the longer side in pixels after resizing; 0: square images.
        save: store the embeddings of a run in this .npz; those of revisitop1m in this .npy.
        on_bad_image: for a run: "raise" ends with an error that names unreadable images, "skip"
            leaves them out. The default: what the run did.
        device: "auto" takes a GPU if there is one.
    """
    given = dict(locals())
    from recallkit.evaluation import EvaluationData, EvaluationOptions, Source, evaluate_files

    what, data = what or latest_run(), EvaluationData(dataset, root)
    is_run = what.is_dir() or not what.suffix
    _check_effects(_evaluated(is_run, dataset), given)
    options = EvaluationOptions(
        _checked_ks(ks), distance, per_class, whiten, distractors, scales, longest, save
    )
    if is_run and save is not None and _lacks_classes(dataset):
        embed(Path(dataset), save, what, on_bad_image or "raise", device=device)
        print(f"the images of {dataset} have no classes: they are embedded, and nothing evaluated")
        return
    if is_run:
        result = _evaluate_run(what, data, options, split, _reading(on_bad_image), device)
        title = f"{what}, {dataset or f'{split} classes'}, %"
    else:
        queries = Source(what, labels, groups)
        searched = _gallery(queries, gallery, gallery_labels, gallery_groups)
        result = evaluate_files(queries, data, options, searched)
        title = f"{dataset}, %" if dataset else "%"
    if result is not None:
        _print_evaluation(result, title)


def _evaluated(is_run: bool, dataset: str) -> str:
    """Name what is evaluated, as the keys of ``WITHOUT_EFFECT`` do."""
    from recallkit.data.benchmarks.loading import LANDMARKS
    from recallkit.evaluation import DISTRACTORS

    if is_run:
        if dataset == DISTRACTORS:
            return "the distractors"
        return "a run on landmarks" if dataset in LANDMARKS else "a run on images with classes"
    if dataset in LANDMARKS:
        return "files of landmarks"
    return "a file by the protocol of a benchmark" if dataset else "a file of embeddings"


def _check_effects(evaluated: str, given: Mapping[str, Any]) -> None:
    """Refuse options that were given and would change nothing."""
    defaults = {name: p.default for name, p in signature(evaluate).parameters.items()}
    changed = {name for name, value in given.items() if value != defaults[name]}
    if idle := sorted(changed & WITHOUT_EFFECT[evaluated]):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        verb = "has" if len(idle) == 1 else "have"
        why = REASONS.get(idle[0], "leave out what changes nothing")
        raise ValueError(f"{flags} {verb} no effect on {evaluated}: {why}")
    if given["longest"] == 0 and "scales" in changed:
        raise ValueError("--scales have no effect with --longest 0: squares have one size")


def _checked_ks(ks: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the k of R@k, none for those of the data set; an empty list is refused."""
    from recallkit.checks import check_ks

    return () if ks is None else check_ks(ks)


def _gallery(
    queries: "Source", path: Path | None, labels: Path | None, groups: Path | None
) -> "Source | None":
    """Describe the gallery; arrays that are named for the queries have that name there, too."""
    from recallkit.evaluation import Source

    if path is None:
        for flag, value in {"labels": labels, "groups": groups}.items():
            if value is not None:
                raise ValueError(
                    f"gallery_{flag} need the embeddings that they are of: --gallery FILE"
                )
        return None
    names = [None if of is None or of.suffix else of for of in (queries.labels, queries.groups)]
    return Source(path, labels or names[0], groups or names[1])


def _print_evaluation(result: "Evaluation", title: str) -> None:
    """Print a table for each search, a line on it, and what else there is to say."""
    for search, columns in _narrow_tables(result.rows).items():
        print(metrics_table(result.rows, columns, title=title))
        print(result.lines[search])
    for remark in result.remarks:
        print(f"- {remark}")


def _evaluate_run(
    run: Path,
    data: "EvaluationData",
    options: "EvaluationOptions",
    split: Split,
    reading: "Reading | None",
    device: str,
) -> "Evaluation | None":
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
        return None
    if data.dataset in LANDMARKS:
        return evaluate_run_on_landmarks(network, config, data, options)
    splits = load_data_of_run(run, data.dataset, data.root, split=split, reading=reading)
    _tell(splits)
    return evaluate_run(network, config, splits.part("test" if split == "all" else split), options)


def _lacks_classes(dataset: str) -> bool:
    """Tell whether this is a folder of images without classes: it can be embedded all the same."""
    from recallkit.gallery import find_images

    folder = expanded(dataset)
    return bool(dataset) and folder.is_dir() and not any(find_images(folder).labels)


def _tell(splits: "Splits") -> None:
    """Print what was used of the user's own images, and what was left out."""
    if splits.source:
        print(splits.describe())


def _reading(on_bad_image: OnBadImage | None) -> "Reading | None":
    from recallkit.data.prefetch import Reading

    return None if on_bad_image is None else Reading(0, on_bad_image)


def _narrow_tables(rows: dict[str, dict[str, float]]) -> dict[str, list[str]]:
    """Group the names of metrics by the search of a protocol that they belong to, or all by ""."""
    groups: dict[str, list[str]] = {}
    for name in next(iter(rows.values())):
        groups.setdefault(name.rpartition(" ")[0], []).append(name)
    return groups
