"""Each exercise is complete, and its check tells right answers from wrong ones."""

import copy
import re
from functools import cache

import nbformat
import pytest

from recallkit import course
from recallkit.course.assignments.answers import as_numbers, show
from recallkit.course.notebooks import find_notebooks

COUNTS = {
    "00": 6, "01": 7, "02": 7, "03": 7, "04": 6, "05": 6, "06": 6, "07": 6,
    "08": 7, "09": 7, "10": 7,
    "11": 6, "12": 6, "13": 6,
}  # fmt: skip
KINDS = ("Warm-up", "By hand", "Code", "Derivation", "Experiment", "Open question")
LABEL = re.compile(rf"\*({'|'.join(KINDS)}) · (easy|medium|hard) · (\d+) minutes\*")
CHECK = re.compile(r'from recallkit import course\n\ncourse\.check\("(\d\d)/(\w+)", (\w+)\)')
HINT = re.compile(r"<details><summary>Hint</summary>\n\n(.|\n){20,}\n\n</details>")
ORDER = [
    "exercise",
    "exercise/hint",
    "exercise/start",
    "exercise/check",
    "exercise/solution",
    "exercise/solution",
]
NOTEBOOKS = {path.stem[:2]: nbformat.read(path, as_version=4) for path in find_notebooks()}
each = pytest.mark.parametrize("number", COUNTS)


def kind_of(cell):
    """The tag that says which part of an exercise a cell is; "" for other cells."""
    tags = cell.metadata.get("tags", [])
    return next((tag for tag in tags if tag in ORDER), "")


def parts_of(notebook):
    return [cell for cell in notebook.cells if kind_of(cell)]


def groups_of(notebook):
    parts = parts_of(notebook)
    return [parts[i : i + len(ORDER)] for i in range(0, len(parts), len(ORDER))]


def problems_of(notebook, session):
    """What is wrong with the exercises of a notebook."""
    count = COUNTS[session]
    if [kind_of(cell) for cell in parts_of(notebook)] != count * ORDER:
        return [f"not {count} times {ORDER}"]
    places = {cell.id: place for place, cell in enumerate(notebook.cells)}
    found = []
    for number, group in enumerate(groups_of(notebook), 1):
        first = places[group[0].id]
        if [places[cell.id] for cell in group] != [*range(first, first + len(ORDER))]:
            found.append(f"exercise {number}: its cells do not follow each other")
        problems = _problems_of_one(session, number, *group)
        found += [f"exercise {number}: {what}" for what in problems]
    return found


def _problems_of_one(session, number, task, hint, start, check, words, solution):
    heading, label, text = [*task.source.split("\n\n", 2), "", ""][:3]
    if not re.fullmatch(rf"## Exercise {number}: \S.{{5,}}", heading):
        yield f"its heading is {heading!r}"
    if not LABEL.fullmatch(label):
        yield f"its kind, difficulty and minutes are {label!r}"
    if len(text.split()) < 15:
        yield "it does not say what to do"
    if not HINT.fullmatch(hint.source):
        yield "its hint is none, or not folded"
    name = (CHECK.fullmatch(check.source) or [None, None, None])[2]
    if name is None or CHECK.fullmatch(check.source).groups() != (session, name, name):
        yield "its check is not that of its session and function"
    if [output.text[:9] for output in check.outputs] != ["not yet: "]:
        yield "the start is not told what is missing"
    if start.cell_type != "code" or start.outputs or f"def {name}(" not in start.source:
        yield "its start is no such function, or shows something"
    if not re.match(r"<details><summary>Solution.*</summary>\n\n.{20,}", words.source):
        yield "no words explain its solution"
    asserted = f'\nassert not course.problems("{session}/{name}", {name}_solution)'
    if not solution.source.endswith(asserted):
        yield "its solution is not checked"
    if not solution.metadata.get("jupyter", {}).get("source_hidden") or solution.outputs:
        yield "its solution is not folded, or shows something"
    if not solution.source.startswith("# Solution\n"):
        yield "the first line of its solution, which folding leaves, gives something away"


@each
def test_the_exercises_are_complete(number):
    assert problems_of(NOTEBOOKS[number], number) == []


@each
def test_a_session_has_a_ladder_of_five_to_seven(number):
    labels = [LABEL.search(group[0].source)[1] for group in groups_of(NOTEBOOKS[number])]
    assert 5 <= len(labels) <= 7
    assert {*labels} == {*KINDS}
    assert labels[0] == "Warm-up"
    assert labels[-1] == "Open question"


@each
def test_no_cell_of_an_exercise_can_be_lost(number):
    for cell in parts_of(NOTEBOOKS[number]):
        without = copy.copy(NOTEBOOKS[number])
        without.cells = [other for other in without.cells if other.id != cell.id]
        assert problems_of(without, number), cell.id


@each
def test_no_part_of_an_exercise_can_be_emptied(number):
    for cell in parts_of(NOTEBOOKS[number]):
        same = copy.copy(cell)
        same.source = cell.source.splitlines()[0]
        emptied = copy.copy(NOTEBOOKS[number])
        emptied.cells = [same if other is cell else other for other in emptied.cells]
        if kind_of(cell) != "exercise/start" and same.source != cell.source:
            assert problems_of(emptied, number), cell.id


@cache
def answers_of(number):
    """Name → start and solution of each exercise, from the cells that exercises need alone."""
    notebook, space = NOTEBOOKS[number], {"course": course}
    for cell in notebook.cells:
        if "exercise/needs" in cell.metadata.get("tags", []):
            exec(cell.source, space)
    answers = {}
    for _, _, start, check, _, solution in groups_of(notebook):
        name = CHECK.fullmatch(check.source)[2]
        exec(start.source, space)
        exec(solution.source, space)
        answers[f"{number}/{name}"] = space[name], space[f"{name}_solution"]
    return answers


@each
def test_each_start_fails_and_each_solution_passes_whatever_the_seed(number):
    answers = answers_of(number)
    assert len(answers) == COUNTS[number]
    for name, (start, solution) in answers.items():
        for seed in range(20):
            assert course.problems(name, start, seed), name
            assert course.problems(name, solution, seed) == [], name


CHEATS = {
    "nothing": lambda *inputs: None,
    "zero": lambda *inputs: 0,
    "one": lambda *inputs: 1.0,
    "two zeros": lambda *inputs: (0.0, 0.0),
    "two ones": lambda *inputs: (1.0, 1.0),
    "a small number": lambda *inputs: 0.002,
    "true": lambda *inputs: True,
    "a word": lambda *inputs: "right",
    "the first input": lambda *inputs: inputs[0],
    "the last input": lambda *inputs: inputs[-1],
    "all inputs": lambda *inputs: inputs,
    "an error": lambda *inputs: 1 / 0,
    "no parameters": lambda: 1,
}


@each
@pytest.mark.parametrize("cheat", CHEATS)
def test_cheats_fail(number, cheat):
    for name in answers_of(number):
        for seed in range(3):
            assert course.problems(name, CHEATS[cheat], seed), name


@each
def test_values_learnt_from_the_public_check_fail_with_another_seed(number):
    for name, (_, solution) in answers_of(number).items():
        learnt = {}

        def remember(*inputs, learnt=learnt, solution=solution):
            return learnt.setdefault(repr(inputs), solution(*inputs))

        def recite(*inputs, learnt=learnt):
            return learnt.get(repr(inputs), next(iter(learnt.values())))

        assert course.problems(name, remember) == []
        assert course.problems(name, recite) == []
        assert course.problems(name, recite, seed=1), name


@each
def test_a_message_does_not_tell_what_would_pass(number):
    """The right values, as the message would print them, are not in it."""
    for name, (start, solution) in answers_of(number).items():
        right = []

        def spied(*inputs, start=start, solution=solution, right=right):
            right.append(solution(*inputs))
            return start(*inputs)

        for seed in range(5):
            right.clear()
            for sentence in course.problems(name, spied, seed):
                told = {*re.findall(r"-?\d+\.\d{2,}", sentence)}
                inputs = {*re.findall(r"-?\d+\.\d{2,}", sentence.partition(" it ")[0])}
                values = [n for value in right for n in as_numbers(value, name).flatten().tolist()]
                assert not {*map(show, values)} & (told - inputs), name
