"""Answers are found whatever students do to their notebook; points and pages follow."""

import copy
import json

import pytest
from nbformat import v4

from recallkit.course.assignments import feedback, grading
from recallkit.course.assignments.reading import exercises_of, read_session
from recallkit.course.assignments.versions import release_version
from recallkit.errors import RecallkitError

NOTEBOOK = read_session("01")
EXERCISES = exercises_of(NOTEBOOK)
RELEASE = release_version(NOTEBOOK, "01")
SESSION = grading.session_for("01")
FIRST, *REST = EXERCISES
WRONG = "def both_recalls(ranks, k):\n    return 1.0, 1.0"


def place_of(notebook, exercise=FIRST):
    return next(i for i, cell in enumerate(notebook.cells) if cell.id == exercise.start.id)


def answered(*sources, notebook=RELEASE):
    """A release whose first start is replaced by ``sources``, a cell each."""
    notebook = copy.deepcopy(notebook)
    place = place_of(notebook)
    cells = [v4.new_code_cell(source) for source in sources]
    if cells:
        cells[0].id = FIRST.start.id
    notebook.cells[place : place + 1] = cells
    return notebook


def code_of(notebook):
    """The code that is graded for the first exercise; "" if there is none."""
    cells = grading.cells_of(notebook, SESSION)
    return "|".join(cell.source for cell in cells if FIRST.name in cell.answers)


def retyped():
    notebook = answered()
    notebook.cells.append(v4.new_code_cell(FIRST.solved))
    return notebook


def with_a_copy_that_is_the_answer():
    notebook = copy.deepcopy(RELEASE)
    notebook.cells.insert(0, v4.new_code_cell(FIRST.solved))
    return notebook


def reordered():
    notebook = answered(FIRST.solved)
    notebook.cells.reverse()
    return notebook


def copied_twice_with_its_id():
    notebook = answered(WRONG, FIRST.solved)
    notebook.cells[place_of(notebook) + 1].id = FIRST.start.id
    return notebook


def with_an_untouched_copy_below():
    notebook = answered(FIRST.solved)
    notebook.cells.append(v4.new_code_cell(FIRST.start.source.replace("\n", "  \n") + "\n"))
    return notebook


def without_any_other_cell():
    notebook = answered(FIRST.solved)
    notebook.cells = [cell for cell in notebook.cells if cell.source == FIRST.solved]
    return notebook


@pytest.mark.parametrize(
    "notebook",
    [
        answered(FIRST.solved),
        answered("# see below", FIRST.solved),
        answered(FIRST.solved, notebook=NOTEBOOK),
        retyped(),
        with_a_copy_that_is_the_answer(),
        reordered(),
        copied_twice_with_its_id(),
        with_an_untouched_copy_below(),
        without_any_other_cell(),
    ],
)
def test_an_answer_is_found_wherever_it_went(notebook):
    assert code_of(notebook) == FIRST.solved


def test_of_several_answers_the_last_counts():
    assert code_of(answered("# empty", FIRST.solved, WRONG)) == WRONG


def test_no_answer_is_none():
    for notebook in (RELEASE, NOTEBOOK, answered()):
        assert code_of(notebook) == ""


def test_cells_of_the_session_are_not_run_again():
    assert grading.cells_of(NOTEBOOK, SESSION) == []


def test_the_secret_decides_on_the_inputs():
    seeds = [{grading.seed_of(word, one.name) for one in EXERCISES} for word in ("a", "a", "b")]
    assert seeds[0] == seeds[1]
    assert seeds[0].isdisjoint(seeds[2])
    assert len(seeds[0]) == len(EXERCISES)


def test_a_file_with_repeated_or_without_ids_is_read(tmp_path):
    notebook = copied_twice_with_its_id()
    (tmp_path / "repeated.ipynb").write_text(json.dumps(notebook))
    cells = [{key: cell[key] for key in cell if key != "id"} for cell in notebook.cells]
    old = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    for one in grading.find_submissions(tmp_path):
        assert code_of(grading.read_submitted(one.paths[0])) == FIRST.solved


def test_students_are_files_and_folders(tmp_path):
    for name in ("bo/a.ipynb", "bo/b/c.ipynb", "ada.ipynb", ".x/y.ipynb", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = grading.find_submissions(tmp_path)
    assert {one.student: len(one.paths) for one in found} == {"ada": 1, "bo": 2}
    with pytest.raises(RecallkitError, match="there is no notebook below"):
        grading.find_submissions(tmp_path / "nowhere")


EMPTY = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
NO_SOURCE = {"cells": [{"cell_type": "code", "metadata": {"tags": "x"}}]}


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("no JSON", "ada.ipynb cannot be read as a notebook"),
        ("{}", "ada.ipynb cannot be read as a notebook"),
        (json.dumps(EMPTY | {"cells": []}), "ada.ipynb has no exercise of the course"),
        (json.dumps(EMPTY | NO_SOURCE), "ada.ipynb has no exercise of the course"),
        (
            json.dumps(EMPTY | {"cells": [], "metadata": {"recallkit_session": ["77"]}}),
            "ada.ipynb has no exercise of the course",
        ),
    ],
)
def test_what_is_no_submission_gets_a_remark_and_a_page(tmp_path, text, remark):
    (tmp_path / "ada.ipynb").write_text(text)
    [ada] = found = grading.find_submissions(tmp_path)
    assert grading.grade_all(found, "word", progress=False) == set()
    assert remark in ada.remarks[0]
    feedback.write_feedback(found, tmp_path / "out")
    assert remark in (tmp_path / "out" / "ada.html").read_text()
    assert (tmp_path / "out" / "grades.csv").read_text().splitlines()[1].startswith("ada,0,0,")


@pytest.mark.parametrize("kept", ["metadata", "checks", "ids"])
def test_a_session_is_found_by_what_is_left_of_it(kept, tmp_path):
    notebook = copy.deepcopy(RELEASE)
    if kept != "metadata":
        del notebook.metadata["recallkit_session"]
    if kept == "ids":
        checks = [exercise.check.id for exercise in EXERCISES]
        notebook.cells = [cell for cell in notebook.cells if cell.id not in checks]
    assert grading.session_of(notebook, "ada.ipynb") == "01"


def graded(student, *points, exercises=EXERCISES):
    results = [
        grading.Graded(one, "", [] if point else ["for x = <i> it fails"])
        for one, point in zip(exercises, points, strict=False)
    ]
    return grading.Submission(student, [], {one.exercise.name: one for one in results})


def test_a_page_shows_code_and_problems_as_text():
    student = graded("<ada>", 0, 1)
    student.graded[FIRST.name] = grading.Graded(FIRST, "if a < b: '<b>'", ["for x = <i> it fails"])
    page = feedback.page_of(student)
    assert "&lt;ada&gt;: 1 of 2 points" in page
    assert "if a &lt; b: &#x27;&lt;b&gt;&#x27;" in page
    assert "for x = &lt;i&gt; it fails" in page


def test_a_table_has_a_column_for_each_exercise_in_the_order_of_the_course():
    later = exercises_of(read_session("04"))
    students = [graded("ada", 1, exercises=later), graded("bo", 0, 1), graded('=1+1,"x"')]
    students[2].remarks.append("-x")
    assert feedback.grades_table(students).splitlines() == [
        f"student,01/both_recalls,01/lead,{later[0].name},points,of,remarks",
        "ada,,,1,1,1,",
        "bo,0,1,,1,2,",
        '"\'=1+1,""x""",,,,0,0,\'-x',
    ]


def test_students_whose_names_some_systems_take_for_one_have_pages_of_their_own(tmp_path):
    students = [graded(name, 1) for name in ("Ada", "ada", "a:b", "a-b", "Ünal")]
    feedback.write_feedback(students, tmp_path)
    pages = [path.name for path in feedback.page_paths(students, tmp_path).values()]
    assert pages == ["Ada.html", "ada-2.html", "a-b.html", "a-b-4.html", "Ünal.html"]
    titles = [(tmp_path / page).read_text(encoding="utf-8") for page in pages]
    assert all(f"<h1>{s.student}: " in text for s, text in zip(students, titles, strict=True))
    assert (tmp_path / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbfstudent,")


def test_nothing_that_is_there_is_overwritten_unasked(tmp_path):
    students = [graded("ada", 1)]
    for name in ("ada.html", "grades.csv"):
        path = tmp_path / name[:3] / name
        path.parent.mkdir()
        path.write_text("mine")
        with pytest.raises(RecallkitError, match=f"{name} is there already\\. Add --overwrite"):
            feedback.check_folder(students, path.parent)
        with pytest.raises(RecallkitError, match=r"is a file\. Name a folder"):
            feedback.check_folder(students, path)
    feedback.check_folder(students, tmp_path / "new")
