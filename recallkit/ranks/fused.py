"""Ranks on CUDA by two triton kernels: similarities and sigmoids never leave the chip.

Both kernels make a tile of similarities in registers. A tile is triton's word for what one program
computes at once: here some queries by some gallery items. The first kernel adds up sigmoids to
ranks, and their slopes to what the backward pass needs of them:

    r[q,p] = 1 + Σ_z σ(u),   c[q,p] = Σ_z σ'(u) / τ,   u = (s[q,z] − s[q,p]) / τ,  z ≠ p.

The second turns dL/dr into w = dL/ds, a block of queries at a time:

    w[q,z] = Σ_p g[q,p] · σ'(u) / τ  −  Σ_{p = z} g[q,p] · c[q,p].

Then dQ = w·G and dG += wᵀ·Q are ordinary matrix products. In all there are four products of Q·N·D,
as many as in ``blocks``. A kernel that kept w on the chip too would have to make the similarities
twice more. No two programs write the same number, so the result does not depend on their order.

A batch E that is its own gallery has the gradient (w + wᵀ)·E, and a tile of similarities serves the
queries of its rows and of its columns. So the second kernel makes w + wᵀ, on and above the diagonal
alone, and each block of it is multiplied for its rows, and transposed for those below. Of the four
products 2½ are left: one forward, half a one for the similarities again, and one for the gradient.
"""

# pyright: reportArgumentType=false, reportGeneralTypeIssues=false
# Inside a kernel triton gives Python syntax a meaning that its types do not describe.

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from recallkit.ranks.pairs import pair_similarities
from recallkit.ranks.precision import products_in

BLOCK_BYTES = 256 * 2**20  # of w: enough rows to fill the largest GPU in the products
_PROGRAMS = 1024  # at least, if the gallery is long enough: several for each multiprocessor

# Sizes of a tile, the threads that share it (warps of 32) and the loads under way at once. The
# fastest one depends on the device, the precision, D and P: on CUDA all are tried, once for each.
TILES = (
    {"QUERIES": 64, "ITEMS": 64, "DEPTH": 32, "num_warps": 4, "num_stages": 3},
    {"QUERIES": 64, "ITEMS": 128, "DEPTH": 32, "num_warps": 4, "num_stages": 3},
    {"QUERIES": 128, "ITEMS": 64, "DEPTH": 32, "num_warps": 8, "num_stages": 3},
    {"QUERIES": 128, "ITEMS": 128, "DEPTH": 32, "num_warps": 8, "num_stages": 2},
    {"QUERIES": 128, "ITEMS": 128, "DEPTH": 32, "num_warps": 8, "num_stages": 4},
    {"QUERIES": 64, "ITEMS": 64, "DEPTH": 64, "num_warps": 4, "num_stages": 2},
)
_TRIED_ON = 4096  # queries and items: enough to fill a GPU, a few milliseconds each
FASTEST_TILES: dict[tuple, dict[str, int]] = {}  # filled at the first call of each kind
AT_ONCE = 8  # ranks that one program adds up; the tile is made again for the next 8
# These change from batch to batch. A kernel specialised for multiples of 16 would be compiled
# again, which takes seconds, at the first batch where one of them is not a multiple.
_VARYING = ("count", "items", "width", "tiles_a_split")


def fused_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    precision: str,
) -> Tensor:
    """Compute relaxed ranks by triton kernels; see :func:`.relaxed_ranks`.

    float32 on CUDA, or on the CPU under triton's interpreter. Memory besides inputs and their
    gradients: O(Q·P), in the backward pass also one block of ``BLOCK_BYTES``. Differentiable once.

    Raises:
        ValueError: for float64, which the kernels do not compute in.
    """
    if queries.dtype != torch.float32:
        raise ValueError(f"engine 'fused' computes in float32, not {queries.dtype}: use 'blocks'")
    if left_out is None:
        left_out = torch.full_like(positives[:, 0], -1)
    others = None if gallery is queries else gallery.contiguous()
    table = (positives.contiguous(), left_out.contiguous())
    return _FusedRanks.apply(queries.contiguous(), others, *table, temperature, precision)


@functools.cache
def obstacle_to_building(device: torch.device) -> str | None:
    """Name the reason why triton cannot build kernels for ``device``; None if it can.

    triton needs a C compiler.
    """
    try:
        probe_kernel[(1,)](torch.zeros(1, device=device))
    except Exception as error:  # a compiler, a linker or a driver may raise anything
        return f"triton cannot build kernels here ({error})"
    return None


def rounded_factors(values: Tensor, precision: str) -> Tensor:
    """Round factors as a product in ``precision`` takes them: for TF32 to 10 bits of fraction.

    The device itself would cut off the other 13 bits. Every similarity in a tile would then be too
    small beside that of the query's positive, which is computed elsewhere: ranks were off by 4e-3,
    and the gradient by a third.
    """
    if precision != "tf32":
        return values
    return ((values.view(torch.int32) + 2**12) & -(2**13)).view(torch.float32)


class _FusedRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, queries, gallery, positives, left_out, temperature, precision):
        ctx.alone = gallery is None
        queries = rounded_factors(queries, precision)
        gallery = queries if gallery is None else rounded_factors(gallery, precision)
        own = pair_similarities(queries, gallery, positives.clamp(min=0))  # (Q, P)
        table = (left_out, positives, own)
        ctx.temperature, ctx.precision = temperature, precision
        ranks, slopes = _launch(_sums, queries, gallery, table, ctx)
        ctx.save_for_backward(queries, gallery, positives, own, slopes, left_out)
        return (1 + ranks).masked_fill_(positives < 0, torch.inf)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_ranks):
        queries, gallery, positives, own, slopes, left_out = ctx.saved_tensors
        grad_ranks = grad_ranks.masked_fill(positives < 0, 0) / ctx.temperature
        table = (left_out, positives, own, grad_ranks, grad_ranks * slopes)
        if ctx.alone:
            return _gradient_alone(queries, table, ctx), *(None,) * 5
        wants_queries, wants_gallery = ctx.needs_input_grad[:2]
        grad_queries = torch.empty_like(queries) if wants_queries else None
        grad_gallery = torch.zeros_like(gallery) if wants_gallery else None
        height = _height(len(gallery))
        for start in range(0, len(queries), height):
            rows = slice(start, min(start + height, len(queries)))
            weights = _launch(_weights, queries, gallery, table, ctx, rows=rows)
            with products_in(ctx.precision, queries.device.type):
                if grad_queries is not None:
                    torch.mm(weights, gallery, out=grad_queries[rows])
                if grad_gallery is not None:
                    grad_gallery.addmm_(weights.T, queries[rows])
            del weights  # before the next block is made
        return grad_queries, grad_gallery, None, None, None, None


def _gradient_alone(embeddings: Tensor, table: Sequence[Tensor], ctx: Any) -> Tensor:
    """Compute the gradient (B, D) of a batch that is its own gallery, by blocks of w + wᵀ.

    A block has the columns from its first row on. The fewer they are, the more rows it has.
    """
    grad, start, count = torch.zeros_like(embeddings), 0, len(embeddings)
    while start < count:
        rows = slice(start, min(start + _height(count - start), count))
        weights = _launch(_weights_of_both, embeddings, embeddings, table, ctx, rows=rows)
        with products_in(ctx.precision, embeddings.device.type):
            grad[rows].addmm_(weights, embeddings[start:])
            if rows.stop < count:
                below = weights[:, rows.stop - start :]
                grad[rows.stop :].addmm_(below.T, embeddings[rows])
        del weights  # before the next block is made
        start = rows.stop
    return grad


def _height(columns: int) -> int:
    """Count the rows of a block of w: it begins at an aligned row, and fits ``BLOCK_BYTES``."""
    return max(1, BLOCK_BYTES // (64 * columns)) * 16


def _launch(
    kernel: Callable[..., Any],
    queries: Tensor,
    gallery: Tensor,
    table: Sequence[Tensor],
    ctx: Any,
    **where: slice,
) -> Any:
    """Run one of the kernels with the tile that is fastest here.

    How this works: the first call of each kind of problem times all ``TILES`` on its first rows
    and stores the best in ``FASTEST_TILES``. Later calls look it up. The kind is the kernel, the
    device, the precision, D and the magnitude of P.
    """
    # Three TF32 products: errors like float32's, at half of TF32's speed or better.
    scalars = (1 / ctx.temperature, {"float32": "tf32x3", "tf32": "tf32"}[ctx.precision])
    key = (kernel, queries.device, ctx.precision, queries.shape[1], len(table[1].T).bit_length())
    if key not in FASTEST_TILES:
        rows = [t[:_TRIED_ON] for t in (queries, gallery, *table)]
        best = fastest_tile(lambda tile: kernel(*rows, *scalars, tile), queries.is_cuda)
        FASTEST_TILES[key] = best
    return kernel(queries, gallery, *table, *scalars, FASTEST_TILES[key], **where)


def fastest_tile(run: Callable[[dict[str, int]], Any], on_gpu: bool) -> dict[str, int]:
    """Choose the tile with which ``run`` takes least time; without a GPU, the first."""
    return min(TILES, key=lambda tile: _milliseconds(lambda: run(tile))) if on_gpu else TILES[0]


def _milliseconds(work: Callable[[], Any]) -> float:
    """Shortest time, since others may use the device too; infinite if it lacks the registers."""
    try:
        return float(triton.testing.do_bench(work, warmup=5, rep=20, return_mode="min"))
    except triton.OutOfResources:
        return float("inf")


def _sums(
    queries: Tensor,
    gallery: Tensor,
    left_out: Tensor,
    positives: Tensor,
    own: Tensor,
    sharpness: float,
    precision: str,
    tile: dict[str, int],
) -> tuple[Tensor, Tensor]:
    """Σσ and Σσ' over the gallery for each positive, each (Q, P).

    If the queries are too few to fill the device, the gallery is split, with one program for each
    split. The splits are added up afterwards, always in the same order.
    """
    (count, depth), (items, width) = queries.shape, (len(gallery), positives.shape[1])
    across, slots = triton.cdiv(count, tile["QUERIES"]), triton.cdiv(width, AT_ONCE)
    tiles = triton.cdiv(items, tile["ITEMS"])
    splits = max(1, min(tiles, _PROGRAMS // (across * slots)))
    sums = queries.new_empty(2, splits, count, width)
    sums_kernel[(across, slots, splits)](
        queries, gallery, positives, own, left_out, sums[0], sums[1],
        count, items, depth, width, triton.cdiv(tiles, splits), sharpness,
        POSITIVES=AT_ONCE, PRECISION=precision, **tile,
    )  # fmt: skip
    return sums[0].sum(dim=0), sums[1].sum(dim=0)


def _weights(
    queries: Tensor,
    gallery: Tensor,
    left_out: Tensor,
    positives: Tensor,
    own: Tensor,
    grad_ranks: Tensor,
    back: Tensor,
    sharpness: float,
    precision: str,
    tile: dict[str, int],
    rows: slice | None = None,
    both: bool = False,
) -> Tensor:
    """dL/ds of some rows, (q, N); with ``both`` w + wᵀ of these, from column rows.start on."""
    (count, depth), (items, width) = queries.shape, (len(gallery), positives.shape[1])
    first, end = (0, count) if rows is None else (rows.start, rows.stop)
    left = first if both else 0
    weights = queries.new_empty(end - first, items - left)
    height, length = weights.shape
    grid = (triton.cdiv(height, tile["QUERIES"]), triton.cdiv(length, tile["ITEMS"]))
    weights_kernel[grid](
        queries, gallery, positives, own, grad_ranks, back, left_out, weights,
        end, items, depth, width, first, left, sharpness, BOTH=both, PRECISION=precision, **tile,
    )  # fmt: skip
    return weights


_weights_of_both = functools.partial(_weights, both=True)


@triton.jit
def probe_kernel(out):
    """Store a number: the smallest kernel, to see whether one can be built."""
    tl.store(out, 1.0)


@triton.jit
def _similarity_tile(
    queries, gallery, rows, columns, count, items, depth,
    PRECISION: tl.constexpr,
    QUERIES: tl.constexpr, ITEMS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Similarities of some queries to some items (QUERIES, ITEMS)."""
    tile = tl.zeros((QUERIES, ITEMS), tl.float32)
    for start in range(0, depth, DEPTH):
        d = start + tl.arange(0, DEPTH)
        a = tl.load(
            queries + rows[:, None].to(tl.int64) * depth + d[None, :],
            mask=(rows[:, None] < count) & (d[None, :] < depth),
            other=0.0,
        )
        b = tl.load(
            gallery + columns[None, :].to(tl.int64) * depth + d[:, None],
            mask=(columns[None, :] < items) & (d[:, None] < depth),
            other=0.0,
        )
        tile = tl.dot(a, b, tile, input_precision=PRECISION)
    return tile


@triton.jit(do_not_specialize=_VARYING)
def sums_kernel(
    queries, gallery, positives, own, left_out, sigmoids, slopes,
    count, items, depth, width, tiles_a_split, sharpness,
    POSITIVES: tl.constexpr, PRECISION: tl.constexpr,
    QUERIES: tl.constexpr, ITEMS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Sum sigmoids and slopes of some positives of some queries, over a split of the gallery."""
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    first_slot = tl.program_id(1) * POSITIVES
    slots = first_slot + tl.arange(0, POSITIVES)
    split = tl.program_id(2)
    table = rows[:, None].to(tl.int64) * width + slots[None, :]
    inside = (rows[:, None] < count) & (slots[None, :] < width)
    here = rows < count
    absent = tl.load(left_out + rows, mask=here, other=-1).to(tl.int32)
    sigmoid_sum = tl.zeros((QUERIES, POSITIVES), tl.float32)
    slope_sum = tl.zeros((QUERIES, POSITIVES), tl.float32)
    for i in range(split * tiles_a_split, (split + 1) * tiles_a_split):
        columns = i * ITEMS + tl.arange(0, ITEMS)
        tile = _similarity_tile(
            queries, gallery, rows, columns, count, items, depth,
            PRECISION, QUERIES, ITEMS, DEPTH,
        )  # fmt: skip
        missing = (columns[None, :] >= items) | (columns[None, :] == absent[:, None])
        tile = tl.where(missing, float("-inf"), tile)  # σ(−∞) = 0
        # Not unrolled: the numbers of eight positives would not fit the registers.
        for j in range(tl.minimum(POSITIVES, width - first_slot)):
            place = rows.to(tl.int64) * width + first_slot + j
            s = tl.load(own + place, mask=here, other=0.0)
            p = tl.load(positives + place, mask=here, other=-1).to(tl.int32)
            step = tl.sigmoid((tile - s[:, None]) * sharpness)
            step = tl.where(columns[None, :] == p[:, None], 0.0, step)
            this = tl.arange(0, POSITIVES)[None, :] == j  # registers have no index: mask and add
            sigmoid_sum += tl.where(this, tl.sum(step, axis=1)[:, None], 0.0)
            slope_sum += tl.where(this, tl.sum(step * (1 - step), axis=1)[:, None], 0.0)
    place = split.to(tl.int64) * count * width + table
    tl.store(sigmoids + place, sigmoid_sum, mask=inside)
    tl.store(slopes + place, slope_sum, mask=inside)


@triton.jit
def _add_pushes(
    total, tile, ours, theirs, end, positives, own, grad_ranks, back, left_out, width, sharpness
):
    """Add w of the queries ``ours`` to the items ``theirs``, which both have the tile's shape.

    One of them varies along its rows alone, the other along its columns: as w, or as wᵀ.
    """
    here = ours < end
    absent = tl.load(left_out + ours, mask=here, other=-1).to(tl.int32)
    tile = tl.where(theirs == absent, float("-inf"), tile)
    for slot in range(width):
        place = ours.to(tl.int64) * width + slot
        s = tl.load(own + place, mask=here, other=0.0)
        p = tl.load(positives + place, mask=here, other=-1).to(tl.int32)
        g = tl.load(grad_ranks + place, mask=here, other=0.0)
        b = tl.load(back + place, mask=here, other=0.0)
        step = tl.sigmoid((tile - s) * sharpness)
        total += tl.where(theirs == p, -b, g * step * (1 - step))
    return total


@triton.jit(do_not_specialize=(*_VARYING[:3], "first", "left"))
def weights_kernel(
    queries, gallery, positives, own, grad_ranks, back, left_out, weights,
    count, items, depth, width, first, left, sharpness,
    BOTH: tl.constexpr, PRECISION: tl.constexpr,
    QUERIES: tl.constexpr, ITEMS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Store w of some queries and items; with BOTH, that of the items as queries added."""
    rows = first + tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    columns = left + tl.program_id(1) * ITEMS + tl.arange(0, ITEMS)
    tile = _similarity_tile(
        queries, gallery, rows, columns, count, items, depth,
        PRECISION, QUERIES, ITEMS, DEPTH,
    )  # fmt: skip
    total = tl.zeros((QUERIES, ITEMS), tl.float32)
    total = _add_pushes(
        total, tile, rows[:, None], columns[None, :], count,
        positives, own, grad_ranks, back, left_out, width, sharpness,
    )  # fmt: skip
    if BOTH:  # the items are queries, too
        total = _add_pushes(
            total, tile, columns[None, :], rows[:, None], items,
            positives, own, grad_ranks, back, left_out, width, sharpness,
        )  # fmt: skip
    place = (rows[:, None] - first).to(tl.int64) * (items - left) + columns[None, :] - left
    tl.store(weights + place, total, mask=(rows[:, None] < count) & (columns[None, :] < items))
