"""Measuring a run, or embeddings that any other tool has made, by the protocol of a data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from recallkit.config import Config
from recallkit.data import load
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.data.benchmarks.checks import checked_lists
from recallkit.data.benchmarks.landmarks import Landmarks
from recallkit.data.benchmarks.loading import LANDMARKS, load_benchmark, load_landmarks
from recallkit.data.image_files import ImageFiles
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import (
    SCALES,
    describe,
    embed,
    evaluate_embeddings,
    evaluate_pixels,
)
from recallkit.evaluation.embedding_files import numbered, read_features, write_features
from recallkit.files import write_atomically
from recallkit.metrics import fit_whitening, retrieval_metrics, revisited_of_embeddings

Table = dict[str, dict[str, float]]


DISTRACTORS = "revisitop1m"


_PART = 256  # images between two writes


@dataclass(frozen=True)
class Data:
    """What is measured on.

    Attributes:
        dataset: of a benchmark, or "": what the run was trained on, or labels beside embeddings.
        root: the folder that holds it.
        split: the classes, for data sets that have them.
    """

    dataset: str = ""
    root: str = ""
    split: str = "test"


@dataclass(frozen=True)
class Options:
    """How embeddings are made and compared.

    Attributes:
        ks: the k of R@k (of P@k for landmarks); empty: those of the data set.
        whiten: a file of embeddings to learn a PCA whitening from; None: none.
        distractors: a file of embeddings of further gallery images, for landmarks.
        scales: of images, for landmarks and a run.
        longest: side in pixels to which landmarks are brought, the aspect kept; 0: squares, as in
            training.
        save: a ``.npz`` to keep the embeddings of a run in.
    """

    ks: tuple[int, ...] = ()
    whiten: Path | None = None
    distractors: Path | None = None
    scales: tuple[float, ...] = SCALES
    longest: int = 1024
    save: Path | None = None


def evaluate_run(network: nn.Module, config: Config, data: Data, options: Options) -> Table:
    """Metrics of a run's network, beside those of the pixels where there are classes.

    Raises:
        ValueError: a data set that there is not, or an option that does not fit it.
        RecallkitError: a file that is missing, damaged, or does not fit.
    """
    name, root = data.dataset or config.dataset, data.root or config.root
    if name in LANDMARKS:
        return {"run": _run_on_landmarks(network, config, name, Path(root), options)}
    _check_distractors(name, options)
    images = getattr(load(name, config.image_size, root), data.split)
    embeddings = embed(network, images.images, config.image_size)
    if options.save:
        write_features(options.save, embeddings, images.labels)
    pixels = evaluate_pixels(images, config.image_size)
    trained = evaluate_embeddings(_whitened(options, embeddings)[0], images)
    return {"pixels": pixels, "trained": trained}


def _run_on_landmarks(
    network: nn.Module, config: Config, name: str, root: Path, options: Options
) -> dict[str, float]:
    queries, gallery, judgements = load_landmarks(name, root, config.image_size)
    made = [_described(network, config, files, options) for files in (queries, gallery)]
    if options.save:
        write_features(options.save, made[1])
    return _on_landmarks(*made, judgements, options)


def _described(network: nn.Module, config: Config, files: ImageFiles, options: Options) -> Tensor:
    if options.longest:
        return describe(network, files, options.longest, options.scales)
    return embed(network, files, config.image_size)


def save_distractors(network: nn.Module, config: Config, root: Path, options: Options) -> Path:
    """Embed the million distractors into a ``.npy``, a few hundred at a time, for later use.

    Returns:
        ``options.save``.

    Raises:
        ValueError: there is no such option.
        RecallkitError: files that are missing or damaged, or a disk that is full.
    """
    path = options.save
    if path is None or path.suffix != ".npy":
        raise ValueError("save must name a .npy for the embeddings of the distractors")
    images = checked_lists(BENCHMARKS[DISTRACTORS], root).images
    files = ImageFiles([root / name for name in images.paths], config.image_size)

    def write(temporary: Path) -> None:
        table = None
        bar = tqdm(range(0, len(files), _PART), desc="distractors", delay=2)
        for start in bar:
            part = _described(network, config, files[start : start + _PART], options).cpu()
            if table is None:
                shape = (len(files), part.shape[1])
                table = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
            table[start : start + len(part)] = part.numpy()
        table.flush()

    write_atomically(path, write)
    return path


def evaluate_files(
    features: Path,
    data: Data,
    options: Options,
    labels: Path | None = None,
    gallery: Path | None = None,
    gallery_labels: Path | None = None,
) -> Table:
    """Metrics of embeddings in files.

    Args:
        features: of the queries, or, without ``gallery``, of all images.
        data: with a benchmark, rows are in the order of its list file, labels come from there, and
            its protocol holds.
        options: see :class:`Options`; ``scales``, ``longest`` and ``save`` are not used.
        labels: see :func:`.read_features`.
        gallery: embeddings to search in.
        gallery_labels: as ``labels``.

    Raises:
        RecallkitError: a file that is missing, damaged, or does not fit the others.
    """
    if gallery is None and gallery_labels is not None:
        raise ValueError("gallery_labels need the embeddings that they are of: --gallery FILE")
    _check_distractors(data.dataset, options)
    embeddings, own = read_features(features, labels)
    others, their = (None, None) if gallery is None else read_features(gallery, gallery_labels)
    _check_same_space(features, embeddings, gallery, others)
    if data.dataset:
        found = _by_protocol(embeddings, others, data, options)
    else:
        found = _by_labels(embeddings, own, others, their, options, features, gallery)
    return {features.name: found}


def _check_distractors(dataset: str, options: Options) -> None:
    if options.distractors is not None and dataset not in LANDMARKS:
        raise ValueError(f"distractors are for --dataset {' and '.join(LANDMARKS)} alone")


def _check_same_space(
    path: Path, embeddings: Tensor, other_path: Path | None, others: Tensor | None
) -> None:
    if others is None:
        return
    one, other = (f"dimension {t.shape[1]} of {t.dtype}" for t in (embeddings, others))
    if one != other:
        raise RecallkitError(
            f"{path} and {other_path} must agree in dimension and type: the first holds "
            f"embeddings of {one}, the second of {other}"
        )


def _by_protocol(
    embeddings: Tensor, others: Tensor | None, data: Data, options: Options
) -> dict[str, float]:
    if data.dataset not in BENCHMARKS or not data.root:
        raise ValueError(
            f"dataset must be one of {', '.join(BENCHMARKS)}, with --root DIR, not {data.dataset!r}"
        )
    if data.dataset in LANDMARKS:
        contents = checked_lists(BENCHMARKS[data.dataset], Path(data.root))
        return _of_landmark_files(contents, embeddings, others, options)
    images = load_benchmark(data.dataset, Path(data.root)).test
    joined = embeddings if others is None else torch.cat([embeddings, others])
    _check_rows(joined, len(images), "test images (queries first, then the gallery)")
    return evaluate_embeddings(_whitened(options, joined)[0], images)


def _of_landmark_files(
    contents: Landmarks, queries: Tensor, gallery: Tensor | None, options: Options
) -> dict[str, float]:
    if gallery is None:
        raise ValueError("gallery must name the embeddings of the searched images: --gallery FILE")
    _check_rows(queries, len(contents.queries), "queries")
    _check_rows(gallery, len(contents.images), "images")
    return _on_landmarks(queries, gallery, contents.judgements, options)


def _check_rows(embeddings: Tensor, expected: int, what: str) -> None:
    if len(embeddings) != expected:
        raise RecallkitError(
            f"the data set has {expected:,} {what}, but there are {len(embeddings):,} embeddings: "
            f"one for each is needed, in the order of the list file"
        )


def _on_landmarks(
    queries: Tensor, gallery: Tensor, judgements: tuple, options: Options
) -> dict[str, float]:
    others = None if options.distractors is None else read_features(options.distractors)[0]
    if others is not None and options.whiten is not None:
        raise ValueError("whiten cannot be combined with distractors: store them whitened")
    queries, gallery = _whitened(options, queries, gallery)
    ks = options.ks or (1, 5, 10)
    return revisited_of_embeddings(queries, gallery, judgements, ks, others)


def _by_labels(
    embeddings: Tensor,
    own: np.ndarray | None,
    others: Tensor | None,
    their: np.ndarray | None,
    options: Options,
    features: Path,
    gallery: Path | None,
) -> dict[str, float]:
    for labels, path in ((own, features), (their, gallery)):
        if labels is None and path is not None:
            raise RecallkitError(
                f"{path} has no labels: store them inside as 'labels', beside it as "
                f"{path.stem}.labels.npy or .txt, name a file by --labels (--gallery-labels), or "
                f"name the benchmark by --dataset"
            )
    ks = options.ks or (1, 10, 100)
    if others is None:
        return retrieval_metrics(_whitened(options, embeddings)[0], *numbered(own), ks=ks)
    own_numbers, their_numbers = numbered(own, their)
    embeddings, others = _whitened(options, embeddings, others)
    return retrieval_metrics(embeddings, own_numbers, others, their_numbers, ks=ks)


def _whitened(options: Options, *embeddings: Tensor) -> list[Tensor]:
    if options.whiten is None:
        return list(embeddings)
    whitening = fit_whitening(read_features(options.whiten)[0])
    return [whitening(part) for part in embeddings]
