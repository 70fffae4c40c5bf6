"""The metrics of a run by the protocol of a data set, and what those of files share with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn
from tqdm import tqdm

from recallkit.config import Config
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.data.benchmarks.checks import checked_lists
from recallkit.data.benchmarks.landmarks import Distractors
from recallkit.data.benchmarks.loading import LANDMARKS, load_landmarks
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import (
    SCALES,
    describe,
    embed,
    evaluate_pixels,
    measure_embeddings,
)
from recallkit.evaluation.embedding_files import (
    check_replaceable,
    read_vectors,
    write_embeddings,
)
from recallkit.evaluation.remarks import OF_UNIT_VECTORS, landmark_lines, remarks_on_ks
from recallkit.evaluation.result import Evaluation, evaluation_of
from recallkit.files import write_atomically
from recallkit.metrics import Distance, fit_whitening, revisited_of_embeddings
from recallkit.metrics.revisited import Judgement

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
    """The way embeddings are made and compared.

    Attributes:
        ks: the k of R@k (of P@k for landmarks). Empty: those of the data set.
        distance: "cosine", "dot" or "l2", for embeddings in files: those of a run have unit length,
            and all three rank them alike. Default: cosine, as most networks are trained with it.
        per_class: add a row with the means over classes, to that with the means over queries.
        whiten: a file of embeddings to learn a PCA whitening from. None: no whitening.
        distractors: a file of embeddings of further gallery images, for landmarks.
        scales: of images, for a run on landmarks.
        longest: the longer side of landmarks after resizing, in pixels, the aspect kept. Default
            1024, as in the literature. 0: squares, as in training.
        save: a ``.npz`` to store the embeddings of a run in; for distractors a ``.npy``.
    """

    ks: tuple[int, ...] = ()
    distance: Distance = "cosine"
    per_class: bool = False
    whiten: Path | None = None
    distractors: Path | None = None
    scales: tuple[float, ...] = SCALES
    longest: int = 1024
    save: Path | None = None


def evaluate_run(
    network: nn.Module, config: Config, images: ImageSet, options: EvaluationOptions
) -> Evaluation:
    """Compute the metrics of a run's network and of the pixels of the images.

    Args:
        network: of the run.
        config: of the run.
        images: what is searched, by their protocol.
        options: see :class:`EvaluationOptions`; ``distance`` is not used.

    Raises:
        ValueError: an option that does not fit.
        RecallkitError: fewer than two classes, or a file that cannot be read or written.
    """
    check_distractors("", options)
    if len(images.class_names) < 2:
        raise RecallkitError(
            f"there are images of {len(images.class_names)} classes to evaluate, and at least two "
            f"are needed. --split all takes the images of every class."
        )
    if options.save:
        check_replaceable(options.save)  # before what takes long
    embeddings = embed(network, images.images, config.image_size)
    if options.save:
        write_embeddings(options.save, embeddings, images.labels)
    pixels = evaluate_pixels(images, config.image_size, options.ks)
    searches = measure_embeddings(whitened(options, embeddings)[0], images, options.ks)
    galleries = gallery_sizes(images)
    trained = evaluation_of(
        "trained",
        searches,
        galleries,
        OF_UNIT_VECTORS,
        options.per_class,
        groups=images.groups is not None,
    )
    largest = max(result.searched for result in searches.values())
    remarks = remarks_on_ks(options.ks or images.protocol.ks, largest)
    return Evaluation({"pixels": pixels} | trained.rows, trained.lines, tuple(remarks))


def gallery_sizes(images: ImageSet) -> dict[str, int | None]:
    """Return the size of the gallery of each search of a protocol; None: all among all."""
    searches = images.protocol.searches or {"": (None, None)}
    return {
        name: None if gallery is None else len(gallery) for name, (_, gallery) in searches.items()
    }


def evaluate_run_on_landmarks(
    network: nn.Module, config: Config, data: EvaluationData, options: EvaluationOptions
) -> Evaluation:
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
    if options.save:
        check_replaceable(options.save)
    queries, gallery, judgements = load_landmarks(data.dataset, Path(data.root), config.image_size)
    query_embeddings = _describe(network, config, queries, options)
    gallery_embeddings = _describe(network, config, gallery, options)
    if options.save:
        write_embeddings(options.save, gallery_embeddings)
    return evaluation_of_landmarks("run", query_embeddings, gallery_embeddings, judgements, options)


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
        RecallkitError: a file of that name, since a ``.npy`` does not say who wrote it; files that
            are missing or damaged, or a disk that is full.
    """
    path = options.save
    if path is None or path.suffix != ".npy":
        raise ValueError("save must name a .npy for the embeddings of the distractors")
    if path.exists():
        raise RecallkitError(f"{path} exists, and is not replaced: choose another name")
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


def check_distractors(dataset: str, options: EvaluationOptions) -> None:
    """Refuse distractors for a data set that is not of landmarks.

    Raises:
        ValueError: naming those that are.
    """
    if options.distractors is not None and dataset not in LANDMARKS:
        raise ValueError(f"distractors are for --dataset {' and '.join(LANDMARKS)} alone")


def evaluation_of_landmarks(
    row: str,
    queries: Tensor,
    gallery: Tensor,
    judgements: Sequence[Judgement],
    options: EvaluationOptions,
) -> Evaluation:
    """Compute the metrics of landmarks in their three settings.

    Raises:
        ValueError: distractors together with whitening.
        RecallkitError: a file that cannot be read.
    """
    distractors = None if options.distractors is None else read_vectors(options.distractors)
    if distractors is not None and options.whiten is not None:
        raise ValueError("whiten cannot be combined with distractors: store them whitened")
    queries, gallery = whitened(options, queries, gallery)
    ks = options.ks or (1, 5, 10)
    metrics = revisited_of_embeddings(
        queries, gallery, judgements, ks, distractors, options.distance
    )
    more = 0 if distractors is None else len(distractors)
    lines = landmark_lines(judgements, len(gallery), more, options.distance)
    return Evaluation({row: metrics}, lines)


def whitened(options: EvaluationOptions, *embeddings: Tensor) -> list[Tensor]:
    """Whiten embeddings by what was learnt on ``options.whiten``; without it return them."""
    if options.whiten is None:
        return list(embeddings)
    whitening = fit_whitening(read_vectors(options.whiten))
    return [whitening(tensor) for tensor in embeddings]
