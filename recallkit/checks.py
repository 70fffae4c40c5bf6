"""Arguments that cannot be right are refused here, by name and with the remedy."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor


def check_chunk_size(chunk_size: int | str) -> None:
    """Refuse what is neither "auto" nor a number of at least 1.

    Raises:
        ValueError: naming the argument.
    """
    if chunk_size != "auto" and (isinstance(chunk_size, str) or chunk_size < 1):
        raise ValueError(f'chunk_size must be at least 1, or "auto", not {chunk_size!r}')


class NotFiniteError(ValueError):
    """Embeddings hold NaN or infinity."""


def check_embeddings(embeddings: Tensor, name: str = "embeddings") -> None:
    """Refuse what is not a non-empty (N, D) floating tensor of finite numbers.

    Raises:
        ValueError: naming the argument ``name`` and the remedy.
    """
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise ValueError(
            f"{name} must be a non-empty (N, D) tensor, not of shape {tuple(embeddings.shape)}"
        )
    if not embeddings.is_floating_point():
        raise ValueError(f"{name} must be floating point, not {embeddings.dtype}")
    if not math.isfinite(largest_number(embeddings)):
        finite = torch.cat([part.isfinite().all(dim=1) for part in embeddings.split(2**13)])
        row = int((~finite).nonzero()[0])
        raise NotFiniteError(
            f"{name} must be finite: {int((~finite).sum())} of {len(finite)} rows hold NaN or "
            f"infinity, the first is row {row}. Look at the images, or lower the learning rate."
        )


def largest_number(embeddings: Tensor) -> float:
    """The largest absolute value of (N, D), or NaN or infinity if there is one.

    One read, a part at a time: the embeddings may lie in a file.
    """
    parts = embeddings.detach().split(2**13)
    ends = [torch.stack(part.aminmax()).abs().max() for part in parts]
    return torch.stack(ends).max().item()


def check_labels(labels: Tensor, length: int, name: str = "labels") -> None:
    """Refuse labels that are not a 1-D integer tensor with one entry an embedding.

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
    """Refuse queries and gallery that do not live in one space.

    Raises:
        ValueError: if their dimensions, types or devices differ.
    """
    for what in ("device", "dtype"):
        if getattr(queries, what) != getattr(gallery, what):
            raise ValueError(
                f"queries and {name} must be of the same {what}, "
                f"not {getattr(queries, what)} and {getattr(gallery, what)}"
            )
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"queries and {name} must have the same dimension D, "
            f"not {queries.shape[1]} and {gallery.shape[1]}"
        )


def check_ks(ks: Iterable[int]) -> tuple[int, ...]:
    """The cut-offs k as a tuple.

    Raises:
        ValueError: if there is none, or one is not a whole number of at least 1.
    """
    try:
        ks = tuple(ks)
    except TypeError:
        raise ValueError(f"ks must be a sequence such as (1, 2, 4), not {ks!r}") from None
    if not ks or any(isinstance(k, bool) or k != int(k) or k < 1 for k in ks):
        raise ValueError(f"ks must be whole numbers of at least 1, and at least one, not {ks}")
    return tuple(int(k) for k in ks)


def check_temperature(temperature: float, name: str) -> float:
    """A temperature as a float.

    Raises:
        ValueError: if it is not a finite number above 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"{name} must be a finite number above 0, not {temperature}")
    return float(temperature)


def check_indices(
    index: Tensor, shape: tuple[int | None, ...], length: int, name: str, lowest: int
) -> None:
    """Check the shape of int64 indices, and that each lies in lowest … length − 1."""
    fits = index.ndim == len(shape) and index.shape[0] == shape[0] and 0 not in index.shape
    if not fits or index.dtype != torch.int64:
        raise ValueError(
            f"{name} must be int64 with one row a query, {shape[0]} in all, "
            f"not {index.dtype} of shape {tuple(index.shape)}"
        )
    if index.min() < lowest or index.max() >= length:
        raise ValueError(f"{name} must lie between {lowest} and {length - 1}, the gallery's last")
