"""One array of a file: what it is, known before it is read, so that it can be chosen or refused."""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recallkit.labels import MISSING_TEXTS

LARGE = 2**30  # bytes; below, a file may unpack to any multiple of its size
MOST_TIMES = 100  # a file's size; embeddings hardly compress, and labels are small


@dataclass(frozen=True)
class Stored:
    """An array in a file.

    Attributes:
        shape: of the array.
        type: as messages name it, as in "float32".
        kind: "float", "integer", "text" or "other": what it can serve as.
        read: reads it.
        columns: the names of the columns of a table that it is made of.
        missing: texts that are no label.
    """

    shape: tuple[int, ...]
    type: str
    kind: str
    read: Callable[[], Any]
    columns: tuple[str, ...] = ()
    missing: Set[str] = MISSING_TEXTS

    def without(self, columns: Sequence[str]) -> "Stored":
        """Return the table without some of its columns."""
        kept = [place for place, name in enumerate(self.columns) if name not in columns]
        shape, names = (self.shape[0], len(kept)), tuple(self.columns[place] for place in kept)
        return replace(self, shape=shape, columns=names, read=lambda: self.read()[:, kept])

    def column(self, name: str) -> "Stored":
        """Return one column of the table."""
        place = self.columns.index(name)
        return replace(self, shape=self.shape[:1], columns=(), read=lambda: self.read()[:, place])


Content = Mapping[str, Stored]  # name → array


class UnreadableError(ValueError):
    """A file that is refused before it is read; the message says why."""


def stored_array(dtype: np.dtype, shape: tuple[int, ...], read: Callable[[], Any]) -> Stored:
    """Describe an array of NumPy."""
    kinds = {"f": "float", "i": "integer", "u": "integer", "b": "integer"}
    kinds |= {"U": "text", "S": "text"}
    return Stored(shape, _type_name(dtype), kinds.get(dtype.kind, "other"), read)


def stored_value(value: Any, file_size: int) -> Stored:
    """Describe a value that is in memory: a tensor, an array, a list, or anything else.

    Raises:
        UnreadableError: for a tensor that repeats a few numbers of the file too many times.
    """
    if isinstance(value, Tensor):
        return _stored_tensor(value.detach(), file_size)
    if isinstance(value, np.ndarray):
        return stored_array(value.dtype, value.shape, lambda: value)
    if isinstance(value, (list, tuple)) and value:
        return _stored_list(value)
    return Stored((), type(value).__name__, "other", lambda: value)


def check_unpacked(size: int, file_size: int, what: str) -> None:
    """Refuse what would unpack to far more than the file holds.

    Raises:
        UnreadableError: for more than 1 GiB and more than 100 times the size of the file.
    """
    if size > LARGE and size > MOST_TIMES * file_size:
        raise UnreadableError(
            f"{what} would unpack to {gigabytes(size)}, over {MOST_TIMES} times the file's "
            f"{gigabytes(file_size)}: such a file is not read"
        )


def gigabytes(size: int) -> str:
    """Write a size in GB, or in bytes where it is small."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size:,} bytes"


def listed(content: Content) -> str:
    """List the names, shapes and types of what a file holds, at most ten."""
    names = [
        f"{name!r} {'×'.join(map(str, stored.shape)) or 'a single'} {stored.type}"
        for name, stored in content.items()
    ]
    return ", ".join(names[:10] + ["…"] * (len(names) > 10)) or "nothing"


def _type_name(dtype: np.dtype) -> str:
    if dtype.kind == "O":
        return "Python objects (pickle)"
    return "text" if dtype.kind in "US" else str(dtype.newbyteorder("="))


def _stored_tensor(tensor: Tensor, file_size: int) -> Stored:
    check_unpacked(tensor.numel() * tensor.element_size(), file_size, "a tensor")
    name = str(tensor.dtype).removeprefix("torch.")
    usable = tensor.layout is torch.strided and not tensor.is_quantized and not tensor.is_meta
    kind = "float" if tensor.is_floating_point() else "integer"
    if not usable or tensor.is_complex():
        kind, name = "other", f"{name} {tensor.layout}"
    return Stored(tuple(tensor.shape), name, kind, lambda: tensor)


def _stored_list(values: list[Any] | tuple[Any, ...]) -> Stored:
    """Describe a list of numbers, of text, or of vectors of one length."""
    shapes = {np.shape(value) if not isinstance(value, (str, bytes)) else () for value in values}
    if len(shapes) > 1:
        return Stored((len(values),), "vectors of different lengths", "other", lambda: values)
    shape = (len(values), *shapes.pop())
    if len(shape) > 1:
        first = values[0] if isinstance(values[0], (Tensor, np.ndarray)) else None
        name = "lists of numbers" if first is None else str(first.dtype).removeprefix("torch.")
        return Stored(shape, name, "float", lambda: values)
    types = {type(value) for value in values}
    kind = "integer" if types <= {int, bool} else "float" if types <= {int, float} else "text"
    return Stored(shape, "list", kind, lambda: values)


def number_of(shape: tuple[int, ...]) -> int:
    """Count the entries of an array of this shape, exactly."""
    return math.prod(shape)
