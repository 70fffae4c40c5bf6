"""What students hand in besides right answers: each gets one sentence that helps."""

import math

import numpy as np
import pytest
import torch

from recallkit.course.assignments.answers import Answer, WrongAnswerError, as_numbers, compare, show


def halves(x):
    return x / 2


def wrong(function, cases=({"x": 3.0}, {"x": 5.0})):
    return compare(Answer(function), halves, cases, "Halve it.")


@pytest.mark.parametrize(
    "kind", [float, np.float32, torch.tensor, lambda x: torch.tensor(x, requires_grad=True)]
)
def test_a_right_answer_of_any_kind_of_number_has_no_problem(kind):
    assert wrong(lambda x: kind(x / 2)) == []


def test_a_wrong_answer_names_the_input_its_value_and_the_rule_alone():
    assert wrong(lambda x: x) == [
        "for x = 3 it returns 3. Halve it.",
        "for x = 5 it returns 5. Halve it.",
    ]


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (None, "for x = 3 it returns nothing: is a return missing?"),
        ("1.5", "for x = 3 it returns no numbers, but a str"),
        ({1: 2}, "for x = 3 it returns no numbers, but a dict"),
        (halves, "for x = 3 it returns no numbers, but a function"),
        (math.nan, "for x = 3 it returns NaN or an infinite number"),
        (math.inf, "for x = 3 it returns NaN or an infinite number"),
        ([1.5], "for x = 3 it returns an array of shape (1,), and should return one number"),
        ((), "for x = 3 it returns an array of shape (0,), and should return one number"),
        ([[1.0], [1.0, 2.0]], "for x = 3 it returns no numbers, but a list"),
    ],
)
def test_what_is_no_number_is_told_so(result, sentence):
    assert wrong(lambda x: result)[0] == sentence


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda: 1, "TypeError: "),
        (lambda x: {}[x], "for x = 3 it raises KeyError: 3.0"),
        (lambda x: exit(), "for x = 3 it raises SystemExit"),
        (lambda x: int("a\nb"), "for x = 3 it raises ValueError: "),
    ],
)
def test_whatever_the_answer_raises_becomes_one_line(function, sentence):
    assert sentence in wrong(function)[0]
    assert "\n" not in wrong(function)[0]


def test_an_endless_recursion_is_described():
    def around(x):
        return around(x)

    assert "RecursionError" in wrong(around)[0]


def test_an_answer_that_writes_into_its_input_spoils_nothing():
    def spoil(x):
        result = x / 2
        x.zero_()
        return result

    assert wrong(spoil, [{"x": torch.tensor([2.0, 4.0])}]) == []


def test_no_more_than_three_inputs_are_named():
    assert len(wrong(lambda x: x, [{"x": float(n + 1)} for n in range(9)])) == 3


def test_a_large_input_is_named_by_its_shape():
    assert show(torch.zeros(7, 8)) == "(a tensor of shape (7, 8))"
    assert show(["a"] * 41) == "(a list of length 41)"
    assert show([torch.tensor([0.25, 1.0]), 3]) == "[[0.25, 1], 3]"


def test_a_nested_result_is_read():
    assert as_numbers((torch.tensor(1), [2.0][0]), "it").tolist() == [1.0, 2.0]
    with pytest.raises(WrongAnswerError, match="NaN"):
        as_numbers([0.0, math.nan], "it")
