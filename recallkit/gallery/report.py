"""A report on a run's embeddings of its test images: metrics, classes, confusions, worst cases."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from recallkit.errors import RecallkitError
from recallkit.files import write_atomically
from recallkit.gallery.confusions import (
    ClassRecall,
    Confusion,
    confused_classes,
    recall_per_class,
)
from recallkit.gallery.duplicates import (
    THRESHOLD,
    DuplicateGroup,
    TooManyPairsError,
    duplicate_groups,
)
from recallkit.gallery.index import Index
from recallkit.metrics import Retrieval, measure_retrieval, positive_ranks, search

__all__ = [
    "Report",
    "WorstCase",
    "is_class_table",
    "make_report",
    "worst_cases",
    "write_class_table",
]

KS = (1, 2, 4, 8)
_COLUMNS = ("class", "images", "R@1")  # of the table of classes


@dataclass(frozen=True)
class WorstCase:
    """A query that finds images of other classes first.

    Attributes:
        query: its row of the index.
        rank: of its nearest image of the same class, from 2.
        nearest: the row of the image that came first.
        positive: the row of the nearest image of the same class.
        similarities: the cosines of these two images with the query.
    """

    query: int
    rank: int
    nearest: int
    positive: int
    similarities: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Report:
    """The report on the images of an index.

    Attributes:
        index: of the images, all of which have classes.
        names: label → name of the class.
        retrieval: metrics and counts; each image is searched among all others.
        classes: R@1 of each class, the worst first.
        confusions: of classes, the largest share first.
        worst: the queries whose nearest positive ranks furthest, furthest first.
        duplicates: groups of images of different classes; None if there are too many to list.
    """

    index: Index
    names: Mapping[int, str]
    retrieval: Retrieval
    classes: Sequence[ClassRecall]
    confusions: Sequence[Confusion]
    worst: Sequence[WorstCase]
    duplicates: Sequence[DuplicateGroup] | None


def make_report(index: Index, worst: int = 12, threshold: float = THRESHOLD) -> Report:
    """Measure the embeddings of an index, each image searched among all others by the cosine.

    Args:
        index: images with classes.
        worst: how many worst cases to keep. Default 12: a page of them.
        threshold: the smallest cosine of near-duplicates, from −1 to 1.

    Raises:
        RecallkitError: an image without a class, or no class of two images.
        ValueError: a threshold out of range.
    """
    labels = index.numbers()
    if len(labels.unique()) == len(labels):
        raise RecallkitError(
            f"no two of the {len(index):,} images of {index.root} are of one class, so none can be "
            f"found: a report needs classes of at least two images"
        )
    similarities, neighbours = search(index.embeddings, k=1, distance="cosine")
    return Report(
        index,
        dict(zip(labels.tolist(), index.labels, strict=True)),
        measure_retrieval(index.embeddings, labels, ks=KS, distance="cosine"),
        recall_per_class(labels, neighbours),
        confused_classes(labels, neighbours, similarities),
        worst_cases(index.embeddings, labels, neighbours, worst),
        _across_classes(index, threshold),
    )


def worst_cases(
    embeddings: Tensor, labels: Tensor, neighbours: Tensor, count: int
) -> list[WorstCase]:
    """Find the queries whose nearest positive has the highest rank, each among all other images.

    Args:
        embeddings: (N, D).
        labels: (N,) int64.
        neighbours: (N, 1 or more) int64, nearest first.
        count: how many to return at most.

    Returns:
        The furthest first, then by row. Queries that find their class first are not among them.
    """
    positives = _nearest_positives(embeddings, labels)
    ranks = positive_ranks(embeddings, positives[:, None], distance="cosine")[:, 0]
    ranks = torch.where(ranks.isfinite(), ranks, 0)  # queries without a positive
    order = ranks.argsort(descending=True, stable=True)[:count]
    return [
        _case(embeddings, row, int(ranks[row]), int(neighbours[row, 0]), int(positives[row]))
        for row in order.tolist()
        if ranks[row] > 1
    ]


def _nearest_positives(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Find the nearest other image of the same class for each image, −1 without one: (N,)."""
    nearest = torch.full((len(labels),), -1)
    sizes = labels.unique(return_counts=True)[1]
    for rows in labels.argsort(stable=True).split(sizes.tolist()):
        if len(rows) > 1:
            nearest[rows] = rows[search(embeddings[rows], k=1, distance="cosine")[1][:, 0]]
    return nearest


def _case(embeddings: Tensor, query: int, rank: int, nearest: int, positive: int) -> WorstCase:
    first, own = torch.cosine_similarity(
        embeddings[[nearest, positive]].double(), embeddings[query].double()[None]
    ).tolist()
    return WorstCase(query, rank, nearest, positive, (first, own))


def _across_classes(index: Index, threshold: float) -> list[DuplicateGroup] | None:
    try:
        groups = duplicate_groups(index, threshold)
    except TooManyPairsError:  # nearly all images are alike to the network
        return None
    return [group for group in groups if group.across_classes]


def write_class_table(report: Report, path: Path) -> None:
    """Write recall per class as CSV: class, images, R@1; the worst first.

    Raises:
        RecallkitError: if it cannot be written.
    """

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for one in report.classes:
                writer.writerow([report.names[one.label], one.images, f"{one.recall[1]:.4f}"])

    write_atomically(path, write)


def is_class_table(path: Path) -> bool:
    """Tell whether a file begins as :func:`write_class_table` begins it."""
    head = f"{','.join(_COLUMNS)}\n".encode()
    with path.open("rb") as file:
        return file.read(len(head)) == head
