"""The metrics of embeddings in files, by their labels or by the protocol of a benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recallkit.data.benchmarks import BENCHMARKS
from recallkit.data.benchmarks.checks import checked_lists
from recallkit.data.benchmarks.landmarks import Landmarks
from recallkit.data.benchmarks.loading import LANDMARKS, load_benchmark
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import measure_embeddings
from recallkit.evaluation.embedding_files import EmbeddingFile, read_embedding_file
from recallkit.evaluation.protocols import (
    EvaluationData,
    EvaluationOptions,
    check_distractors,
    evaluation_of_landmarks,
    gallery_sizes,
    whitened,
)
from recallkit.evaluation.remarks import (
    MEASURES,
    remarks_on_equal_rows,
    remarks_on_ks,
    remarks_on_lengths,
)
from recallkit.evaluation.result import Evaluation, evaluation_of
from recallkit.labels import are_text, canonical_labels
from recallkit.metrics import measure_retrieval


@dataclass(frozen=True)
class Source:
    """A file of embeddings, and where their labels and groups are.

    Attributes:
        path: of the file.
        labels: the name of an array or column of the file, or another file; see
            :func:`.read_embedding_file`.
        groups: as ``labels``: the camera or session of each image. The images of a query's own
            group are left out of its ranking. None: no group is left out.
    """

    path: Path
    labels: Path | None = None
    groups: Path | None = None

    def read(self) -> EmbeddingFile:
        """Read the file."""
        return read_embedding_file(self.path, self.labels, self.groups)


def evaluate_files(
    queries: Source, data: EvaluationData, options: EvaluationOptions, gallery: Source | None = None
) -> Evaluation:
    """Compute the metrics of embeddings in files.

    Args:
        queries: the embeddings of the queries or, without ``gallery``, of all images.
        data: for a benchmark, rows are in the order of its list file, labels come from there, and
            its protocol holds.
        options: see :class:`EvaluationOptions`; ``scales``, ``longest`` and ``save`` are not used.
        gallery: embeddings to search in.

    Raises:
        ValueError: an argument or option that does not fit the others.
        RecallkitError: a file that is missing, damaged, or does not fit the others.
    """
    check_distractors(data.dataset, options)
    files = [source.read() for source in (queries, gallery) if source is not None]
    if not data.dataset:  # else rows are counted
        files = [file.labelled() for file in files]
    if len(files) == 2:
        _check_same_space(*files)
    embeddings = whitened(options, *(file.embeddings for file in files))
    if data.dataset:
        result = _by_protocol(queries.path.name, embeddings, data, options)
    else:
        result = _by_labels(files, embeddings, options)
    remarks = [file.used for file in files]
    remarks += remarks_on_lengths(options.distance, *embeddings)
    if len(files) == 2:
        remarks += remarks_on_equal_rows(*(file.embeddings for file in files))
    return Evaluation(result.rows, result.lines, (*remarks, *result.remarks))


def _check_same_space(queries: EmbeddingFile, gallery: EmbeddingFile) -> None:
    ours, theirs = (file.embeddings.shape[1] for file in (queries, gallery))
    if ours != theirs:
        raise RecallkitError(
            f"{queries.path} and {gallery.path} must agree in dimension: the first holds "
            f"embeddings of dimension {ours}, the second of {theirs}"
        )
    if queries.columns and gallery.columns and queries.columns != gallery.columns:
        raise RecallkitError(
            f"{queries.path} and {gallery.path} must have the same columns in the same order, not "
            f"{', '.join(queries.columns)[:100]} and {', '.join(gallery.columns)[:100]}"
        )


def _by_protocol(
    name: str, embeddings: Sequence[Tensor], data: EvaluationData, options: EvaluationOptions
) -> Evaluation:
    if data.dataset not in BENCHMARKS or not data.root:
        raise ValueError(
            f"dataset must be one of {', '.join(BENCHMARKS)}, with --root DIR, not {data.dataset!r}"
        )
    if data.dataset in LANDMARKS:
        return _of_landmark_files(name, embeddings, data, options)
    images = load_benchmark(data.dataset, Path(data.root)).test
    joined = torch.cat(list(embeddings))
    _check_rows(joined, len(images), "test images (queries first, then the gallery)")
    searches = measure_embeddings(joined, images, options.ks, options.distance)
    return evaluation_of(
        name, searches, gallery_sizes(images), MEASURES[options.distance], options.per_class
    )


def _of_landmark_files(
    name: str, embeddings: Sequence[Tensor], data: EvaluationData, options: EvaluationOptions
) -> Evaluation:
    landmarks = checked_lists(BENCHMARKS[data.dataset], Path(data.root))
    assert isinstance(landmarks, Landmarks)
    if len(embeddings) < 2:
        raise ValueError("gallery must name the embeddings of the searched images: --gallery FILE")
    queries, gallery = embeddings
    _check_rows(queries, len(landmarks.queries), "queries")
    _check_rows(gallery, len(landmarks.images), "images")
    return evaluation_of_landmarks(name, queries, gallery, landmarks.judgements, options)


def _check_rows(embeddings: Tensor, expected: int, what: str) -> None:
    if len(embeddings) != expected:
        raise RecallkitError(
            f"the data set has {expected:,} {what}, but there are {len(embeddings):,} embeddings: "
            f"one for each is needed, in the order of the list file"
        )


def _by_labels(
    files: Sequence[EmbeddingFile], embeddings: Sequence[Tensor], options: EvaluationOptions
) -> Evaluation:
    ks = options.ks or (1, 10, 100)
    labels, groups = _labels(files), _groups(files)
    queries, gallery = (*embeddings, None)[:2]
    result = measure_retrieval(
        queries, labels[0], gallery, labels[1], ks, options.distance, groups[0], groups[1]
    )
    remarks = [*_remarks_on_kinds(files), *_remarks_on_offers(files)]
    return evaluation_of(
        files[0].path.name,
        {"": result},
        {"": None if gallery is None else len(gallery)},
        MEASURES[options.distance],
        options.per_class,
        groups[0] is not None,
        [*remarks, *remarks_on_ks(ks, result.searched)],
    )


def _labels(files: Sequence[EmbeddingFile]) -> tuple[Tensor, Tensor | None]:
    """Number the labels of queries and gallery together."""
    for file in files:
        if file.labels is None:
            raise RecallkitError(
                f"{file.path} has no labels ({file.used}): store them inside as 'labels', beside "
                f"it as {file.path.stem}.labels.npy or .txt, name an array, a column or a file by "
                f"--labels (--gallery-labels), or name the benchmark by --dataset"
            )
    return _numbered({str(i): file.labels for i, file in enumerate(files)})


def _groups(files: Sequence[EmbeddingFile]) -> tuple[Tensor | None, Tensor | None]:
    """Number the groups of queries and gallery together; None if there are none."""
    given = {str(i): file.groups for i, file in enumerate(files) if file.groups is not None}
    if given and len(given) < len(files):
        raise ValueError("groups must be known of queries and gallery: --groups, --gallery-groups")
    return _numbered(given) if given else (None, None)


def _numbered(labels: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
    numbers = canonical_labels(labels, mixed_as_text=True, missing=frozenset())  # none: as read
    ours, theirs = (*numbers, None)[:2]
    assert ours is not None
    return ours, theirs


def _remarks_on_kinds(files: Sequence[EmbeddingFile]) -> list[str]:
    """Say if text of one file was compared with integers of the other."""
    for what in ("labels", "groups"):
        given = [getattr(file, what) for file in files if getattr(file, what) is not None]
        if len({are_text(labels) for labels in given}) > 1:
            text = files[[are_text(labels) for labels in given].index(True)].path.name
            return [f"the {what} of {text} are text, the others integers: compared as decimal text"]
    return []


def _remarks_on_offers(files: Sequence[EmbeddingFile]) -> list[str]:
    return [
        f"{file.path.name} holds {name!r}, which was not used: --groups {name} leaves the images "
        f"of a query's own {name} out of its ranking"
        for file in files[:1]
        for name in file.offered
    ]
