"""The check of an exercise is found by name, and tells in one line what is wrong."""

import signal
import threading
from contextlib import suppress

import pytest

from recallkit import course


def test_a_right_answer_and_a_wrong_one(capsys):
    course.check("01/sum_of_ranks", lambda number, temperature: number * (number + 1) / 2)
    course.check("01/sum_of_ranks", lambda number, temperature: 3.0)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "right"
    assert second.startswith("not yet: for number = ")


def test_what_is_no_function_is_told_so(capsys):
    course.check("01/sum_of_ranks", 3.0)
    assert capsys.readouterr().out == "not yet: the answer is no function, but float\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("01/sum_of_rank", "did you mean 01/sum_of_ranks"),
        ("77/x", "a name is SESSION/FUNCTION"),
        ("x", "a name is SESSION/FUNCTION"),
        ("../os", "a name is SESSION/FUNCTION"),
    ],
)
def test_an_unknown_exercise_is_an_error(name, hint):
    with pytest.raises(ValueError, match=f"there is no exercise .*{hint}"):
        course.check(name, abs)


def test_other_seeds_draw_other_inputs():
    def first_input(seed):
        return course.problems("01/both_recalls", lambda ranks, k: (2, 2), seed)[0]

    assert first_input(0) == first_input(0)
    assert len({first_input(seed) for seed in range(5)}) == 5


def endless(number, temperature):
    while True:
        with suppress(Exception):
            number + 1


def test_an_endless_loop_is_interrupted_and_named():
    before = signal.getitimer(signal.ITIMER_REAL)
    [sentence] = course.problems("01/sum_of_ranks", endless, seconds=0.2)
    assert sentence.endswith("temperature = 0.01 it did not end within 0.2 seconds")
    remaining = signal.getitimer(signal.ITIMER_REAL)
    assert bool(remaining[0]) == bool(before[0])  # whoever had an alarm has it again


def test_outside_of_the_main_thread_there_is_no_limit():
    answers = []

    def check():
        answers.append(course.problems("01/sum_of_ranks", lambda n, t: n * (n + 1) / 2, seconds=9))

    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    assert answers == [[]]
