"""The metrics of a run, or of embeddings made by any other tool, by the protocol of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from recallkit.config import Config
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.data.benchmarks.checks import checked_lists
from recallkit.data.benchmarks.landmarks import Distractors, Landmarks
from recallkit.data.benchmarks.loading import LANDMARKS, load_benchmark, load_landmarks
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import (
    SCALES,
    describe,
    embed,
    evaluate_embeddings,
    evaluate_pixels,
)
from recallkit.evaluation.embedding_files import number_labels, read_embeddings, write_embeddings
from recallkit.files import write_atomically
from recallkit.metrics import fit_whitening, retrieval_metrics, revisited_of_embeddings
from recallkit.metrics.revisited import Judgement

Table = dict[str, dict[str, float]]  # row → metric → value, from 0 to 1

DISTRACTORS = "revisitop1m"

_IMAGES_A_WRITE = 256


@dataclass(frozen=True)
class EvaluationData:
    """The images that embeddings in files are of.

    Attributes:
        dataset: a benchmark. "": the labels beside the embeddings say.
        root: the folder that holds the benchmark.
    """

    dataset: str = ""
    root: str = ""


@dataclass(frozen=True)
class EvaluationOptions:
    """How embeddings are made and compared.

    Attributes:
        ks: the k of R@k (of P@k for landmarks). Empty: those of the data set.
        whiten: a file of embeddings to learn a PCA whitening from. None: no whitening.
        distractors: a file of embeddings of further gallery images, for landmarks.
        scales: of images, for a run on landmarks.
        longest: the longer side of landmarks after resizing, in pixels, the aspect kept. Default
            1024, as in the literature. 0: squares, as in training.
        save: a ``.npz`` to store the embeddings of a run in; for distractors a ``.npy``.
    """

    ks: tuple[int, ...] = ()
    whiten: Path | None = None
    distractors: Path | None = None
    scales: tuple[float, ...] = SCALES
    longest: int = 1024
    save: Path | None = None


def evaluate_run(
    network: nn.Module, config: Config, images: ImageSet, options: EvaluationOptions
) -> Table:
    """Compute the metrics of a run's network and of the pixels of the images.

    Args:
        network: of the run.
        config: of the run.
        images: what is searched, by their protocol.
        options: see :class:`EvaluationOptions`; ``ks`` are those of the images.

    Raises:
        ValueError: an option that does not fit.
        RecallkitError: fewer than two classes, or a file that cannot be read or written.
    """
    _check_distractors("", options)
    if len(images.class_names) < 2:
        raise RecallkitError(
            f"there are images of {len(images.class_names)} classes to evaluate, and at least two "
            f"are needed. --split all takes the images of every class."
        )
    embeddings = embed(network, images.images, config.image_size)
    if options.save:
        write_embeddings(options.save, embeddings, images.labels)
    pixels = evaluate_pixels(images, config.image_size)
    trained = evaluate_embeddings(_whitened(options, embeddings)[0], images)
    return {"pixels": pixels, "trained": trained}


def evaluate_run_on_landmarks(
    network: nn.Module, config: Config, data: EvaluationData, options: EvaluationOptions
) -> Table:
    """Compute the metrics of a run's network on landmarks.

    Args:
        network: of the run.
        config: of the run.
        data: "roxford5k" or "rparis6k", and the folder that holds it.
        options: see :class:`EvaluationOptions`.

    Raises:
        ValueError: no root, or an option that does not fit.
        RecallkitError: a file that is missing, damaged, or does not fit.
    """
    if not data.root:
        raise ValueError(f"root must name the folder that holds {data.dataset}: add --root DIR")
    queries, gallery, judgements = load_landmarks(data.dataset, Path(data.root), config.image_size)
    query_embeddings = _describe(network, config, queries, options)
    gallery_embeddings = _describe(network, config, gallery, options)
    if options.save:
        write_embeddings(options.save, gallery_embeddings)
    return {"run": _of_landmarks(query_embeddings, gallery_embeddings, judgements, options)}


def _describe(
    network: nn.Module, config: Config, files: ImageFiles, options: EvaluationOptions
) -> Tensor:
    if options.longest:
        return describe(network, files, options.longest, options.scales)
    return embed(network, files, config.image_size)


def save_distractors(
    network: nn.Module, config: Config, root: Path, options: EvaluationOptions
) -> Path:
    """Embed the million distractors into a ``.npy`` for later use, a few hundred at a time.

    Returns:
        ``options.save``.

    Raises:
        ValueError: if ``options.save`` names no ``.npy``.
        RecallkitError: files that are missing or damaged, or a disk that is full.
    """
    path = options.save
    if path is None or path.suffix != ".npy":
        raise ValueError("save must name a .npy for the embeddings of the distractors")
    contents = checked_lists(BENCHMARKS[DISTRACTORS], root)
    assert isinstance(contents, Distractors)
    files = ImageFiles([root / name for name in contents.images.paths], config.image_size)

    def write(temporary: Path) -> None:
        dim = _describe(network, config, files[:1], options).shape[1]
        table = np.lib.format.open_memmap(temporary, "w+", np.float32, (len(files), dim))
        for start in tqdm(range(0, len(files), _IMAGES_A_WRITE), desc="distractors", delay=2):
            rows = slice(start, start + _IMAGES_A_WRITE)
            table[rows] = _describe(network, config, files[rows], options).cpu().numpy()
        table.flush()

    write_atomically(path, write)
    return path


@dataclass(frozen=True)
class _EmbeddingFile:
    path: Path
    embeddings: Tensor
    labels: np.ndarray | None

    @property
    def space(self) -> str:
        return f"dimension {self.embeddings.shape[1]} of {self.embeddings.dtype}"


def evaluate_files(
    queries: Path,
    data: EvaluationData,
    options: EvaluationOptions,
    labels: Path | None = None,
    gallery: Path | None = None,
    gallery_labels: Path | None = None,
) -> Table:
    """Compute the metrics of embeddings in files.

    Args:
        queries: the embeddings of the queries or, without ``gallery``, of all images.
        data: for a benchmark, rows are in the order of its list file, labels come from there, and
            its protocol holds.
        options: see :class:`EvaluationOptions`; ``scales``, ``longest`` and ``save`` are not used.
        labels: see :func:`.read_embeddings`.
        gallery: embeddings to search in.
        gallery_labels: as ``labels``.

    Raises:
        ValueError: an argument or option that does not fit the others.
        RecallkitError: a file that is missing, damaged, or does not fit the others.
    """
    if gallery is None and gallery_labels is not None:
        raise ValueError("gallery_labels need the embeddings that they are of: --gallery FILE")
    _check_distractors(data.dataset, options)
    searching = _EmbeddingFile(queries, *read_embeddings(queries, labels))
    searched = None
    if gallery is not None:
        searched = _EmbeddingFile(gallery, *read_embeddings(gallery, gallery_labels))
        _check_same_space(searching, searched)
    if data.dataset:
        return {queries.name: _by_protocol(searching, searched, data, options)}
    return {queries.name: _by_labels(searching, searched, options)}


def _check_distractors(dataset: str, options: EvaluationOptions) -> None:
    if options.distractors is not None and dataset not in LANDMARKS:
        raise ValueError(f"distractors are for --dataset {' and '.join(LANDMARKS)} alone")


def _check_same_space(queries: _EmbeddingFile, gallery: _EmbeddingFile) -> None:
    if queries.space != gallery.space:
        raise RecallkitError(
            f"{queries.path} and {gallery.path} must agree in dimension and type: the first holds "
            f"embeddings of {queries.space}, the second of {gallery.space}"
        )


def _by_protocol(
    queries: _EmbeddingFile,
    gallery: _EmbeddingFile | None,
    data: EvaluationData,
    options: EvaluationOptions,
) -> dict[str, float]:
    if data.dataset not in BENCHMARKS or not data.root:
        raise ValueError(
            f"dataset must be one of {', '.join(BENCHMARKS)}, with --root DIR, not {data.dataset!r}"
        )
    embeddings = [file.embeddings for file in (queries, gallery) if file is not None]
    if data.dataset in LANDMARKS:
        return _of_landmark_files(embeddings, data, options)
    images = load_benchmark(data.dataset, Path(data.root)).test
    joined = torch.cat(embeddings)
    _check_rows(joined, len(images), "test images (queries first, then the gallery)")
    return evaluate_embeddings(_whitened(options, joined)[0], images)


def _of_landmark_files(
    embeddings: Sequence[Tensor], data: EvaluationData, options: EvaluationOptions
) -> dict[str, float]:
    landmarks = checked_lists(BENCHMARKS[data.dataset], Path(data.root))
    assert isinstance(landmarks, Landmarks)
    if len(embeddings) < 2:
        raise ValueError("gallery must name the embeddings of the searched images: --gallery FILE")
    queries, gallery = embeddings
    _check_rows(queries, len(landmarks.queries), "queries")
    _check_rows(gallery, len(landmarks.images), "images")
    return _of_landmarks(queries, gallery, landmarks.judgements, options)


def _check_rows(embeddings: Tensor, expected: int, what: str) -> None:
    if len(embeddings) != expected:
        raise RecallkitError(
            f"the data set has {expected:,} {what}, but there are {len(embeddings):,} embeddings: "
            f"one for each is needed, in the order of the list file"
        )


def _of_landmarks(
    queries: Tensor,
    gallery: Tensor,
    judgements: Sequence[Judgement],
    options: EvaluationOptions,
) -> dict[str, float]:
    distractors = None if options.distractors is None else read_embeddings(options.distractors)[0]
    if distractors is not None and options.whiten is not None:
        raise ValueError("whiten cannot be combined with distractors: store them whitened")
    queries, gallery = _whitened(options, queries, gallery)
    ks = options.ks or (1, 5, 10)
    return revisited_of_embeddings(queries, gallery, judgements, ks, distractors)


def _by_labels(
    queries: _EmbeddingFile, gallery: _EmbeddingFile | None, options: EvaluationOptions
) -> dict[str, float]:
    ks = options.ks or (1, 10, 100)
    if gallery is None:
        [labels] = number_labels(_labels_of(queries))
        return retrieval_metrics(_whitened(options, queries.embeddings)[0], labels, ks=ks)
    labels, gallery_labels = number_labels(_labels_of(queries), _labels_of(gallery))
    embeddings, searched = _whitened(options, queries.embeddings, gallery.embeddings)
    return retrieval_metrics(embeddings, labels, searched, gallery_labels, ks=ks)


def _labels_of(file: _EmbeddingFile) -> np.ndarray:
    if file.labels is None:
        raise RecallkitError(
            f"{file.path} has no labels: store them inside as 'labels', beside it as "
            f"{file.path.stem}.labels.npy or .txt, name a file by --labels (--gallery-labels), or "
            f"name the benchmark by --dataset"
        )
    return file.labels


def _whitened(options: EvaluationOptions, *embeddings: Tensor) -> list[Tensor]:
    if options.whiten is None:
        return list(embeddings)
    whitening = fit_whitening(read_embeddings(options.whiten)[0])
    return [whitening(tensor) for tensor in embeddings]
