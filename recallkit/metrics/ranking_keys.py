"""One order of the gallery for every engine and device, ties included.

The similarity is one of :mod:`.distances`, computed in float64 and rounded to float32. Equal
similarities are ordered by the lower gallery index. The reason: float32 products differ in their
last digits from one matrix library to the next, so a tie (the same image twice, a collapsed
network) would be broken as the library happens to round. Two float64 sums of the same numbers
differ by about 1e-16, which rounding to float32 hides for all but one pair in a thousand million.

A pair's similarity and index are packed into one int64, its *ranking key*. No two are equal, and a
larger key means nearer. So sorting, counting and selecting keys needs no rule for ties.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from recallkit.checks import check_embeddings, check_same_dimension
from recallkit.metrics.arrays import as_embeddings
from recallkit.metrics.distances import (
    as_measured,
    check_distance,
    check_no_zero_rows,
    measure,
    measure_candidates,
)

LEFT_OUT = torch.iinfo(torch.int64).min  # the key of an item that is left out: below all others
BLOCK_BYTES = {"cpu": 2**26, "cuda": 2**30}  # CPU: blocks that fit its caches ran 3 times faster
ROWS_BYTES = {"cpu": 2**28, "cuda": 2**31}  # of similarities that one pass over the gallery makes

_LOW_BITS = 2**32 - 1
_MOST_ROWS = 1024  # beyond, conversion of the gallery to float64 costs next to nothing
_SMALLER = 8  # blocks of candidates, of which each is read three times and used no more
_BYTES_A_PAIR = 40  # where all pairs are wanted: two indices, a place, a key, and its halves
_ROWS_A_CHUNK = 2**13  # whose lengths are computed at once, in float64
_LONGEST = 1e18  # the product of two longer ones, or of two shorter than 1e-18, leaves float32


def checked_operands(
    queries: Any, gallery: Any, distance: str = "dot", name: str = "gallery"
) -> tuple[Tensor, Tensor]:
    """Check queries (Q, D) and gallery (N, D), and return both; no gallery means the queries.

    Their types may differ: pairs are measured in float64.

    Args:
        queries: (Q, D), a tensor or array of floating point, or lists of numbers.
        gallery: (N, D) or None.
        distance: one of :data:`.DISTANCES`.
        name: of the gallery, in error messages.

    Raises:
        ValueError: an empty, non-finite, enormous or vanishing input, dimensions that disagree, an
            unknown distance, or a vector of length zero for the cosine.
    """
    check_distance(distance)
    queries = as_embeddings(queries, "queries")
    _check_operand(queries, distance, "queries")
    if gallery is None:
        return queries, queries
    gallery = as_embeddings(gallery, name)
    _check_operand(gallery, distance, name)
    some = gallery[:1].to(queries.dtype)
    on_cpu = gallery.device.type == "cpu"  # then its blocks are moved to the queries
    check_same_dimension(queries, some.to(queries.device) if on_cpu else some, name)
    return queries, gallery


def _check_operand(embeddings: Tensor, distance: str, name: str) -> None:
    check_embeddings(embeddings, name)
    if distance == "cosine":
        check_no_zero_rows(embeddings, name)
        return
    bounds = _bounds_on_lengths(embeddings)
    if bounds.max() > _LONGEST and longest(embeddings) > _LONGEST:
        raise ValueError(f"{name} must be no longer than {_LONGEST:.0e}: normalise them")
    if distance == "dot":
        _check_no_vanishing_rows(bounds, name)


def _bounds_on_lengths(embeddings: Tensor) -> Tensor:
    """Return what no row of (N, D) is longer than, (N,) float64: √D times its largest number."""
    chunks = embeddings.detach().split(_ROWS_A_CHUNK)
    largest = torch.cat([chunk.abs().amax(dim=1) for chunk in chunks])
    return largest.double() * math.sqrt(embeddings.shape[1])


def _check_no_vanishing_rows(bounds: Tensor, name: str) -> None:
    """Refuse rows whose products with each other would all be 0. A row of zeros ties by right."""
    short = (bounds > 0) & (bounds < 1 / _LONGEST)
    if short.any():
        rows = [str(row) for row in short.nonzero().flatten()[:6].tolist()]
        listed = ", ".join(rows if len(rows) < 6 else [*rows[:5], "…"])
        raise ValueError(
            f"{name} must hold no vector shorter than {1 / _LONGEST:.0e}, except zeros: normalise "
            f"them. {int(short.sum())} of {len(short):,} rows are shorter, counted from 0: {listed}"
        )


def longest(embeddings: Tensor) -> Tensor:
    """Return the length of the longest row of (N, D), float64, without a copy of them all."""
    chunks = embeddings.split(_ROWS_A_CHUNK)
    norms = [torch.linalg.vector_norm(chunk, dim=1, dtype=torch.float64).max() for chunk in chunks]
    return torch.stack(norms).max()


def ranking_keys(similarities: Tensor, indices: Tensor) -> Tensor:
    """Pack similarities and gallery indices into keys whose order is that of the neighbours.

    Args:
        similarities: (Q, M), float64 or float32.
        indices: (M,) or (Q, M) int64 below 2³², the gallery index of each column.

    Returns:
        (Q, M) int64. The upper 32 bits order as the float32 does; the lower 32 are larger the
        lower the index.
    """
    keys = _flip_negative((similarities.float() + 0.0).view(torch.int32)).long()  # −0 + 0 is +0
    keys <<= 32
    keys += _LOW_BITS - indices
    return keys


def unpack(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return the similarities (float32) and gallery indices (int64) of ranking keys."""
    similarities = _flip_negative((keys >> 32).int()).view(torch.float32)
    return similarities, _LOW_BITS - (keys & _LOW_BITS)


def similarity_blocks(
    queries: Tensor,
    gallery: Tensor,
    left_out: Tensor | None,
    title: str,
    distance: str = "dot",
    groups: tuple[Tensor, Tensor] | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Compute the similarities of all pairs, a block of queries at a time.

    The gallery is read in blocks too, each converted to float64 and multiplied with many queries at
    once. So it may lie in a file mapped into memory, or on the CPU while the queries are on a GPU.

    Memory: 64 MB for products and 256 MB for rows of similarities (CPU; on a GPU 1 GB and 2 GB),
    whatever the sizes, unless a single row takes more.

    Args:
        queries: (Q, D).
        gallery: (N, D).
        left_out: (Q,) int64, for each query the gallery index that is left out: its similarity
            becomes −inf. −1, or None: no item is left out.
        title: of the progress bar, which appears after two seconds.
        distance: one of :data:`.DISTANCES`.
        groups: (Q,) and (N,) int64, of queries and gallery: a query's own group is left out. None:
            no group is left out.

    Yields:
        The rows of a block and its similarities, (rows, N) float32: few enough rows for several
        temporary tensors of the size of their int64 keys.
    """
    device, size = queries.device, len(gallery)
    at_once = max(1, min(len(queries), _rows_bytes(device) // (4 * size), _MOST_ROWS))
    buffer = queries.new_empty(at_once, size, dtype=torch.float32)
    for rows in row_blocks(len(queries), at_once, title):
        similarities = _measured(queries[rows], gallery, buffer, distance)
        if left_out is not None:
            [here] = (left_out[rows] >= 0).nonzero(as_tuple=True)
            similarities[here, left_out[rows][here]] = -torch.inf
        if groups is not None:
            similarities.masked_fill_(groups[0][rows, None] == groups[1], -torch.inf)
        few = rows_within_budget(size * _BYTES_A_PAIR, device)
        for start in range(0, len(similarities), few):
            block = similarities[start : start + few]
            yield slice(rows.start + start, rows.start + start + len(block)), block


def _measured(queries: Tensor, gallery: Tensor, buffer: Tensor, distance: str) -> Tensor:
    """Write similarities (Q, N), computed in float64, to the first rows of a float32 buffer."""
    queries, similarities = as_measured(queries, distance), buffer[: len(queries)]
    columns = rows_within_budget(16 * (len(queries) + gallery.shape[1]), queries.device)
    for start in range(0, len(gallery), columns):
        block = as_measured(gallery[start : start + columns].to(queries.device), distance)
        similarities[:, start : start + len(block)] = measure(queries, block, distance)
    return similarities


def similarities_of(
    queries: Tensor, gallery: Tensor, candidates: Tensor, distance: str = "dot"
) -> Tensor:
    """Compute the similarities of each query to items of its own, as those of all pairs.

    Args:
        queries: (Q, D).
        gallery: (N, D).
        candidates: (Q, C) int64, gallery indices.
        distance: one of :data:`.DISTANCES`.

    Returns:
        (Q, C) float32, computed in float64.
    """
    out = queries.new_empty(candidates.shape, dtype=torch.float32)
    bytes_a_row = 3 * 8 * candidates.shape[1] * gallery.shape[1]
    some = rows_within_budget(_SMALLER * bytes_a_row, queries.device)
    for start in range(0, len(queries), some):
        indices = candidates[start : start + some]
        # This copies whole rows, which is faster than gallery[indices].
        items = gallery.index_select(0, indices.flatten().to(gallery.device)).to(queries.device)
        items = as_measured(items, distance).unflatten(0, indices.shape)
        measured = as_measured(queries[start : start + some], distance)
        out[start : start + some] = measure_candidates(measured, items, distance)
    return out


def keys_where(wanted: Tensor, similarities: Tensor) -> Tensor:
    """Compute the ranking keys of the wanted pairs, in no order.

    Args:
        wanted: (Q, N) bool.
        similarities: (Q, N) float32.

    Returns:
        (Q, M) int64, where M is the largest number of a query; padded with ``LEFT_OUT``.
    """
    rows, columns = wanted.nonzero(as_tuple=True)
    counts = torch.bincount(rows, minlength=len(similarities))  # (Q,)
    before = counts.cumsum(0) - counts
    places = torch.arange(len(rows), device=rows.device) - before[rows]
    width = int(counts.max()) if len(rows) else 0
    keys = torch.full((len(similarities), width), LEFT_OUT, device=rows.device)
    keys[rows, places] = ranking_keys(similarities[rows, columns], columns)
    return keys


def row_blocks(rows: int, rows_a_block: int, title: str) -> Iterator[slice]:
    """Yield slices that cover ``rows``, with a progress bar after two seconds."""
    for start in tqdm(range(0, rows, rows_a_block), desc=title, delay=2, leave=False):
        yield slice(start, min(start + rows_a_block, rows))


def rows_within_budget(bytes_a_row: int, device: torch.device) -> int:
    """Return how many rows a block may have on this device, at least one."""
    return max(1, BLOCK_BYTES.get(device.type, BLOCK_BYTES["cpu"]) // bytes_a_row)


def _rows_bytes(device: torch.device) -> int:
    return ROWS_BYTES.get(device.type, ROWS_BYTES["cpu"])


def _flip_negative(bits: Tensor) -> Tensor:
    """Convert the bits of a float32 to an int32 of the same order, or back: its own inverse."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
