"""One order of the gallery for every engine and device, ties included.

The similarity is the dot product, computed in float64 and rounded to float32. Equal similarities
are ordered by the lower gallery index. Why so: float32 products differ in their last digits from
one matrix library to the next, and a tie (the same picture twice, a collapsed network) would fall
as the library likes. Two float64 sums of the same numbers differ by about 1e-16, which rounding
to float32 hides for all but one pair in a thousand million.

A pair's similarity and index are packed into one int64, its *ranking key*: no two are equal, and
a larger key means nearer. Sorting, counting and selecting keys thus needs no rule for ties.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm import tqdm

from recallkit.checks import check_embeddings, check_same_dimension

LEFT_OUT = torch.iinfo(torch.int64).min  # the key of what must not be found: below every other
_LOW_BITS = 2**32 - 1
_BLOCK_BYTES = {"cpu": 2**26, "cuda": 2**30}  # CPU: blocks that fit its caches ran 3 times faster
_BYTES_A_PAIR = 40  # float64 product, float32, int32, and int64 key with a temporary
_LONGEST = 1e18  # the product of two longer vectors would leave the range of float32


def checked_operands(queries: Tensor, gallery: Tensor | None) -> tuple[Tensor, Tensor]:
    """Queries (Q, D) and the gallery (N, D) to rank: the queries themselves if it is None.

    Raises:
        ValueError: an empty, non-finite or enormous input, or dimensions that disagree.
    """
    gallery = queries if gallery is None else gallery
    for name, embeddings in (("queries", queries), ("gallery", gallery)):
        check_embeddings(embeddings, name)
        if torch.linalg.vector_norm(embeddings, dim=1, dtype=torch.float64).max() > _LONGEST:
            raise ValueError(f"{name} must be no longer than {_LONGEST:.0e}: normalise them")
    check_same_dimension(queries, gallery)
    return queries, gallery


def ranking_keys(similarities: Tensor, indices: Tensor) -> Tensor:
    """Pack similarities and gallery indices so that comparing keys is comparing neighbours.

    Args:
        similarities: (Q, M), float64 or float32.
        indices: (M,) or (Q, M) int64 below 2³², the gallery index of each column.

    Returns:
        (Q, M) int64. The upper half orders as the float32 does, the lower prefers a low index.
    """
    keys = _flip_negative((similarities.float() + 0.0).view(torch.int32)).long()  # −0 + 0 is +0
    keys <<= 32
    keys += _LOW_BITS - indices
    return keys


def unpack(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Similarities (float32) and gallery indices (int64) of ranking keys, all of one shape."""
    similarities = _flip_negative((keys >> 32).int()).view(torch.float32)
    return similarities, _LOW_BITS - (keys & _LOW_BITS)


def ranking_key_blocks(
    queries: Tensor, gallery: Tensor, left_out: Tensor | None, title: str
) -> Iterator[tuple[slice, Tensor]]:
    """The keys of all pairs, a block of queries at a time.

    Memory: a float64 copy of the gallery and one block (64 MB on a CPU, 1 GB on a GPU).

    Args:
        queries: (Q, D).
        gallery: (N, D).
        left_out: (Q,) int64, the gallery index that each query must not find; None if there is
            no such.
        title: what the progress bar says. It appears after two seconds.

    Yields:
        The rows of a block and its keys, (rows, N) int64.
    """
    gallery = gallery.double()
    indices = torch.arange(len(gallery), device=gallery.device)
    rows_a_block = rows_within_budget(len(gallery) * _BYTES_A_PAIR, gallery.device)
    for rows in row_blocks(len(queries), rows_a_block, title):
        keys = ranking_keys(queries[rows].double() @ gallery.T, indices)  # (rows, N)
        if left_out is not None:
            keys.scatter_(1, left_out[rows, None], LEFT_OUT)
        yield rows, keys


def row_blocks(rows: int, rows_a_block: int, title: str) -> Iterator[slice]:
    """Slices that cover ``rows``, with a progress bar for those who wait over two seconds."""
    for start in tqdm(range(0, rows, rows_a_block), desc=title, delay=2, leave=False):
        yield slice(start, min(start + rows_a_block, rows))


def rows_within_budget(bytes_a_row: int, device: torch.device) -> int:
    """How many rows of a block fit the memory that it may take on this device, at least one."""
    return max(1, _BLOCK_BYTES.get(device.type, _BLOCK_BYTES["cpu"]) // bytes_a_row)


def _flip_negative(bits: Tensor) -> Tensor:
    """Between the bits of a float32 and an int32 of the same order; its own inverse."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
