"""Exact nearest neighbours, by torch or by faiss: the same answer, ties included."""

import math
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from recallkit.errors import RecallkitError
from recallkit.metrics.ranking_keys import (
    LEFT_OUT,
    checked_operands,
    keys_where,
    longest,
    ranking_keys,
    row_blocks,
    rows_within_budget,
    similarity_blocks,
    unpack,
)

Engine = Literal["auto", "torch", "faiss"]


_FAISS_PAYS_FROM = 2e10  # multiplications, about 2 s of torch: loading faiss takes half a second


_FAISS_PAYS_TO_K = 100  # beyond, checking its candidates in float64 costs more than it saves


_MARGIN = 16  # candidates beyond k: more hides more near-ties, fewer costs less to check


_FAISS_COPIES = 2**30  # bytes of gallery that may be copied into its index


_SAMPLE = 2048  # of a row of similarities, to tell where its k-th lies


_FAISS_ROWS = 1024  # queries in one call to faiss: between two moves of the progress bar


@torch.no_grad()
def search(
    queries: Tensor, gallery: Tensor | None = None, k: int = 10, engine: Engine = "auto"
) -> tuple[Tensor, Tensor]:
    """The k nearest of the gallery for each query, nearest first.

    The similarity is the dot product, computed in float64 and rounded to float32; equal
    similarities are ordered by the lower gallery index. Both engines keep to this definition, so
    they give identical answers on every device.

    Args:
        queries: (Q, D) floating point, unit vectors or not.
        gallery: (N, D). None: all against all, the queries are the gallery and each query is
            left out of its own search. It may stay on the CPU while the queries are on a GPU, and
            may lie in a file: ``torch.from_numpy(numpy.load(path, mmap_mode="c"))``.
        k: how many neighbours, at most N, or N − 1 without a gallery. Default 10: a row of
            pictures. One search with the largest k serves all smaller ones.
        engine: "torch" multiplies in float64 block by block, for any k. "faiss" takes candidates
            from its float32 index on the CPU, orders them in float64, and leaves to torch the
            queries whose k-th neighbour float32 cannot tell from the next. "auto" is faiss on the
            CPU, about three times as fast there, where it is installed, the search is long enough
            to be worth loading it, k is at most 100 and the gallery at most 1 GB; else torch.

    Returns:
        Similarities (Q, k) float32 and gallery indices (Q, k) int64, on the device of the queries.

    Raises:
        ValueError: shapes that disagree, an empty or non-finite input, k out of range, an unknown
            engine.
        RecallkitError: engine "faiss" where faiss is not installed.
    """
    left_out = torch.arange(len(queries), device=queries.device) if gallery is None else None
    queries, gallery = checked_operands(queries, gallery)
    _check_k(k, len(gallery), left_out is not None)
    if _chosen(engine, queries, gallery, k) == "faiss":
        return _search_faiss(queries, gallery, k, left_out)
    return _search_torch(queries, gallery, k, left_out)


def _check_k(k: int, gallery_size: int, without_itself: bool) -> None:
    largest = gallery_size - without_itself
    if largest < 1:
        raise ValueError("queries must be at least two to be searched among themselves")
    if not isinstance(k, int) or not 1 <= k <= largest:
        why = ", all but the query itself" if without_itself else ""
        raise ValueError(f"k must be from 1 to {largest}{why}, not {k!r}")


def _chosen(engine: Engine, queries: Tensor, gallery: Tensor, k: int) -> str:
    if engine not in ("auto", "torch", "faiss"):
        raise ValueError(f'engine must be "auto", "torch" or "faiss", not {engine!r}')
    if engine != "auto":
        return engine
    work = queries.numel() * len(gallery)
    pays = work >= _FAISS_PAYS_FROM and k <= _FAISS_PAYS_TO_K
    fits = queries.device.type == "cpu" and 4 * gallery.numel() <= _FAISS_COPIES
    return "faiss" if pays and fits and _faiss_or_none() else "torch"


def _search_torch(
    queries: Tensor, gallery: Tensor, k: int, left_out: Tensor | None
) -> tuple[Tensor, Tensor]:
    nearest = queries.new_empty(len(queries), k, dtype=torch.int64)
    for rows, similarities in similarity_blocks(queries, gallery, left_out, "search"):
        nearest[rows] = _nearest_keys(similarities, k)
    return unpack(nearest)


def _nearest_keys(similarities: Tensor, k: int) -> Tensor:
    """The k largest ranking keys of each row, (Q, N) → (Q, k), largest first.

    Selecting among all N costs as much as a third of their products. So a sample of the row tells
    from where on there should be a little more than k, and only those are sorted; a row of which
    the sample promised too much is selected from whole.
    """
    lowest = _sampled_threshold(similarities, k)
    keys = keys_where(similarities >= lowest[:, None], similarities)
    short = (keys > LEFT_OUT).sum(dim=1) < k
    if short.any():
        lowest = lowest.masked_fill(short, -torch.inf)
        keys = keys_where(similarities >= lowest[:, None], similarities)
    return keys.topk(k).values


def _sampled_threshold(similarities: Tensor, k: int) -> Tensor:
    """A similarity (Q,) that at least k of each row (Q, N) reach, but for bad luck."""
    size = similarities.shape[1]
    sample = similarities[:, :: max(1, size // _SAMPLE)]
    expected = k * sample.shape[1] / size
    place = math.ceil(expected + 4 * math.sqrt(expected) + 4)  # four standard deviations
    if place >= sample.shape[1]:
        return similarities.new_full((len(similarities),), -torch.inf)
    return sample.kthvalue(sample.shape[1] - place + 1, dim=1).values


def _search_faiss(
    queries: Tensor, gallery: Tensor, k: int, left_out: Tensor | None
) -> tuple[Tensor, Tensor]:
    index = _required_faiss().IndexFlatIP(gallery.shape[1])
    index.add(gallery.float().cpu().numpy())
    farthest_out = longest(gallery)
    nearest = queries.new_empty(len(queries), k, dtype=torch.int64)
    certain = queries.new_empty(len(queries), dtype=torch.bool)
    for rows in row_blocks(len(queries), _FAISS_ROWS, "search"):
        rough, candidates = _candidates(index, queries[rows], k)  # (rows, C) both
        keys = _exact_keys(queries[rows], gallery, candidates)  # (rows, C)
        if left_out is not None:
            keys.masked_fill_(candidates == left_out[rows, None], LEFT_OUT)
        nearest[rows] = keys.topk(k).values
        # No item outside the candidates can be more similar than the last of them seems to be,
        # plus the error of seeming.
        outside = rough[:, -1] + _float32_error(queries[rows], farthest_out)
        kth, _ = unpack(nearest[rows, -1])
        certain[rows] = (kth > outside.float()) | (keys.shape[1] == len(gallery))
    return _with_doubts_settled(unpack(nearest), ~certain, queries, gallery, left_out)


def _candidates(index, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """What faiss finds, on the device of the queries: rough similarities, and indices."""
    width = min(k + 1 + _MARGIN, index.ntotal)  # 1 for the query itself
    found = index.search(queries.float().cpu().numpy(), width)
    rough, candidates = (torch.from_numpy(array).to(queries.device) for array in found)
    return rough.double(), candidates


def _exact_keys(queries: Tensor, gallery: Tensor, candidates: Tensor) -> Tensor:
    """The ranking keys (Q, C) of the candidates (Q, C), computed as torch's engine does."""
    bytes_a_row = 3 * 8 * candidates.shape[1] * gallery.shape[1]
    rows = rows_within_budget(bytes_a_row, gallery.device)
    blocks = [
        torch.einsum("qd,qcd->qc", some.double(), _rows_of(gallery, theirs, some.device).double())
        for some, theirs in zip(queries.split(rows), candidates.split(rows), strict=True)
    ]
    return ranking_keys(torch.cat(blocks), candidates)


def _rows_of(gallery: Tensor, indices: Tensor, device: torch.device) -> Tensor:
    return gallery[indices.to(gallery.device)].to(device)


def _float32_error(queries: Tensor, farthest_out: Tensor) -> Tensor:
    """A bound (Q,) on |float32 dot product − exact one|, whatever the order of its D additions.

    Each of D products and additions, and each rounding of an input, errs by at most 2⁻²⁴
    relatively, or, below the smallest normal float32, by that number.
    """
    lengths = torch.linalg.vector_norm(queries, dim=1, dtype=torch.float64)
    smallest = torch.finfo(torch.float32).tiny
    return (queries.shape[1] + 4) * (2**-24 * lengths * farthest_out + smallest)


def _with_doubts_settled(
    found: tuple[Tensor, Tensor],
    doubtful: Tensor,
    queries: Tensor,
    gallery: Tensor,
    left_out: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Search again by torch for the queries whose k-th neighbour float32 cannot tell apart."""
    similarities, indices = found
    if doubtful.any():
        theirs = None if left_out is None else left_out[doubtful]
        again = _search_torch(queries[doubtful], gallery, indices.shape[1], theirs)
        similarities[doubtful], indices[doubtful] = again
    return similarities, indices


def _faiss_or_none() -> ModuleType | None:
    try:
        import faiss
    except ImportError:
        return None
    return faiss


def _required_faiss() -> ModuleType:
    faiss = _faiss_or_none()
    if faiss is None:
        raise RecallkitError(
            'engine="faiss" needs faiss, which cannot be imported: pip install faiss-cpu '
            '(on Linux x86-64 faiss-gpu), or use engine="torch", which gives the same answer'
        )
    return faiss
