"""Exact nearest neighbours, by torch or by faiss: the same result, ties included."""

from numbers import Integral
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recallkit.checks import check_indices
from recallkit.metrics.candidates import nearest_by_candidates, sample_of, sampled_threshold
from recallkit.metrics.distances import Distance, as_measured
from recallkit.metrics.faiss_index import FlatIndex
from recallkit.metrics.ranking_keys import (
    LEFT_OUT,
    checked_operands,
    keys_where,
    longest,
    ranking_keys,
    row_blocks,
    similarities_of,
    similarity_blocks,
    unpack,
)

Engine = Literal["auto", "torch", "faiss"]

FAISS_ROWS = 1024  # queries in one call of faiss, after which the progress bar moves
CANDIDATE_COST = 16  # of one measured alone in float64, in float64 products of a matrix
_MARGIN = 16  # candidates beyond k: more of them settle more near-ties, fewer cost less to check


@torch.no_grad()
def search(
    queries: Tensor,
    gallery: Tensor | None = None,
    k: int = 10,
    engine: Engine = "auto",
    left_out: Tensor | None = None,
    distance: Distance = "dot",
) -> tuple[Tensor, Tensor]:
    """Find the k nearest of the gallery for each query, nearest first.

    The similarity is computed in float64 and rounded to float32. Equal similarities are ordered by
    the lower gallery index. Both engines keep to this definition, so they give identical results
    on every device.

    Args:
        queries: (Q, D) floating point, unit vectors or not: a tensor, an array, lists of numbers.
        gallery: (N, D). None: all against all, the queries are the gallery and each query is
            left out of its own search. It may stay on the CPU while the queries are on a GPU, and
            may lie in a file: ``torch.from_numpy(numpy.load(path, mmap_mode="c"))``.
        k: how many neighbours, at most N, or N − 1 where an item is left out. Default 10: a row of
            images. One search with the largest k serves all smaller ones.
        engine: "torch" multiplies in float32 block by block, and settles in float64 what float32
            cannot tell, for any k. "faiss" takes candidates from a float32 index and orders them
            in float64. It leaves to torch the queries whose k-th neighbour float32 cannot tell
            from the next. The index is on the GPU of the queries, with k at most 2,048, if the
            installed faiss supports that GPU; else on the CPU, for any k. It holds a copy of the
            gallery in float32. "auto" is torch, which needs no copy, and which on a CPU is faster
            in a large gallery of short vectors.
        left_out: (Q,) int64, with ``gallery`` only: for each query one gallery index that its
            search must not return. With ``rows`` of a gallery as queries and left out,
            ``search(gallery[rows], gallery, k, left_out=rows)`` gives those rows of
            ``search(gallery, k=k)``, and does not search with the others.
        distance: "dot" is the dot product, as networks are trained with it. "cosine" is that of
            unit vectors; none may be zero. "l2" is minus the Euclidean distance. For unit vectors
            all three give the same order.

    Returns:
        Similarities (Q, k) float32 and gallery indices (Q, k) int64, on the device of the queries.

    Raises:
        ValueError: shapes that disagree, an empty or non-finite input, k or an index out of range,
            an unknown engine or distance, engine "faiss" with "l2".
        RecallkitError: engine "faiss" where faiss is not installed.
    """
    if left_out is not None:
        _check_left_out(left_out, len(queries), gallery)
    elif gallery is None:
        left_out = torch.arange(len(queries))
    queries, gallery = checked_operands(queries, gallery, distance)
    k = _check_k(k, len(gallery), left_out is not None)
    left_out = None if left_out is None else left_out.to(queries.device)
    if chosen_engine(engine, distance) == "faiss":
        return _search_by_faiss(queries, gallery, k, left_out, distance)
    return search_by_torch(queries, gallery, k, left_out, distance)


def _check_left_out(left_out: Tensor, queries: int, gallery: Tensor | None) -> None:
    if gallery is None:
        raise ValueError("left_out needs a gallery: without one each query is left out already")
    check_indices(left_out, (queries,), len(gallery), "left_out")


def _check_k(k: int, gallery_size: int, without_one: bool) -> int:
    largest = gallery_size - without_one
    if largest < 1:
        raise ValueError(
            "queries must be at least two to be searched among themselves, "
            "and so must a gallery from which an item is left out"
        )
    if not isinstance(k, Integral) or not 1 <= k <= largest:
        why = ", all but the query itself" if without_one else ""
        raise ValueError(f"k must be from 1 to {largest}{why}, not {k!r}")
    return int(k)


def chosen_engine(engine: Engine, distance: Distance = "dot") -> str:
    """Decide between "torch" and "faiss"; "auto" is torch.

    In the stored ``recallkit bench search``, on one thread of a CPU, torch took 1.2 times as long
    as the float32 products alone for 10 of 60,502 items of 512 numbers, 2.5 times for 1,000 of
    them, and 1.6 times for 10 of 500,000 items of 64 numbers. The index of faiss, with which the
    other engine begins, took 1.0, 1.4 and 6.8 times.

    Raises:
        ValueError: an unknown engine, or one that does not measure by this distance.
    """
    if engine not in ("auto", "torch", "faiss"):
        raise ValueError(f'engine must be "auto", "torch" or "faiss", not {engine!r}')
    if engine == "faiss" and distance == "l2":
        raise ValueError('engine must be "torch" or "auto" for distance="l2", not "faiss"')
    return "torch" if engine == "auto" else engine


def search_by_torch(
    queries: Tensor,
    gallery: Tensor,
    k: int,
    left_out: Tensor | None,
    distance: Distance = "dot",
) -> tuple[Tensor, Tensor]:
    """Do the same as :func:`search` by torch, with arguments that have been checked.

    Float32 products propose candidates, and float64 orders them; see :mod:`.rough`. Queries that
    float32 tells too little about are searched in float64 alone.
    """
    if k * CANDIDATE_COST > len(gallery):
        return search_in_float64(queries, gallery, k, left_out, distance)
    nearest, settled = nearest_by_candidates(queries, gallery, k, left_out, distance)
    return _with_doubts_settled(unpack(nearest), ~settled, queries, gallery, left_out, distance)


def search_in_float64(
    queries: Tensor,
    gallery: Tensor,
    k: int,
    left_out: Tensor | None,
    distance: Distance = "dot",
) -> tuple[Tensor, Tensor]:
    """Do the same with all products in float64."""
    nearest = queries.new_empty(len(queries), k, dtype=torch.int64)
    for rows, similarities in similarity_blocks(queries, gallery, left_out, "search", distance):
        nearest[rows] = _nearest_keys(similarities, k)
    return unpack(nearest)


def _nearest_keys(similarities: Tensor, k: int) -> Tensor:
    """Select the k largest ranking keys of each row, (Q, N) → (Q, k), largest first.

    Selecting among all N costs as much as a third of their products. So a sample of the row gives
    a threshold that a little more than k similarities should reach, and only those are sorted. A
    row in which fewer than k reach it is selected from whole.
    """
    size = similarities.shape[1]
    lowest = sampled_threshold(similarities[:, sample_of(size)], k, size)
    keys = keys_where(similarities >= lowest[:, None], similarities)
    short = (keys > LEFT_OUT).sum(dim=1) < k
    if short.any():
        lowest = lowest.masked_fill(short, -torch.inf)
        keys = keys_where(similarities >= lowest[:, None], similarities)
    return keys.topk(k).values


def _search_by_faiss(
    queries: Tensor, gallery: Tensor, k: int, left_out: Tensor | None, distance: Distance
) -> tuple[Tensor, Tensor]:
    """Let faiss propose candidates, order them exactly, and search again where that is not enough.

    faiss multiplies in float32, so two similarities that nearly agree may change places. An item
    that it does not propose seems at most as similar as its last candidate. If the k-th neighbour
    is nearer than that by more than float32 can err, no such item belongs among the k.
    """
    index = FlatIndex(gallery.shape[1], queries.device)
    _check_k_of_index(k, index)
    _fill(index, gallery, distance)
    width = min(k + 1 + _MARGIN, len(gallery), index.largest_k)  # 1 for an item left out
    farthest = longest(gallery) if distance == "dot" else gallery.new_ones((), dtype=torch.float64)
    nearest = queries.new_empty(len(queries), k, dtype=torch.int64)
    certain = queries.new_empty(len(queries), dtype=torch.bool)
    for rows in row_blocks(len(queries), FAISS_ROWS, "search"):
        some = as_measured(queries[rows], distance)
        asked = normalize(some, dim=1, eps=0) if distance == "cosine" else some
        rough, candidates = index.search(asked, width)  # (rows, C) both
        keys = ranking_keys(similarities_of(some, gallery, candidates, distance), candidates)
        error = _float32_error(asked, farthest)  # (rows,)
        trusted = _errs_at_most(error, rough, keys)
        if left_out is not None:
            keys.masked_fill_(candidates == left_out[rows, None], LEFT_OUT)
        nearest[rows] = keys.topk(k).values
        kth, _ = unpack(nearest[rows, -1])
        complete = kth > (rough[:, -1] + error).float()
        certain[rows] = (complete & trusted) | (width == len(gallery))
    return _with_doubts_settled(unpack(nearest), ~certain, queries, gallery, left_out, distance)


def _fill(index: FlatIndex, gallery: Tensor, distance: Distance) -> None:
    """Add the gallery; what is converted to unit length is converted a block at a time."""
    if distance == "dot":
        index.add(gallery)
        return
    for block in gallery.split(FAISS_ROWS):
        index.add(normalize(as_measured(block, distance), dim=1, eps=0))


def _check_k_of_index(k: int, index: FlatIndex) -> None:
    if k > index.largest_k:
        raise ValueError(
            f"k must be at most {index.largest_k} for faiss on a GPU, not {k}: "
            f'search with engine="torch", which takes any k'
        )


def _float32_error(queries: Tensor, farthest: Tensor) -> Tensor:
    """Bound |float32 dot product − exact one|, (Q,), whatever the order of its D additions.

    Each of D products and additions, and each rounding of an input, errs by at most 2⁻²⁴
    relatively, or, below the smallest normal float32, by that number.
    """
    lengths = torch.linalg.vector_norm(queries, dim=1, dtype=torch.float64)
    smallest = torch.finfo(torch.float32).tiny
    return (queries.shape[1] + 4) * (2**-24 * lengths * farthest + smallest)


def _errs_at_most(error: Tensor, rough: Tensor, keys: Tensor) -> Tensor:
    """Tell for which rows (Q,) faiss's similarities are as near to the exact ones as they should.

    They are not where a GPU has been told to multiply in less than float32.
    """
    exact, _ = unpack(keys)  # (Q, C)
    return ((rough - exact).abs() <= error[:, None]).all(dim=1)


def _with_doubts_settled(
    neighbours: tuple[Tensor, Tensor],
    doubtful: Tensor,
    queries: Tensor,
    gallery: Tensor,
    left_out: Tensor | None,
    distance: Distance,
) -> tuple[Tensor, Tensor]:
    """Search again in float64 for the queries whose k-th neighbour float32 cannot tell apart."""
    similarities, indices = neighbours
    if doubtful.any():
        left_out = None if left_out is None else left_out[doubtful]
        exact = search_in_float64(queries[doubtful], gallery, indices.shape[1], left_out, distance)
        similarities[doubtful], indices[doubtful] = exact
    return similarities, indices
