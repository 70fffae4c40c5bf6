"""The answer of a student as a check sees it: errors, gaps and odd types become one sentence."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from recallkit.course.assignments.patience import StoppedError

SHOWN_NUMBERS = 40  # of an input: more would hide the sentence
SHOWN_PROBLEMS = 3  # failing inputs of one exercise
SHOWN_CHARACTERS = 150  # of the message of an exception


class WrongAnswerError(Exception):
    """An answer is wrong; the message is the sentence for the student."""


class Answer:
    """A student's function, called on copies of its inputs; whatever it raises is described.

    Args:
        function: the student's.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, **inputs: Any) -> Any:
        """Call the function with the values of ``inputs``, by place.

        Raises:
            WrongAnswerError: if it raises anything.
            StoppedError: if it is interrupted, or ends its process.
        """
        try:
            return self.function(*map(_copy, inputs.values()))
        except StoppedError as error:
            raise StoppedError(f"for {describe(inputs)} it {error}") from None
        except (Exception, SystemExit) as error:
            text = (str(error).strip().splitlines() or ["no message"])[0][:SHOWN_CHARACTERS]
            raise WrongAnswerError(
                f"for {describe(inputs)} it raises {type(error).__name__}: {text}"
            ) from error

    def numbers(self, shape: tuple[int, ...] | None = None, **inputs: Any) -> Tensor:
        """Call the function, and return what it returns as float64.

        Args:
            shape: that the result must have. None: any.
            inputs: name → value, in the order of the function's parameters.

        Raises:
            WrongAnswerError: if the function fails, or returns other than finite numbers in that
                shape.
        """
        return as_numbers(self(**inputs), f"for {describe(inputs)} it", shape)


def as_numbers(value: Any, who: str, shape: tuple[int, ...] | None = None) -> Tensor:
    """Turn a number, a list, a tuple, an array or a tensor into float64, without a gradient.

    Args:
        value: what an answer returned.
        who: the beginning of the sentence about it, "for k = 2 it".
        shape: that it must have. None: any.

    Raises:
        WrongAnswerError: if these are no finite numbers in that shape.
    """
    if value is None:
        raise WrongAnswerError(f"{who} returns nothing: is a return missing?")
    try:
        numbers = tensor_of(value)
    except (TypeError, ValueError, RuntimeError):
        raise WrongAnswerError(f"{who} returns no numbers, but a {type(value).__name__}") from None
    if shape is not None and tuple(numbers.shape) != shape:
        raise WrongAnswerError(
            f"{who} returns {_of_shape(tuple(numbers.shape))}, and should return {_of_shape(shape)}"
        )
    if not numbers.isfinite().all():
        raise WrongAnswerError(f"{who} returns NaN or an infinite number")
    return numbers


def tensor_of(value: Any) -> Tensor:
    """Turn a number, a list, a tuple, an array or a tensor into float64.

    Raises:
        TypeError, ValueError, RuntimeError: if it is none of these, or a list of unequal ones.
    """
    if isinstance(value, (list, tuple)):
        return torch.stack([tensor_of(one) for one in value]) if value else torch.empty(0)
    return torch.as_tensor(value).detach().cpu().double()


def _of_shape(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "one number"


def compare(
    answer: Answer,
    reference: Callable[..., Any],
    cases: Iterable[Mapping[str, Any]],
    rule: str,
    tolerance: float = 1e-6,
) -> list[str]:
    """Compare an answer with a reference, input by input.

    Args:
        answer: of the student.
        reference: the right function; it takes a case by name.
        cases: name → value, in the order of the parameters.
        rule: the property that a wrong answer violates, as a sentence; no value that would pass.
        tolerance: the largest difference of a right answer, absolute and relative to the reference.

    Returns:
        One sentence for each of the first failing inputs; empty for a right answer.
    """
    wrong: list[str] = []
    for case in cases:
        right = as_numbers(reference(**case), "the reference")
        try:
            given = answer.numbers(tuple(right.shape), **case)
            if not torch.allclose(given, right, atol=tolerance, rtol=tolerance):
                wrong.append(f"for {describe(case)} it returns {show(given)}. {rule}")
        except WrongAnswerError as error:
            wrong.append(str(error))
        if len(wrong) == SHOWN_PROBLEMS:
            break
    return wrong


def describe(inputs: Mapping[str, Any]) -> str:
    """Describe inputs in one line: "ranks = [[1, 9], [3, 4]], k = 4"."""
    return ", ".join(f"{name} = {show(value)}" for name, value in inputs.items())


def show(value: Any) -> str:
    """Show a value in one line; a large tensor by its shape, a long list by its length."""
    if isinstance(value, Tensor):
        if value.numel() > SHOWN_NUMBERS:
            return f"(a tensor of shape {tuple(value.shape)})"
        return show(value.detach().tolist())
    if isinstance(value, (list, tuple)):
        if len(value) > SHOWN_NUMBERS:
            return f"(a list of length {len(value)})"
        return "[" + ", ".join(map(show, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value
