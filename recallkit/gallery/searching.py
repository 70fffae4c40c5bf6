"""Search an index with image files: a query that is in it does not find itself."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recallkit.data.prefetch import OnBadImage, Reading
from recallkit.gallery.embedding import embedded_batches, refuse_bad
from recallkit.gallery.index import Index
from recallkit.metrics import search

if TYPE_CHECKING:
    from pandas import DataFrame

    from recallkit.gallery.run import TrainedRun

__all__ = ["DEFAULT_K", "SearchResult", "check_k", "rows_of_file", "search_files"]

DEFAULT_K = 8  # a row of images


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The k images of an index that are nearest to each of Q queries, nearest first.

    Attributes:
        queries: the files that were searched with.
        paths: for each query the absolute paths of its nearest images; where images are no files,
            their names.
        labels: their classes, "" for an image without one.
        similarities: (Q, k) float32, cosines.
        rows: (Q, k) int64, the rows of the index.
        bad: what is wrong with the queries that were left out, a sentence each.
    """

    queries: tuple[Path, ...]
    paths: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    similarities: Tensor
    rows: Tensor
    bad: tuple[str, ...] = ()

    def records(self) -> list[dict[str, Any]]:
        """List the results, one after the other: query, rank from 1, path, similarity, class."""
        return [
            {
                "query": str(query),
                "rank": rank,
                "path": path,
                "similarity": similarity,
                "class": label,
            }
            for query, paths, labels, similarities in zip(
                self.queries, self.paths, self.labels, self.similarities.tolist(), strict=True
            )
            for rank, (path, label, similarity) in enumerate(
                zip(paths, labels, similarities, strict=True), 1
            )
        ]

    def table(self) -> "DataFrame":
        """Make a table of :meth:`records`."""
        import pandas as pd

        columns = ["query", "rank", "path", "similarity", "class"]
        return pd.DataFrame(self.records(), columns=pd.Index(columns))


def check_k(k: int | None, images: int, own: int, gallery: str) -> int:
    """Return how many images to find: ``k``, or up to 8 if it is None.

    Args:
        k: asked for.
        images: in the gallery.
        own: how many of them are the query itself, at most.
        gallery: its name, for the message.

    Raises:
        ValueError: if k is below 1, or there are fewer images, or none but the query.
    """
    most = images - own
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if most < 1:
        raise ValueError(f"{gallery} holds no image{' but the query' if own else ''}: add others")
    if k is None:
        return min(DEFAULT_K, most)
    if k > most:
        without = " without the query" if own else ""
        raise ValueError(f"k must be at most {most:,}, the images of {gallery}{without}, not {k}")
    return k


def rows_of_file(index: Index, file: Path) -> list[int]:
    """List the rows of an index that are this very file, under whatever name or link.

    Only rows of its size are compared, so a large index costs no time.
    """
    try:
        size = file.stat().st_size
    except OSError:
        return []
    candidates = np.flatnonzero(index.stamps[:, 0] == size).tolist()
    return [row for row in candidates if _is_same(index.file(row), file)]


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # the image of the index is not there any more
        return False


def search_files(
    run: "TrainedRun",
    files: Sequence[Path],
    index: Index,
    k: int | None = None,
    on_bad_image: OnBadImage = "raise",
    workers: int = 0,
) -> SearchResult:
    """Embed image files by a run, and search an index of the same run for each.

    Args:
        run: whose network embeds.
        files: the queries.
        index: what is searched.
        k: how many images to find. None: 8, or as many as there are.
        on_bad_image: "raise" or "skip" queries that cannot be read.
        workers: processes that decode.

    Raises:
        ValueError: no query; a k below 1 or beyond the index.
        BadImageError: naming queries that cannot be read, unless they are skipped and some left.
    """
    if not files:
        raise ValueError("paths must name at least one image")
    own = [rows_of_file(index, file) for file in files]
    k = check_k(k, len(index), max(map(len, own)), index.root)
    reading = Reading(workers, "skip")
    batches = list(embedded_batches(run, run.files(files, reading), batch_size=64))
    if on_bad_image == "raise" or not batches:
        refuse_bad(reading.bad, len(files))
    kept = [place for places, _ in batches for place in places]
    embeddings = torch.cat([rows for _, rows in batches])
    similarities, rows = nearest(embeddings, index.embeddings, [own[i] for i in kept], k)
    return SearchResult(
        tuple(files[i] for i in kept),
        tuple(tuple(index.name(i) for i in row) for row in rows.tolist()),
        tuple(tuple(index.labels[i] for i in row) for row in rows.tolist()),
        similarities,
        rows,
        tuple(sorted(reading.bad)),
    )


def nearest(
    queries: Tensor, gallery: Tensor, left_out: Sequence[Sequence[int]], k: int
) -> tuple[Tensor, Tensor]:
    """Find the k nearest for each query, without some rows of the gallery.

    Args:
        queries: (Q, D).
        gallery: (N, D).
        left_out: for each query the rows that it must not find.
        k: at most N less the rows that are left out.

    Returns:
        Similarities (Q, k) float32 and rows (Q, k) int64.
    """
    extra = max(map(len, left_out))
    similarities, rows = search(queries, gallery, k + extra, distance="cosine")
    itself = torch.zeros_like(rows, dtype=torch.bool)
    for query, own in enumerate(left_out):
        itself[query] = torch.isin(rows[query], torch.tensor(own, dtype=torch.int64))
    places = itself.int().argsort(dim=1, stable=True)[:, :k]  # others first, in their order
    return similarities.gather(1, places), rows.gather(1, places)
