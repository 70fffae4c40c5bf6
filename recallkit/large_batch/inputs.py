"""Inputs and outputs of a network that are more than one tensor: cut into chunks, moved, chosen.

Containers are dicts and other mappings, tuples, lists, named tuples and dataclasses, nested as you
like. What is in them is treated as follows:

    a tensor or a numpy array with dimensions    cut along dimension 0, which has one row an example
    a list or tuple of texts alone               cut in the same way: one text an example
    anything else: None, numbers, a text, …      given to every chunk as it is
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Inputs = Any  # a tensor, or containers of tensors


def leaves(tree: Inputs, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is in the containers of ``tree``, each with its place, such as ``['text'][0]``."""
    if is_texts(tree) or not is_container(tree):
        yield path, tree
    else:
        for step, value in _items(tree):
            yield from leaves(value, path + step)


def map_leaves(function: Callable[[Any], Any], tree: Inputs) -> Inputs:
    """Apply ``function`` to what is in the containers of ``tree``; return the same containers."""
    if is_texts(tree) or not is_container(tree):
        return function(tree)
    values = [map_leaves(function, value) for _, value in _items(tree)]
    if isinstance(tree, Mapping):
        return _mapping_like(tree, dict(zip(tree, values, strict=True)))
    if is_dataclass(tree):
        return _dataclass_like(tree, values)
    if hasattr(tree, "_fields"):  # a named tuple
        return type(tree)(*values)
    return type(tree)(values)


def check_rows(inputs: Inputs, name: str, count: int, labels: str = "labels") -> None:
    """Refuse inputs whose parts do not all have ``count`` rows, one for each label.

    Raises:
        ValueError: naming the part, or if nothing in ``inputs`` has rows.
    """
    rows = [(path, len(leaf)) for path, leaf in leaves(inputs) if has_rows(leaf)]
    if not rows:
        raise ValueError(f"{name} must hold a tensor with a row for each example: {_kind(inputs)}")
    for path, length in rows:
        if length == 0 or length != count:
            raise ValueError(
                f"{name}{path} and {labels} must be of the same length, at least 1, "
                f"not {length} and {count}"
            )


def tensors_of(inputs: Inputs) -> list[Tensor]:
    """Return all tensors in ``inputs``."""
    return [leaf for _, leaf in leaves(inputs) if isinstance(leaf, Tensor)]


def row_count(inputs: Inputs) -> int:
    """Count the rows of the first part that has any."""
    return next((len(leaf) for _, leaf in leaves(inputs) if has_rows(leaf)), 0)


def cut(inputs: Inputs, size: int, count: int) -> list[Inputs]:
    """Cut inputs of ``count`` rows into chunks of ``size`` rows."""
    return [rows_between(inputs, begin, begin + size) for begin in range(0, count, size)]


def rows_between(inputs: Inputs, begin: int, end: int) -> Inputs:
    """Return the rows from ``begin`` to ``end`` of all parts that have rows."""
    return map_leaves(lambda leaf: leaf[begin:end] if has_rows(leaf) else leaf, inputs)


def moved(inputs: Inputs, device: torch.device) -> Inputs:
    """Move the tensors of ``inputs`` to ``device``."""
    return map_leaves(
        lambda leaf: leaf.to(device, non_blocking=True) if isinstance(leaf, Tensor) else leaf,
        inputs,
    )


def chosen_embeddings(result: Any, output: str | int | None, count: int) -> Tensor:
    """Find the embeddings (b, D) in what a network returned.

    Args:
        result: a tensor, or a mapping, tuple, list or dataclass that holds it.
        output: its key, index or attribute there; None: the only tensor there is.
        count: b.

    Raises:
        ValueError: if it is not there, is no tensor, or does not have ``count`` rows.
    """
    value = result if output is None else _selected(result, output)
    tensors = tensors_of(value)
    if len(tensors) != 1:
        raise ValueError(
            f"network must return one tensor (b, D), or output= must name it: {_kind(value)}"
        )
    if tensors[0].ndim == 0 or len(tensors[0]) != count:
        raise ValueError(
            f"network must return a row for each of the {count} inputs of a chunk, "
            f"not a tensor of shape {tuple(tensors[0].shape)}"
        )
    return tensors[0]


def has_rows(leaf: Any) -> bool:
    """Tell whether a leaf is cut: a tensor or an array with dimensions, or texts."""
    return is_texts(leaf) or (isinstance(leaf, Tensor | np.ndarray) and leaf.ndim > 0)


def is_texts(value: Any) -> bool:
    """Tell whether ``value`` is a list or tuple of texts, and of nothing else."""
    texts = isinstance(value, list | tuple) and len(value) > 0
    return texts and all(isinstance(item, str) for item in value)


def is_container(value: Any) -> bool:
    """Tell whether ``value`` is a mapping, a list, a tuple or a dataclass."""
    kind = is_dataclass(value) and not isinstance(value, type)
    return kind or isinstance(value, Mapping | list | tuple)


def _items(tree: Any) -> list[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        return [(f"[{key!r}]", value) for key, value in tree.items()]
    if is_dataclass(tree):
        return [(f".{field.name}", getattr(tree, field.name)) for field in fields(tree)]
    return [(f"[{place}]", value) for place, value in enumerate(tree)]


def _mapping_like(tree: Mapping, values: dict) -> Mapping:
    """Return a mapping of the type of ``tree``, or a dict if it cannot be made from one."""
    try:
        return type(tree)(values)  # pyright: ignore[reportCallIssue]
    except TypeError:  # a defaultdict wants a factory
        return values


def _dataclass_like(tree: Any, values: list) -> Any:
    """Return a copy of a dataclass with other values; its ``__init__`` is not called."""
    result = copy.copy(tree)
    for field, value in zip(fields(tree), values, strict=True):
        object.__setattr__(result, field.name, value)  # it may be frozen
    return result


def _selected(result: Any, output: str | int) -> Any:
    try:
        if isinstance(output, str) and not isinstance(result, Mapping):
            return getattr(result, output)
        return result[output]
    except (AttributeError, KeyError, IndexError, TypeError):
        raise ValueError(f"output = {output!r} is not there: {_kind(result)}") from None


def _kind(value: Any) -> str:
    """Describe a value for an error: its type, and the tensors and others that it holds."""
    if not is_container(value):
        return f"it is of type {type(value).__name__}"
    held = ", ".join(f"{path} {_leaf_kind(leaf)}" for path, leaf in leaves(value))
    return f"it is a {type(value).__name__} of {held or 'nothing'}"


def _leaf_kind(leaf: Any) -> str:
    return str(tuple(leaf.shape)) if isinstance(leaf, Tensor) else type(leaf).__name__
