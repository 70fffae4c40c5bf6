"""Check the answer of an exercise: in a notebook with a seed that all know, in a grader's own."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from recallkit.course.assignments.answers import Answer, WrongAnswerError
from recallkit.course.assignments.patience import StoppedError, time_limit
from recallkit.errors import did_you_mean

EXERCISES = "recallkit.course.assignments.exercises"
CHECK_SECONDS = 30.0  # a right answer needs a fraction of one
PUBLIC_SEED = 0  # of the checks in notebooks: a stored message comes again


def check(name: str, answer: Callable[..., Any]) -> None:
    """Print "right", or "not yet:" and the first thing that is wrong.

    Args:
        name: session and function of the exercise, "01/both_recalls".
        answer: the function that you wrote.

    Raises:
        ValueError: if there is no exercise of that name.
    """
    wrong = problems(name, answer)
    print(f"not yet: {wrong[0]}" if wrong else "right")


def problems(
    name: str,
    answer: Callable[..., Any],
    seed: int = PUBLIC_SEED,
    seconds: float = CHECK_SECONDS,
) -> list[str]:
    """List what is wrong with an answer; empty when it is right.

    Args:
        name: session and function of the exercise, "01/both_recalls".
        answer: the function of the student.
        seed: that the inputs are drawn from.
        seconds: that the check may take, on the clock; 0: any time. Windows has no limit.

    Raises:
        ValueError: if there is no exercise of that name.
    """
    checked = find_check(name)
    if not callable(answer):
        return [f"the answer is no function, but {type(answer).__name__}"]
    try:
        with time_limit(seconds):
            return checked(Answer(answer), seed)
    except (WrongAnswerError, StoppedError) as error:
        return [str(error)]


def find_check(name: str) -> Callable[[Answer, int], list[str]]:
    """Find the check of an exercise.

    Args:
        name: session and function, "01/both_recalls".

    Raises:
        ValueError: if there is none; the message suggests a name.
    """
    session = name.partition("/")[0]
    known = {f"{session}/{one}": check for one, check in _checks_of(session).items()}
    if name not in known:
        hint = did_you_mean(name, known) or "a name is SESSION/FUNCTION, such as 01/both_recalls"
        raise ValueError(f"there is no exercise {name!r}; {hint}")
    return known[name]


def _checks_of(session: str) -> dict[str, Callable[[Answer, int], list[str]]]:
    """The checks of a session, by the name of the function that the student writes."""
    module = f"{EXERCISES}.session_{session}"
    if not session.isdigit() or find_spec(module) is None:
        return {}
    members = vars(import_module(module)).items()
    return {key.removeprefix("check_"): one for key, one in members if key.startswith("check_")}
