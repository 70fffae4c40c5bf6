"""Questions that ask for a prediction, their choices and notes, and what answers them: marked."""

import re

import nbformat
import pytest

from recallkit.course.explorables.predictions import ANSWER, QUESTION, SCORE
from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import texts_of

NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in find_notebooks()}
OPEN = {"nb08-list-01"}  # a figure that shows no answer before it is moved
SUMMARY = "<details><summary>After your prediction</summary>"
FOLD = re.compile(rf"\n\n{SUMMARY}\n\n(.*?)\n\n</details>", re.DOTALL)
ITEM = re.compile(r"^(\d)\. (.+)$", re.MULTILINE)
SAYS = re.compile(r"\*\*(What the |\d+ \w+ 20\d\d\.)")  # an answer in words, or a dated one
NEAR = re.compile(r"Near: ([\d.]+) to ([\d.]+)[^.]*\.$")
each = pytest.mark.parametrize("name", NOTEBOOKS)


def tags(cell):
    return cell.metadata.get("tags", [])


def is_heading(text):
    return re.search(r"^#+ ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)


def questions(name):
    return [cell for cell in NOTEBOOKS[name].cells if QUESTION in tags(cell)]


def answers_by_question(name):
    """Question id → the cells tagged as its answer."""
    found, last = {}, None
    for cell in NOTEBOOKS[name].cells:
        if ANSWER in tags(cell):
            found[last].append(cell)
        if QUESTION in tags(cell):
            last = cell.id
            found[last] = []
    return found


def expected_answers(cells):
    """The ids of cells from the first answer to a question to a heading or the next question."""
    asked = seen = False
    for cell in cells:
        if cell.cell_type == "code":
            if asked and cell.outputs and cell.id not in OPEN:
                seen = True
                yield cell.id
            continue
        first = cell.source.split("\n\n")[0]
        seen = seen or bool(SAYS.match(first))
        if asked and seen and not is_heading(first) and "**Predict**" not in first:
            yield cell.id
        if "**Predict**" in cell.source:
            asked, seen = True, False
        elif is_heading(cell.source):
            asked = False


def choices_of(cell):
    """The choices, the notes on them, and the whole note; empty if there are none."""
    fold = FOLD.search(cell.source)
    if not fold:
        return [], [], ""
    before = cell.source[: fold.start()].rsplit("\n\n", 1)[1]
    return [ITEM.findall(text) for text in (before, fold[1])] + [fold[1]]


@each
def test_every_question_is_marked(name):
    asked = [cell.id for cell in NOTEBOOKS[name].cells if "**Predict**" in cell.source]
    assert asked == [cell.id for cell in questions(name)]
    assert all(cell.source.count("**Predict**") == 1 for cell in questions(name))


def test_no_question_was_lost():
    assert sum(len(questions(name)) for name in NOTEBOOKS) >= 60


@each
def test_every_question_has_an_answer_to_unfold(name):
    for question, cells in answers_by_question(name).items():
        assert any(cell.get("outputs") or SAYS.match(cell.source) for cell in cells), question


@each
def test_every_answer_is_marked_up_to_the_next_heading(name):
    marked = [cell.id for cell in NOTEBOOKS[name].cells if ANSWER in tags(cell)]
    assert marked == [*expected_answers(NOTEBOOKS[name].cells)]


@each
def test_choices_have_a_note_each_and_one_or_more_is_right(name):
    for cell in questions(name):
        choices, notes, _ = choices_of(cell)
        assert [number for number, _ in notes] in ([], [number for number, _ in choices]), cell.id
        if notes:
            assert 2 <= len(notes) <= 4, cell.id
            right = [note.startswith("**Right") for _, note in notes]
            assert 1 <= sum(right) < len(notes), cell.id
            assert all(note[-1] in ".?" for _, note in notes), cell.id
            assert "$" not in str(choices + notes), cell.id  # formulas cannot be copied into a form


def test_most_questions_have_choices_and_the_right_one_stands_anywhere():
    notes = [choices_of(cell)[1] for name in NOTEBOOKS for cell in questions(name)]
    places = [
        place for one in notes for place, (_, note) in enumerate(one) if note.startswith("**Right")
    ]
    assert sum(map(bool, notes)) >= 60
    assert max(places.count(place) for place in range(4)) <= 0.55 * len(places)


@each
def test_a_number_that_is_near_stands_in_the_stored_answer(name):
    for question, cells in answers_by_question(name).items():
        [cell] = [cell for cell in questions(name) if cell.id == question]
        if near := NEAR.search(choices_of(cell)[2]):
            low, high = map(float, near.groups())
            outputs = [text for answer in cells if "outputs" in answer for text in texts_of(answer)]
            numbers = map(float, re.findall(r"\d+\.\d+", " ".join(outputs)))
            assert any(low <= number <= high for number in numbers), question


@each
def test_the_forms_come_before_the_first_question_and_the_score_at_the_end(name):
    cells = NOTEBOOKS[name].cells
    [head] = [
        place for place, cell in enumerate(cells) if cell.source == "explorables.Predictions()"
    ]
    assert head < cells.index(questions(name)[0])
    assert cells[head].outputs[0].data["text/plain"].startswith("[Predictions.")
    [score] = [place for place, cell in enumerate(cells) if SCORE in tags(cell)]
    assert score == len(cells) - 1
