"""Quizzes: three to five questions a session, one right answer each, a remark on each wrong one."""

import re

import nbformat
import pytest

from recallkit.course.explorables.predictions import ANSWER, QUESTION, QUIZ
from recallkit.course.notebooks import find_notebooks

NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in find_notebooks()}
FORM = re.compile(
    r"(?:## Quiz\n\n[^\n]+\n\n)?\*\*Question (?P<number>\d)\*\*: (?P<text>[^\n]+[?.])\n\n"
    r"(?P<choices>(?:\d\. [^\n]+\n)+)\n<details><summary>After your answer</summary>\n\n"
    r"(?P<notes>(?:\d\. [^\n]+\n)+)\n</details>"
)
ITEM = re.compile(r"^(\d)\. (.+)$", re.MULTILINE)
each = pytest.mark.parametrize("name", NOTEBOOKS)


def tags(cell):
    return cell.metadata.get("tags", [])


def quiz_of(name):
    return [cell for cell in NOTEBOOKS[name].cells if QUIZ in tags(cell)]


def parsed(cell):
    """The number and text of a question, its choices and its notes."""
    found = FORM.fullmatch(cell.source)
    assert found, cell.id
    choices, notes = (
        [text for _, text in ITEM.findall(found[part])] for part in ("choices", "notes")
    )
    numbers = [number for part in ("choices", "notes") for number, _ in ITEM.findall(found[part])]
    assert numbers == 2 * [str(place) for place in range(1, len(choices) + 1)], cell.id
    return int(found["number"]), found["text"], choices, notes


@each
def test_three_to_five_questions_stand_together_before_the_answer(name):
    cells, quiz = NOTEBOOKS[name].cells, quiz_of(name)
    assert 3 <= len(quiz) <= 5
    assert [parsed(cell)[0] for cell in quiz] == [*range(1, len(quiz) + 1)]
    first = cells.index(quiz[0])
    assert cells[first : first + len(quiz)] == quiz
    assert "## The answer" in cells[first + len(quiz)].source
    assert [cell.source.startswith("## Quiz\n") for cell in quiz] == [True] + (len(quiz) - 1) * [
        False
    ]
    assert not any({QUESTION, ANSWER} & {*tags(cell)} for cell in quiz)


@each
def test_exactly_one_answer_is_right_and_each_wrong_one_has_a_remark_of_its_own(name):
    for cell in quiz_of(name):
        _, _, choices, notes = parsed(cell)
        right = [note.startswith("**Right.**") or note.startswith("**Right**,") for note in notes]
        assert sum(right) == 1, cell.id
        assert 3 <= len(choices) == len({*choices}) <= 4, cell.id
        assert len({*notes}) == len(notes), cell.id
        for note, is_right in zip(notes, right, strict=True):
            assert len(note) >= 45, f"{cell.id}: {note}"
            assert note.endswith("."), cell.id
            assert is_right or not note.startswith("**"), cell.id
        assert "$" not in cell.source, cell.id  # formulas cannot be copied into a form


def test_no_question_is_asked_twice_and_the_right_answer_stands_anywhere():
    asked = [parsed(cell) for name in NOTEBOOKS for cell in quiz_of(name)]
    assert len({text for _, text, _, _ in asked}) == len(asked) >= 33
    places = [
        place
        for *_, notes in asked
        for place, note in enumerate(notes)
        if note.startswith("**Right")
    ]
    assert all(places.count(place) >= 0.2 * len(places) for place in range(3))


def test_the_right_answer_is_not_told_by_its_length():
    """A reader who always takes the longest choice must not do much better than chance."""
    longest = []
    for name in NOTEBOOKS:
        for cell in quiz_of(name):
            _, _, choices, notes = parsed(cell)
            [right] = [place for place, note in enumerate(notes) if note.startswith("**Right")]
            longest.append(len(choices[right]) == max(map(len, choices)))
    assert sum(longest) <= 0.6 * len(longest)
