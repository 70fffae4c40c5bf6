"""Each exercise has its heading and text, a start, a check and a solution that shows nothing."""

import copy
import re

import nbformat
import pytest

from recallkit.course.notebooks import find_notebooks

COUNTS = {
    "03": 3,
}  # fmt: skip
ORDER = ["exercise", "exercise/start", "exercise/check", "exercise/solution", "exercise/solution"]
NOTEBOOKS = {path.stem[:2]: nbformat.read(path, as_version=4) for path in find_notebooks()}
each = pytest.mark.parametrize("number", COUNTS)


def kind_of(cell):
    """The tag that says which part of an exercise a cell is; "" for other cells."""
    return next((tag for tag in cell.metadata.get("tags", []) if tag.startswith("exercise")), "")


def parts_of(notebook):
    return [cell for cell in notebook.cells if kind_of(cell)]


def problems_of(notebook, count):
    """What is wrong with the exercises of a notebook that should have ``count``."""
    parts = parts_of(notebook)
    if [kind_of(cell) for cell in parts] != count * ORDER:
        return [f"not {count} times {ORDER}"]
    groups = [parts[i : i + len(ORDER)] for i in range(0, len(parts), len(ORDER))]
    places = {cell.id: place for place, cell in enumerate(notebook.cells)}
    found = []
    for number, group in enumerate(groups, 1):
        first = places[group[0].id]
        if [places[cell.id] for cell in group] != [*range(first, first + len(ORDER))]:
            found.append(f"exercise {number}: its cells do not follow each other")
        found += [f"exercise {number}: {what}" for what in _problems_of_one(number, *group)]
    return found


def _problems_of_one(number, task, start, check, words, solution):
    heading, _, text = task.source.partition("\n\n")
    if not re.fullmatch(rf"## Exercise {number}: \S.{{5,}}", heading):
        yield f"its heading is {heading!r}"
    if len(text.split()) < 15:
        yield "it does not say what to do"
    if start.cell_type != "code" or start.outputs:
        yield "its start is no code, or shows something"
    [name] = re.findall(r"^def (check_\w+)\(", check.source, re.MULTILINE) or [None]
    if not re.search(rf"^problem = {name}\(\w+\)\nprint\(f\"not yet: ", check.source, re.MULTILINE):
        yield "its check does not check the start"
    if [output.text[:9] for output in check.outputs] != ["not yet: "]:
        yield "the start is not told what is missing"
    if not re.match(r"<details><summary>Solution.*</summary>\n\n.{20,}", words.source):
        yield "no words explain its solution"
    if not re.search(rf"^assert {name}\(.+\) == \"\"$", solution.source, re.MULTILINE):
        yield "its solution is not checked"
    if not solution.metadata.get("jupyter", {}).get("source_hidden"):
        yield "its solution is not folded"
    if not solution.source.startswith("# Solution\n"):
        yield "the first line of its solution, which folding leaves, gives something away"
    if any("right" in output.get("text", "") for output in solution.outputs):
        yield "under the reader's check stands that of the solution"


@each
def test_the_exercises_are_complete(number):
    assert problems_of(NOTEBOOKS[number], COUNTS[number]) == []


@each
def test_no_cell_of_an_exercise_can_be_lost(number):
    for cell in parts_of(NOTEBOOKS[number]):
        without = copy.deepcopy(NOTEBOOKS[number])
        without.cells = [other for other in without.cells if other.id != cell.id]
        assert problems_of(without, COUNTS[number]), cell.id


@each
def test_no_part_of_an_exercise_can_be_emptied(number):
    for cell in parts_of(NOTEBOOKS[number]):
        emptied = copy.deepcopy(NOTEBOOKS[number])
        [same] = [other for other in emptied.cells if other.id == cell.id]
        same.source = same.source.splitlines()[0]
        if kind_of(cell) != "exercise/start" and same.source != cell.source:
            assert problems_of(emptied, COUNTS[number]), cell.id
