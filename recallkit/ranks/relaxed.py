"""The relaxed rank, and the engines that compute it."""

import functools
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from recallkit.checks import (
    check_embeddings,
    check_indices,
    check_same_dimension,
    check_temperature,
)
from recallkit.ranks.blocks import blocks_ranks, fit_whole
from recallkit.ranks.dense import dense_ranks
from recallkit.ranks.precision import check_precision, in_single, without_autocast
from recallkit.ranks.small import small_ranks
from recallkit.ranks.tiles import tiles_pay, tiles_ranks


def _fused_ranks(queries: Tensor, *others) -> Tensor:
    """Run the engine "fused", or "blocks" with one warning where "fused" cannot run."""
    if (obstacle := _fused_obstacle(queries)) is None:
        from recallkit.ranks.fused import fused_ranks

        return fused_ranks(queries, *others)
    warn_once(f"engine 'fused' cannot run, so 'blocks' is used: {obstacle}")
    return _blocks_ranks(queries, *others)


def _blocks_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    precision: str,
) -> Tensor:
    """Run the engine "blocks": by tiles, where they take half as many products.

    Tiles are compared with similarities to positives that are not rounded as TF32 rounds theirs.
    """
    if precision == "float32" and tiles_pay(queries, gallery, positives):
        return tiles_ranks(queries, positives, left_out, temperature)
    return blocks_ranks(queries, gallery, positives, left_out, temperature, precision)


def _fused_obstacle(queries: Tensor) -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if queries.dtype != torch.float32:
        return f"it computes in float32, not {queries.dtype}"
    if not queries.is_cuda:
        interpreted = os.environ.get("TRITON_INTERPRET") == "1"
        return None if interpreted else f"it needs CUDA, not {queries.device.type}"
    capability = torch.cuda.get_device_capability(queries.device)
    if capability < (8, 0):
        return f"the GPU is too old ({capability}; 8.0 is needed)"
    from recallkit.ranks.fused import obstacle_to_building

    return obstacle_to_building(queries.device)


# How the files begin whose lines a warning is not about; torch calls a loss that is a module.
_LIBRARIES = (f"{Path(__file__).parents[1]}{os.sep}", f"{Path(torch.__file__).parent}{os.sep}")


@functools.cache
def warn_once(message: str) -> None:
    """Warn with a message that is shown once in a process, at the user's line from Python 3.12."""
    if sys.version_info >= (3, 12):
        warnings.warn(message, skip_file_prefixes=_LIBRARIES)
    else:
        warnings.warn(message, stacklevel=1)


Engine = Callable[..., Tensor]

ENGINES: dict[str, Engine] = {
    "dense": dense_ranks,
    "blocks": _blocks_ranks,
    "fused": _fused_ranks,
}
# Largest Q·N·P for which a table of all comparisons is as fast as any, in a training: few launches.
SMALL_COMPARISONS = {"cpu": 2**20, "cuda": 2**22}


def check_engine(engine: str) -> None:
    """Refuse an engine that is not known.

    Raises:
        ValueError: naming those that are.
    """
    if engine not in ("auto", *ENGINES):
        raise ValueError(f"engine must be one of {['auto', *ENGINES]}, not {engine!r}")


def relaxed_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    *,
    temperature: float = 0.01,
    left_out: Tensor | None = None,
    engine: str = "auto",
    precision: str = "float32",
) -> Tensor:
    r"""Rank every positive of every query, with a gradient.

        r[q,p] = 1 + Σ_{z ≠ p} sigmoid((s[q,z] − s[q,p]) / τ),    s[q,z] = ⟨q, z⟩

    The sum is over the whole gallery, other positives of q included, ``left_out[q]`` excepted.
    As τ → 0 it becomes the true rank (ties count ½). Similarity is the dot product; the vectors
    need not be of unit length.

    Args:
        queries: (Q, D) floating. Half precision is computed in float32; float64 stays float64.
        gallery: (N, D), type and device as ``queries``; may be the same tensor.
        positives: (Q, P) int64 indices into the gallery, −1 where a query has fewer than P: what
            :func:`find_positives` returns.
        temperature: τ, in units of similarity. 0.01 is the paper's choice: with unit vectors, a
            difference of ±0.05 is nearly decided (sigmoid 0.7 % or 99.3 %).
        left_out: (Q,) int64, for each query the gallery item that does not compete: the query
            itself, when the gallery holds it. None: everything competes.
        engine: ``"dense"`` (plain PyTorch, O(Q·N·P) memory, differentiable any number of times),
            ``"blocks"`` (O((Q + N)·D + Q·P) memory), ``"fused"`` (triton kernels for CUDA; where
            they cannot run, ``blocks`` with a warning) or ``"auto"``: ``dense``, with its gradient
            written out, for small problems, else ``fused`` where it can run, else ``blocks``. With
            ``"auto"``, ``blocks`` keeps the similarities if they take at most 64 MB. If the batch
            is its own larger gallery, and a query has few positives (fewer than 12 in float32 on a
            CPU), s[q,z] = s[z,q] is made once, which saves half of the products, but not in TF32.
        precision: of float32 matrix products on CUDA. ``"float32"``: similarities right to about
            1e-6. ``"tf32"``: faster, with factors rounded to 10 bits; ``recallkit bench precision``
            measures the error in loss and gradient.

    Returns:
        (Q, P) ranks ≥ 1, float32 or float64. Padding is +∞, so that its sigmoid of k − r is 0.

    Raises:
        ValueError: for empty or non-finite embeddings, shapes that disagree, an index outside the
            gallery, a positive that is left out, a temperature that is not above 0, an unknown
            engine or precision.
    """
    check_embeddings(queries, "queries")
    if gallery is not queries:
        check_embeddings(gallery, "gallery")
    check_same_dimension(queries, gallery)
    check_indices(positives, (len(queries), None), len(gallery), "positives", lowest=-1)
    if left_out is not None:
        check_indices(left_out, (len(queries),), len(gallery), "left_out", lowest=0)
        _check_apart(positives, left_out)
    temperature = check_temperature(temperature, "temperature")
    return compute_ranks(queries, gallery, positives, left_out, temperature, engine, precision)


def compute_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    engine: str,
    precision: str,
    full: bool = False,
) -> Tensor:
    """Compute :func:`relaxed_ranks` without checking the arguments.

    Reading a tensor's values makes the host wait for the device. The losses check once, and say
    whether ``positives`` are ``full``: without padding.
    """
    check_precision(precision)
    queries, gallery = in_single(queries, gallery)
    ranks = _choose(engine, queries, gallery, positives, full)
    with without_autocast(queries.device.type):
        return ranks(queries, gallery, positives, left_out, temperature, precision)


def _check_apart(positives: Tensor, left_out: Tensor) -> None:
    """Refuse a positive that does not compete, and so has no rank."""
    wrong = (positives == left_out[:, None]).any(dim=1)  # (Q,)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ValueError(
            f"positives must not hold what left_out leaves out: in row {row}, item {left_out[row]}"
        )


def is_small(engine: str, queries: Tensor, gallery: Tensor, positives: Tensor) -> bool:
    """Tell whether "auto" takes the table of all comparisons."""
    comparisons = positives.numel() * len(gallery)
    most = SMALL_COMPARISONS["cuda" if queries.is_cuda else "cpu"]
    return engine == "auto" and comparisons <= most


def _choose(engine: str, queries: Tensor, gallery: Tensor, positives: Tensor, full: bool) -> Engine:
    if engine != "auto":
        check_engine(engine)
        return ENGINES[engine]
    if is_small(engine, queries, gallery, positives):
        return functools.partial(small_ranks, full=full)
    if queries.is_cuda and _fused_obstacle(queries) is None:
        return ENGINES["fused"]
    if fit_whole(queries, gallery):
        return functools.partial(blocks_ranks, whole=True)
    return ENGINES["blocks"]
