"""Checks of arguments: each refuses a wrong one by name, and says what would be right."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = [
    "TEMPERATURES",
    "NotFiniteError",
    "check_bytes",
    "check_chunk_size",
    "check_embeddings",
    "check_indices",
    "check_ks",
    "check_labels",
    "check_same_dimension",
    "check_temperature",
    "check_tensor",
    "check_tolerance",
    "largest_number",
]

TEMPERATURES = (1e-15, 1e15)
"""The smallest and the largest temperature.

A gradient is divided by two temperatures, τ₁ τ₂, and float32 ends at 3e38. The settings of a
training have narrower ranges, in which a temperature can be meant.
"""

_LARGEST_K = 2**63 - 1
_ROWS = 2**13  # rows read at a time: the embeddings may be mapped from a file larger than memory


class NotFiniteError(ValueError):
    """Embeddings hold NaN or infinity."""


def check_tensor(value: object, name: str) -> None:
    """Refuse what is not a tensor, such as an array or a list.

    Raises:
        ValueError: naming the argument ``name`` and the remedy.
    """
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{name} must be a tensor, not {type(value).__name__}: torch.as_tensor({name})"
        )


def check_embeddings(embeddings: Tensor, name: str = "embeddings") -> None:
    """Refuse what is not a non-empty (N, D) floating point tensor of finite numbers.

    Raises:
        ValueError: naming the argument ``name`` and the remedy.
    """
    check_tensor(embeddings, name)
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise ValueError(
            f"{name} must be a non-empty (N, D) tensor, not of shape {tuple(embeddings.shape)}"
        )
    if not embeddings.is_floating_point():
        raise ValueError(f"{name} must be floating point, not {embeddings.dtype}")
    # The sum reads once what is finite as a rule; that of large numbers may not be finite itself.
    total = embeddings.detach().sum().item()
    if not math.isfinite(total) and not math.isfinite(largest_number(embeddings)):
        finite = torch.cat([rows.isfinite().all(dim=1) for rows in embeddings.split(_ROWS)])
        first = int((~finite).nonzero()[0])
        raise NotFiniteError(
            f"{name} must be finite: {int((~finite).sum())} of {len(finite)} rows hold NaN or "
            f"infinity, the first is row {first}. Look at the images, or lower the learning rate."
        )


def largest_number(embeddings: Tensor) -> float:
    """Return the largest absolute value of (N, D): NaN or infinity if there is one.

    The embeddings are read once, some rows at a time.
    """
    blocks = embeddings.detach().split(_ROWS)
    extremes = [torch.stack(block.aminmax()).abs().max() for block in blocks]
    return torch.stack(extremes).max().item()


def check_labels(labels: Tensor, length: int, name: str = "labels") -> None:
    """Refuse labels that are not a 1-D integer tensor with one entry for each embedding.

    Raises:
        ValueError: naming the argument ``name`` and the remedy.
    """
    if labels.ndim != 1 or len(labels) != length:
        raise ValueError(
            f"{name} must be of shape ({length},), one for each embedding, "
            f"not {tuple(labels.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"{name} must be integers (int64), not {labels.dtype}")


def check_same_dimension(queries: Tensor, gallery: Tensor, name: str = "gallery") -> None:
    """Refuse queries (Q, D) and a gallery (N, D) that cannot be multiplied with each other.

    Raises:
        ValueError: if their dimensions, types or devices differ.
    """
    for attribute in ("device", "dtype"):
        ours, theirs = getattr(queries, attribute), getattr(gallery, attribute)
        if ours != theirs:
            raise ValueError(
                f"queries and {name} must be of the same {attribute}, not {ours} and {theirs}"
            )
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"queries and {name} must have the same dimension D, "
            f"not {queries.shape[1]} and {gallery.shape[1]}"
        )


def check_ks(ks: Iterable[int]) -> tuple[int, ...]:
    """Return the cut-offs k as a tuple.

    Raises:
        ValueError: if there are none, or one is not a whole number from 1 to that of int64.
    """
    try:
        ks = tuple(ks)
    except TypeError:
        raise ValueError(f"ks must be a sequence such as (1, 2, 4), not {ks!r}") from None
    if not ks or not all(_is_count(k) for k in ks):
        raise ValueError(f"ks must be whole numbers of at least 1, and at least one, not {ks}")
    if max(ks) > _LARGEST_K:
        raise ValueError(f"ks must be at most {_LARGEST_K:,}, not {max(ks)}")
    return tuple(int(k) for k in ks)


def _is_count(number: Any) -> bool:
    try:
        return not isinstance(number, bool) and number == int(number) and number >= 1
    except (OverflowError, TypeError, ValueError):  # infinity, None, NaN or text
        return False


def check_temperature(temperature: float, name: str) -> float:
    """Return a temperature as a float.

    Raises:
        ValueError: if it is not a number between 1e-15 and 1e15, ``TEMPERATURES``.
    """
    lowest, highest = TEMPERATURES
    try:
        if lowest <= temperature <= highest:
            return float(temperature)
    except TypeError:  # text or None
        pass
    raise ValueError(
        f"{name} must be a finite number above 0, between {lowest:g} and {highest:g}, "
        f"not {temperature!r}"
    )


def check_chunk_size(chunk_size: int | str) -> int | Literal["auto"]:
    """Return a chunk size as an int, or as ``"auto"``.

    Raises:
        ValueError: naming the argument, for anything else than a whole number of at least 1.
    """
    if chunk_size == "auto":
        return "auto"
    if not _is_count(chunk_size):
        raise ValueError(f'chunk_size must be at least 1, or "auto", not {chunk_size!r}')
    return int(chunk_size)


def check_tolerance(tolerance: float) -> float:
    """Return a tolerance as a float.

    Raises:
        ValueError: if it is not a number of at least 0.
    """
    try:
        if tolerance >= 0:
            return float(tolerance)
    except TypeError:  # text or None
        pass
    raise ValueError(f"tolerance must be at least 0, not {tolerance!r}")


def check_bytes(number: float, name: str) -> int:
    """Return a number of bytes as an int.

    Raises:
        ValueError: naming the argument ``name``, for what is no finite number of at least 0.
    """
    try:
        if number >= 0:
            return int(number)
    except (OverflowError, TypeError):  # infinity, text or None
        pass
    raise ValueError(f"{name} must be bytes, at least 0, not {number!r}")


def check_indices(
    indices: Tensor,
    shape: tuple[int | None, ...],
    length: int,
    name: str,
    lowest: int = 0,
) -> None:
    """Refuse what are not int64 indices of a gallery.

    Args:
        indices: to be checked.
        shape: that they must have; None stands for any size of at least 1.
        length: of the gallery; each index must be below it.
        name: of the argument, for the message.
        lowest: the smallest index allowed: 0, or -1 where that stands for padding.

    Raises:
        ValueError: another shape or type, or an index out of range.
    """
    check_tensor(indices, name)
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    wanted += "," if len(shape) == 1 else ""
    fits = indices.ndim == len(shape) and all(
        actual >= 1 if size is None else actual == size
        for size, actual in zip(shape, indices.shape, strict=True)
    )
    if not fits or indices.dtype != torch.int64:
        raise ValueError(
            f"{name} must be int64 gallery indices of shape ({wanted}), "
            f"not {indices.dtype} of shape {tuple(indices.shape)}"
        )
    if indices.numel() and (indices.min() < lowest or indices.max() >= length):
        raise ValueError(
            f"{name} must lie between {lowest} and {length - 1}, the last of the gallery, "
            f"not between {indices.min().item()} and {indices.max().item()}"
        )
