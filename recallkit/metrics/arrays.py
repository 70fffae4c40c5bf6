"""Embeddings as tensors, whoever made the array."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_embeddings(embeddings: Any, name: str) -> Tensor:
    """Return embeddings of any kind as a tensor, without a copy if possible.

    Args:
        embeddings: a tensor, which is returned as it is; an array of NumPy or of a library that
            NumPy reads, in any byte order and layout; lists of numbers, taken as float64; a list
            of tensors (D,).
        name: of the argument, for the messages.

    Raises:
        ValueError: for what is no table of real numbers.
    """
    if isinstance(embeddings, Tensor):
        return embeddings
    try:
        if isinstance(embeddings, (list, tuple)):
            if embeddings and all(isinstance(row, Tensor) for row in embeddings):
                return torch.stack(tuple(embeddings))
            embeddings = np.asarray(embeddings, dtype=np.float64)
        return tensor_of_array(np.asarray(embeddings))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name} must be a tensor or array (N, D) of numbers, not {type(embeddings).__name__} "
            f"({error})"
        ) from error


def tensor_of_array(array: np.ndarray) -> Tensor:
    """Return an array as a tensor that shares its memory, or a copy in the machine's byte order.

    The tensor must not be written to: the array may be read-only.

    Raises:
        TypeError: for a type that torch has not.
    """
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)  # longdouble
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a read-only array
        return torch.from_numpy(array)
