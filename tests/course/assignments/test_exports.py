"""nbgrader and otter-grader hand out the same exercises, and come to the same points.

Both are heavy (250 MB), so they are no part of [test]. Where they are not installed, their tests
are skipped; ``RECALLKIT_GRADERS`` may name the folder of programs of an environment that has them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import nbformat
import pytest
from helpers.made_up_class import EXERCISES, NAMES, POINTS, answer

from recallkit.course.assignments.exports import export_nbgrader, export_otter
from recallkit.errors import RecallkitError

PROGRAMS = Path(os.environ.get("RECALLKIT_GRADERS") or Path(sys.executable).parent)
NAME = "01_relaxed_ranking_exercises"
ROOT = Path(__file__).resolve().parents[3]


SCORES = f"""
import json
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as book:
    scores = {{
        student.id: {{
            grade.name: grade.score
            for notebook in book.find_submission("{NAME}", student.id).notebooks
            for grade in notebook.grades
        }}
        for student in book.students
    }}
    print(json.dumps(scores))
"""


def needs(program):
    there = which(program, path=str(PROGRAMS)) is not None
    return pytest.mark.skipif(not there, reason=f"{program} is not installed")


def run(folder, *command):
    """Run a program there, among programs of its own environment, and return what it prints."""
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [which(command[0], path=str(PROGRAMS)), *command[1:]]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(path):
    return nbformat.read(path, as_version=4)


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def test_a_source_for_nbgrader_has_a_point_for_each_exercise(tmp_path):
    notebook = read(export_nbgrader("01", "word", tmp_path))
    nbformat.validate(notebook)
    marks = [cell.metadata["nbgrader"] for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert [mark["points"] for mark in marks if mark["grade"]] == [1] * len(NAMES)
    assert sum(mark["solution"] for mark in marks) == len(NAMES)
    assert len({mark["grade_id"] for mark in marks}) == len(marks)
    assert text_of(notebook).count("### BEGIN HIDDEN TESTS") == len(NAMES)
    assert "_solution" not in text_of(notebook)


def test_a_source_for_otter_has_a_question_for_each_exercise(tmp_path):
    notebook = read(export_otter("01", "word", tmp_path))
    nbformat.validate(notebook)
    for exercise in EXERCISES:
        assert f"name: {exercise.function}\npoints: 1" in text_of(notebook)
        assert exercise.solved in text_of(notebook)
    assert text_of(notebook).count("# HIDDEN\n") == len(NAMES)


@pytest.mark.parametrize("export", [export_nbgrader, export_otter])
def test_exports_overwrite_nothing_and_take_the_secret(export, tmp_path):
    path = export("01", "word", tmp_path)
    assert export("01", "word", tmp_path) == path
    with pytest.raises(RecallkitError, match="is there and differs"):
        export("01", "another word", tmp_path)


@needs("nbgrader")
def test_nbgrader_comes_to_the_same_points(tmp_path):
    export_nbgrader("01", "word", tmp_path)
    run(tmp_path, "nbgrader", "generate_assignment", NAME)
    released = tmp_path / "release" / NAME / f"{NAME}.ipynb"
    assert "seed=" not in text_of(read(released))
    for student in POINTS:
        submitted = tmp_path / "submitted" / student / NAME / f"{NAME}.ipynb"
        submitted.parent.mkdir(parents=True)
        nbformat.write(answer(read(released), student), submitted)
    run(tmp_path, "nbgrader", "autograde", NAME)
    scores = json.loads(run(tmp_path, "python", "-c", SCORES))
    cells = [f"{exercise.start.id}-points" for exercise in EXERCISES]
    assert {one: [scores[one][cell] for cell in cells] for one in scores} == POINTS


@needs("otter")
def test_otter_comes_to_the_same_points(tmp_path):
    export_otter("01", "word", tmp_path)
    run(tmp_path, "otter", "assign", f"{NAME}.ipynb", "dist")
    released = tmp_path / "dist" / "student" / f"{NAME}.ipynb"
    assert "seed=" not in text_of(read(released))
    [autograder] = (tmp_path / "dist" / "autograder").glob("*.zip")
    points = {}
    for student in POINTS:
        nbformat.write(answer(read(released), student), tmp_path / f"{student}.ipynb")
        (tmp_path / student).mkdir()
        run(tmp_path, "otter", "run", f"{student}.ipynb", "-a", str(autograder), "-o", student)
        tests = json.loads((tmp_path / student / "results.json").read_text())["tests"]
        scores = {test["name"]: test.get("score") for test in tests}
        points[student] = [scores[exercise.function] for exercise in EXERCISES]
    assert points == POINTS
