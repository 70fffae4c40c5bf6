"""Ranges of numbers, declared beside a type and checked in one place.

A setting or a flag says in its annotation which numbers it takes::

    learning_rate: Annotated[float, Range(0, 10)] = 3e-3

:func:`checked` compares a value with such an annotation. It is the only check of the settings of a
training, of the flags of the command line, and of what a sweep's file or a run's config.json holds.
"""

import math
import reprlib
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

__all__ = ["Range", "SettingError", "checked", "range_of"]


@dataclass(frozen=True)
class Range:
    """All numbers from ``lowest`` to ``highest``, both included; of a tuple, each of its numbers.

    NaN and infinity are in no range.
    """

    lowest: float
    highest: float

    def __contains__(self, value: float) -> bool:
        return self.lowest <= value <= self.highest

    def __str__(self) -> str:
        return f"{_number(self.lowest)} to {_number(self.highest)}"


class SettingError(ValueError):
    """A setting has a value that it cannot have.

    Attributes:
        name: of the setting.
        problem: what is wrong, without the name. The message of the error begins with the flag.
    """

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"--{name.replace('_', '-')} {problem}")


def checked(name: str, value: Any, hint: Any) -> Any:
    """Return ``value`` in the type of a setting: numbers of numpy as Python's, lists as tuples.

    Args:
        name: of the setting, ``rank_temperature`` for the flag ``--rank-temperature``.
        value: of any type.
        hint: bool, int, float, str, a Literal, a tuple of one of them, or an alternative of these
            such as ``float | None``; in ``Annotated[…, Range(…)]`` for a range. Any other hint lets
            every value pass.

    Raises:
        SettingError: naming the flag, the range, and the value: another type (true is no number,
            "0.1" neither, 1.0 no whole number), NaN, infinity, or a number out of range.
    """
    try:
        return _fitted(value, hint, None)
    except _UnfitError:
        condition = _condition(hint, range_of(hint))
        raise SettingError(name, f"must {condition}, not {_shown(value)}") from None


def range_of(hint: Any) -> Range | None:
    """Return the range that an annotation declares; None if it declares none."""
    found = (extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Range))
    return next(found, None)


class _UnfitError(Exception):
    """A value is not of a type, or not in its range."""


def _fitted(value: Any, hint: Any, limits: Range | None) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fitted(value, arguments[0], range_of(hint) or limits)
    if origin in (Union, UnionType):
        return _first_that_fits(value, arguments, limits)
    if origin is Literal:
        return _need(value, any(isinstance(value, type(a)) and value == a for a in arguments))
    if origin is tuple:
        _need(value, isinstance(value, (list, tuple)))
        return tuple(_fitted(item, arguments[0], limits) for item in value)
    if hint in (int, float):
        return _number_in(value, hint, limits)
    is_plain = hint in (bool, str, NoneType)
    return _need(value, isinstance(value, hint)) if is_plain else value


def _first_that_fits(value: Any, hints: tuple[Any, ...], limits: Range | None) -> Any:
    for hint in hints:
        try:
            return _fitted(value, hint, limits)
        except _UnfitError:
            continue
    raise _UnfitError


def _number_in(value: Any, kind: type[int] | type[float], limits: Range | None) -> int | float:
    _need(value, _is_number(value, kind))
    try:
        number = int(value) if kind is int else float(value)
    except OverflowError:  # a whole number beyond all floats
        raise _UnfitError from None
    return _need(number, math.isfinite(number) if limits is None else number in limits)


def _is_number(value: Any, kind: type[int] | type[float]) -> bool:
    of_kind = isinstance(value, Integral if kind is int else Real)
    return of_kind and not isinstance(value, bool)


def _need(value: Any, holds: bool) -> Any:
    if not holds:
        raise _UnfitError
    return value


def _condition(hint: Any, limits: Range | None) -> str:
    """Return what a value must do, after "must": "lie between 0 and 1"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _condition(arguments[0], limits)
    if origin in (Union, UnionType):
        return ", or ".join(_condition(argument, limits) for argument in arguments)
    if origin is Literal:
        one_of = "be one of " if len(arguments) > 1 else "be "
        return one_of + ", ".join(str(argument) for argument in arguments)
    if origin is tuple:
        return f"be a list of {_numbers(arguments[0], limits)}"
    if hint is float and limits is not None:
        return f"lie {_between(limits)}"
    words = {bool: "true or false", str: "text", NoneType: "None"}
    return f"be {words.get(hint) or 'a ' + _numbers(hint, limits).replace('numbers', 'number')}"


def _numbers(hint: Any, limits: Range | None) -> str:
    kind = "whole numbers" if hint is int else "finite numbers"
    return kind if limits is None else f"{kind} {_between(limits)}"


def _between(limits: Range) -> str:
    return f"between {_number(limits.lowest)} and {_number(limits.highest)}"


def _shown(value: Any) -> str:
    """Return a value as Python writes it, cut where it is long."""
    of_numpy = getattr(value, "item", None) if isinstance(value, Real) else None
    return reprlib.repr(value if of_numpy is None else of_numpy())


def _number(value: float) -> str:
    """Return a number as people write it: 65,536, 0.001, 1e-6."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,g}".replace("e-0", "e-").replace("e+0", "e")
