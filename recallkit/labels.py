"""Labels of any kind, made canonical: int64 numbers that are equal where the labels are equal.

The rules, the same wherever labels are taken:

    integers    of any width, signed or not, and bool (0 and 1), are compared by value, exactly:
                2⁶⁰ as int64 equals 2⁶⁰ as uint64, and 2⁶⁰ + 1 equals neither
    text        str or UTF-8 bytes, is compared in Unicode's form NFC, without surrounding blanks,
                line ends and byte-order marks
    floats      are refused, whole numbers too: float32 holds no odd number beyond 2²⁴, and NaN is
                no label. A file's column of whole numbers, all of which its type holds exactly, is
                taken: MATLAB, HDF5 and tables with gaps store integers so
    missing     None, NaN, NA, empty text, masked entries, and the texts that they turn into
                ("nan", "None", "<NA>", "NaT") are refused, with the row. In an index a class may
                have such a name, and an image without one is left out
    mixed       integers and text are never equal by accident: in one array, or in two arguments,
                they are refused. Of two files the integers are compared as decimal text
"""

import unicodedata
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["MISSING_TEXTS", "are_text", "canonical_labels", "canonical_text", "plain_labels"]

_INT64 = np.iinfo(np.int64)
_UINT64 = np.iinfo(np.uint64)
_MARKS = "\ufeff\u200b\x00"  # byte-order mark, space of no width, padding of fixed-width text
_MISSING_TYPES = {"NoneType", "NAType", "NaTType"}  # of Python and pandas, which is not imported

MISSING_TEXTS = frozenset({"", "nan", "NaN", "None", "<NA>", "NaT"})
"""What a missing label becomes when it is written as text."""


def canonical_labels(
    labels: Mapping[str, Any],
    mixed_as_text: bool = False,
    missing: Set[str] = MISSING_TEXTS,
) -> list[Tensor]:
    """Number labels of any kind: equal numbers, in all arguments, where labels are equal.

    An int64 tensor is returned as it is, other integer tensors are converted on their device, and
    neither waits for a GPU. Integers keep their values, unless one of them is beyond int64. Text
    is numbered in the order of its first appearance.

    Args:
        labels: name of an argument → its labels: a tensor, an array of NumPy, a list or tuple, a
            column of pandas or of any library that NumPy reads. Labels given together are numbered
            together.
        mixed_as_text: compare integers of one argument with text of another as decimal text. False:
            refuse them.
        missing: texts that are no label.

    Returns:
        For each argument (N,) int64. Tensors stay on their device; others are on the CPU.

    Raises:
        ValueError: naming the argument and the row: missing labels, floats, nested lists, integers
            beside text.
    """
    tensors = [_of_tensor(value, name) for name, value in labels.items()]
    alone = [tensor for tensor in tensors if tensor is not None]
    if len(alone) == len(labels) and not _wrapped(labels):
        return alone
    arrays = [plain_labels(value, name, missing=missing) for name, value in labels.items()]
    numbers = _numbered(arrays, list(labels), mixed_as_text)
    return [
        torch.from_numpy(array).to(value.device if isinstance(value, Tensor) else "cpu")
        for array, value in zip(numbers, labels.values(), strict=True)
    ]


def _of_tensor(labels: Any, name: str) -> Tensor | None:
    """Return integers (N,) in a tensor as int64, without loss: of uint64 the same 64 bits."""
    if not isinstance(labels, Tensor) or labels.ndim != 1:
        return None
    if labels.dtype == torch.int64:
        return labels
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"{name} must be integers (int64), not {labels.dtype}")
    return labels.view(torch.int64) if labels.dtype == torch.uint64 else labels.long()


def _wrapped(labels: Mapping[str, Any]) -> bool:
    """Tell whether uint64 beyond int64 stand beside signed numbers, whose bits they could share."""
    unsigned = [tensor for tensor in labels.values() if tensor.dtype == torch.uint64]
    if len(unsigned) in (0, len(labels)):
        return False
    return any(bool((tensor.view(torch.int64) < 0).any()) for tensor in unsigned)


def plain_labels(
    labels: Any,
    name: str = "labels",
    whole_floats: bool = False,
    missing: Set[str] = MISSING_TEXTS,
) -> np.ndarray:
    """Return labels as one array of integers or of clean text.

    Args:
        labels: of any kind, (N,).
        name: of the argument or file, for the messages.
        whole_floats: take floats that are whole numbers, as files hold them.
        missing: texts that are no label.

    Returns:
        (N,) of int64, of uint64, of Python integers (object) if these are too narrow, or of str
        (object).

    Raises:
        ValueError: as :func:`canonical_labels`.
    """
    array = _as_array(labels, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be of shape (N,), one for each embedding, not {array.shape}")
    if array.dtype.kind in "bi":
        return array.astype(np.int64)
    if array.dtype.kind == "u":
        return _narrowest(array.astype(np.uint64))
    if array.dtype.kind == "f":
        return _whole(array, name, whole_floats)
    if array.dtype.kind in "OUS":
        return _of_objects(array.tolist(), name, whole_floats, missing)
    raise ValueError(f"{name} must be integers or text, not {array.dtype}")


def are_text(labels: np.ndarray) -> bool:
    """Tell whether labels that :func:`plain_labels` returned are text."""
    return labels.dtype == object and len(labels) > 0 and isinstance(labels[0], str)


def _as_array(labels: Any, name: str) -> np.ndarray:
    """Return an array whose type has not been guessed from the values of a list.

    NumPy would make floats of [1, 2**63] and text of [1, "a"].
    """
    if isinstance(labels, Tensor):
        if labels.is_floating_point() or labels.is_complex():
            raise ValueError(f"{name} must be integers (int64), not {labels.dtype}")
        return labels.detach().cpu().numpy()
    if isinstance(labels, np.ma.MaskedArray):
        _refuse_missing(np.ma.getmaskarray(labels), name)
        return labels.filled()
    if isinstance(labels, (list, tuple, range)):
        return np.fromiter(labels, dtype=object, count=len(labels))
    if isinstance(labels, (str, bytes)) or not hasattr(labels, "__len__"):
        raise ValueError(f"{name} must be a tensor, an array or a list, not {labels!r:.60}")
    return np.asarray(labels)


def _whole(array: np.ndarray, name: str, allowed: bool) -> np.ndarray:
    """Convert floats (N,) that are whole numbers, and that their type holds exactly, to int64."""
    _refuse_missing(np.isnan(array), name)
    if not allowed:
        raise ValueError(f"{name} must be integers or text, not {array.dtype}: convert them first")
    most = 2.0 ** (np.finfo(array.dtype).nmant + 1)
    wrong = (array != np.floor(array)) | (np.abs(array) > most)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{name} must be integers or text: row {row}, counted from 0, is {array[row]}, and "
            f"{array.dtype} holds whole numbers exactly up to {most:.0f} only"
        )
    return array.astype(np.int64)


def _of_objects(
    values: Sequence[Any], name: str, whole_floats: bool, missing: Set[str]
) -> np.ndarray:
    """Convert Python objects, all integers or all text."""
    plain = [_plain(value, whole_floats, missing) for value in values]
    _refuse_missing(np.array([value is None for value in plain], dtype=bool), name)
    kinds = {type(value): row for row, value in reversed(list(enumerate(plain)))}
    for kind, row in kinds.items():
        if kind not in (int, str):
            raise ValueError(
                f"{name} must be integers or text: row {row}, counted from 0, is "
                f"{plain[row]!r:.60} ({kind.__name__})"
            )
    if len(kinds) > 1:
        raise ValueError(
            f"{name} must be all integers or all text: row {kinds[int]}, counted from 0, is the "
            f"integer {plain[kinds[int]]}, row {kinds[str]} the text {plain[kinds[str]]!r:.60}"
        )
    array = np.fromiter(plain, dtype=object, count=len(plain))
    return array if str in kinds else _narrowest(array)


def _plain(value: Any, whole_floats: bool, missing: Set[str]) -> Any:
    """Return an int, clean text, or None for a missing label; other things as they are."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()  # a scalar of torch or NumPy
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, str):
        text = canonical_text(value)
        return None if text in missing else text
    if type(value).__name__ in _MISSING_TYPES or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, float) and whole_floats and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    return int(value) if isinstance(value, int) else value


def canonical_text(text: str) -> str:
    """Bring text into Unicode's form NFC, without blanks and byte-order marks around it."""
    return unicodedata.normalize("NFC", text.strip().strip(_MARKS).strip())


def _refuse_missing(missing: np.ndarray, name: str) -> None:
    rows = np.flatnonzero(missing)
    if len(rows):
        raise ValueError(
            f"{name}: {len(rows):,} of {len(missing):,} rows have no label (empty, NaN or None), "
            f"the first is row {rows[0]}, counted from 0: label them, or leave them out"
        )


def _narrowest(array: np.ndarray) -> np.ndarray:
    """Return non-floating numbers as int64, else as uint64, else as Python integers."""
    lowest, highest = (array.min(), array.max()) if len(array) else (0, 0)
    for kind in (_INT64, _UINT64):
        if lowest >= kind.min and highest <= kind.max:
            return array.astype(kind.dtype)
    return array


def _numbered(
    arrays: Sequence[np.ndarray], names: Sequence[str], mixed_as_text: bool
) -> list[np.ndarray]:
    """Number plain labels together; int64 keep their values."""
    text = [are_text(array) for array in arrays]
    if all(array.dtype == np.int64 for array in arrays):
        return list(arrays)
    if any(text) and not all(text) and not mixed_as_text:
        integers, words = names[text.index(False)], names[text.index(True)]
        raise ValueError(
            f"{integers} are integers and {words} are text: convert one of them, so that equal "
            f"labels are equal"
        )
    read = str if any(text) else int
    order: dict[int | str, int] = {}
    return [
        np.array(
            [order.setdefault(read(label), len(order)) for label in array.tolist()], dtype=np.int64
        )
        for array in arrays
    ]
