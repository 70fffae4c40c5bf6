"""Cells of a student define answers, and answers are called."""

import math

import pytest
import torch

from recallkit.course.assignments.running import Cells

NAME = "01/mean_of"
RIGHT = "def mean_of(values):\n    return sum(values) / len(values)"


def run(*sources):
    """Run cells, the last of which is the answer; return its reply and what calling it gives."""
    cells = Cells()
    for source in sources[:-1]:
        cells.run(source, ())
    reply = cells.run(sources[-1], [NAME])
    return reply, cells.call(NAME, [[1.0, 2.0, 6.0]]) if reply["answers"] else None


@pytest.mark.parametrize(
    "cells",
    [
        [RIGHT],
        ["def total(values):\n    return sum(values)", RIGHT.replace("sum(", "total(")],
        ["%time\n!ls\n" + RIGHT],
        ["1 / 0", RIGHT],
        [RIGHT + "\n1 / 0"],
        [RIGHT.replace("mean_of", "average")],
        ["from math import exp, log\n" + RIGHT.replace("mean_of", "average")],
        ["mean_of = lambda values: sum(values) / len(values)"],
        ["import torch\nmean_of = lambda values: torch.tensor(values).double().mean()"],
    ],
)
def test_a_right_answer_may_use_other_cells_magics_and_another_name(cells):
    assert run(*cells)[1] == {"numbers": [3.0], "shape": []}


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("x = 3", ""),
        ("def mean_of(values)\n    pass", "SyntaxError"),
        ("mean_of = undefined", "NameError"),
        ("exit()", "SystemExit"),
        ("def first(v): pass\ndef second(v): pass", ""),
    ],
)
def test_a_cell_without_an_answer(source, error):
    reply, _ = run(source)
    assert reply["answers"] == []
    assert reply["error"].startswith(error)


@pytest.mark.parametrize(
    ("result", "reply"),
    [
        ("None", {"other": "NoneType"}),
        ("'right'", {"other": "str"}),
        ("(i for i in values)", {"other": "generator"}),
        ("[[1], [1, 2]]", {"other": "list"}),
        ("{}", {"other": "dict"}),
        ("True", {"numbers": [1.0], "shape": []}),
        ("[[], []]", {"numbers": [], "shape": [2, 0]}),
        ("([1, 2], [3, 4])", {"numbers": [1.0, 2.0, 3.0, 4.0], "shape": [2, 2]}),
        ("1 / 0", {"raised": "ZeroDivisionError", "text": "division by zero"}),
        ("exit(3)", {"raised": "SystemExit", "text": "3"}),
    ],
)
def test_results_are_sent_as_numbers_and_names(result, reply):
    assert run(f"def mean_of(values):\n    return {result}")[1] == reply


def test_numbers_are_those_of_float64():
    cells = Cells()
    cells.run("def mean_of(values):\n    return values / 3", [NAME])
    values = torch.tensor([1.0, math.inf, -1e300], dtype=torch.float64)
    assert cells.call(NAME, [values])["numbers"] == (values / 3).tolist()


def test_an_answer_is_that_of_its_cell_whatever_its_name_becomes():
    cells = Cells()
    cells.run(RIGHT, [NAME])
    cells.run("for mean_of in range(3): pass", ())
    assert cells.call(NAME, [[3.0]])["numbers"] == [3.0]
