"""Answers are found whatever students do to their notebook, and run apart."""

import copy
import json

import pytest
from nbformat import v4

from recallkit.course.assignments import feedback, grading, isolation, running
from recallkit.course.assignments.reading import exercises_of, read_session
from recallkit.course.assignments.versions import release_version
from recallkit.errors import RecallkitError

NOTEBOOK = read_session("01")
EXERCISES = exercises_of(NOTEBOOK)
RELEASE = release_version(NOTEBOOK, "01")
SESSION = grading.Session(
    EXERCISES, ["import torch"], {cell.source.strip() for cell in NOTEBOOK.cells}
)
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
    cells = grading.job_of(notebook, SESSION, "word")["cells"]
    return "|".join(cell["source"] for cell in cells if FIRST.name in cell["answers"])


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
    notebook.cells.append(v4.new_code_cell(FIRST.start.source))
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
    assert grading.job_of(NOTEBOOK, SESSION, "word")["cells"] == []


def test_the_secret_decides_on_the_inputs():
    seeds = [grading.job_of(RELEASE, SESSION, word)["seeds"] for word in ("a", "a", "b")]
    assert seeds[0] == seeds[1]
    assert {*seeds[0].values()}.isdisjoint(seeds[2].values())


def run(*cells, name=FIRST.name):
    """What is wrong with the first exercise, after these cells; the last one is its answer."""
    job = {
        "needs": ["import torch"],
        "cells": [{"source": source, "answers": []} for source in cells],
        "seeds": {name: 5},
    }
    if cells:
        job["cells"][-1]["answers"] = [name]
    return next(step["wrong"] for step in running.steps_of(job) if "wrong" in step)


def test_a_right_answer_may_use_other_cells_magics_and_another_name():
    assert run(FIRST.solved) == []
    assert run("def among(r, k):\n    return (r <= k).double()", "%time\n" + FIRST.solved) == []
    assert run("1 / 0", FIRST.solved) == []
    assert run(FIRST.solved.replace("both_recalls", "recalls_of_both")) == []


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([], "no function both_recalls that differs from the start"),
        (["x = 3"], "no function both_recalls"),
        (["def both_recalls(ranks, k)\n    pass"], "its cell raises SyntaxError"),
        (["both_recalls = undefined"], "its cell raises NameError"),
        (["both_recalls = 3"], "the answer is no function, but int"),
        (["exit()"], "its cell raises SystemExit"),
    ],
)
def test_what_is_no_answer_is_told_so(cells, sentence):
    assert sentence in run(*cells)[0]


def test_a_cell_that_takes_the_reference_is_left_out():
    source = "from recallkit.course.assignments.exercises import session_01\n" + WRONG
    assert code_of(answered(source)) == ""


LOOP = "def {}(*inputs):\n    while True: pass"


def test_loops_crashes_and_the_network_cost_their_own_exercise_only():
    names = [exercise.name for exercise in EXERCISES]
    sources = {exercise.name: exercise.solved for exercise in EXERCISES}
    sources[names[0]] = LOOP.format("both_recalls")
    sources[names[1]] = "import os\nos._exit(0)\ndef lead(counts, temperature): return 0"
    reach = "import socket\nsocket.create_connection(('127.0.0.1', 9))\n"
    sources[names[3]] = reach + sources[names[3]]
    many = "torch.ones(8_000_000_000, dtype=torch.uint8)"
    sources[names[4]] = f"def blackbox_slope(*inputs):\n    return {many}"
    needs = [c.source for c in NOTEBOOK.cells if "def my_ranks" in c.source and "# (Q" in c.source]
    job = {
        "needs": ["import torch", needs[0]],
        "cells": [{"source": source, "answers": [name]} for name, source in sources.items()],
        "seeds": dict.fromkeys(names, 3),
    }
    wrong = isolation.run_job(job, isolation.Limits(seconds=1), set())
    assert wrong[names[0]] == ["it did not end within 1 seconds"]
    assert wrong[names[1]] == ["its cell: the process ended: too much memory, or a crash"]
    assert wrong[names[2]] == []
    assert "its cell raises" in wrong[names[3]][0]
    assert "raises RuntimeError" in wrong[names[4]][0] or "Memory" in wrong[names[4]][0]
    assert [wrong[name] for name in names[5:]] == [[], []]


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


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("no JSON", "ada.ipynb cannot be read as a notebook"),
        ("{}", "ada.ipynb cannot be read as a notebook"),
        ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "has no exercise"),
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


def test_a_page_shows_code_and_problems_as_text():
    graded = grading.Graded(FIRST, "if a < b: '<b>'", ["for x = <i> it fails"])
    student = grading.Submission("<ada>", [], [graded, grading.Graded(REST[0], "", [])])
    page = feedback.page_of(student)
    assert "&lt;ada&gt;: 1 of 2 points" in page
    assert "if a &lt; b: &#x27;&lt;b&gt;&#x27;" in page
    assert "for x = &lt;i&gt; it fails" in page
    table = feedback.grades_table([student]).splitlines()
    assert table == ["student,01/both_recalls,01/lead,points,of,remarks", "<ada>,0,1,1,2,"]
