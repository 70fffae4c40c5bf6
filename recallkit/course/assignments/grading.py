"""Grade what students handed in: find the answers, run them apart, and count the points."""

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from recallkit.course.assignments.isolation import Limits, run_job
from recallkit.course.assignments.reading import (
    NEEDS,
    Exercise,
    exercises_of,
    read_session,
    tags_of,
)
from recallkit.course.assignments.versions import RELEASED
from recallkit.course.notebooks import find_notebooks
from recallkit.errors import RecallkitError

if TYPE_CHECKING:
    from nbformat import NotebookNode

CHECKS_IMPORTED = "course.assignments"  # in a cell that takes the reference for an answer


@dataclass(frozen=True)
class Graded:
    """One exercise of one student.

    Attributes:
        exercise: that was set.
        code: of the answer; "" if there was none.
        wrong: what is wrong with it, as sentences; empty for a right answer.
    """

    exercise: Exercise
    code: str
    wrong: list[str]

    @property
    def points(self) -> int:
        """1 for a right answer, else 0."""
        return int(not self.wrong)


@dataclass
class Submission:
    """The notebooks of one student, and their grades.

    Attributes:
        student: the name of the file or folder.
        paths: of the notebooks.
        graded: each exercise of the sessions that the student handed in.
        remarks: what the student and the teacher should know besides.
    """

    student: str
    paths: list[Path]
    graded: list[Graded] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        """The sum of all points."""
        return sum(one.points for one in self.graded)


@dataclass(frozen=True)
class Session:
    """A session as the grader needs it: exercises, their needs, and all its own sources."""

    exercises: list[Exercise]
    needs: list[str]
    known: set[str]


def find_submissions(folder: Path) -> list[Submission]:
    """Find what was handed in: a notebook NAME.ipynb, or notebooks below a folder NAME, a student.

    Raises:
        RecallkitError: if there is no notebook below ``folder``.
    """
    students: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") for part in parts):
            students.setdefault(parts[0].removesuffix(".ipynb"), []).append(path)
    if not students:
        raise RecallkitError(f"there is no notebook below {folder}: a file or a folder a student")
    return [Submission(student, paths) for student, paths in students.items()]


def grade_all(
    submissions: Sequence[Submission],
    secret: str,
    limits: Limits | None = None,
    *,
    progress: bool = True,
) -> set[str]:
    """Grade submissions, in place.

    Args:
        submissions: of the students.
        secret: a word that students do not know: the inputs of all checks are drawn from it.
        limits: of the process of a student. None: the usual ones.
        progress: show a bar that counts students.

    Returns:
        Sentences on what could not be limited on this system.
    """
    missing: set[str] = set()
    sessions: dict[str, Session] = {}
    for submission in tqdm(submissions, unit="student", disable=not progress, delay=2):
        for path in submission.paths:
            _grade_notebook(submission, path, secret, limits or Limits(), missing, sessions)
    return missing


def _grade_notebook(
    submission: Submission,
    path: Path,
    secret: str,
    limits: Limits,
    missing: set[str],
    sessions: dict[str, Session],
) -> None:
    try:
        notebook = read_submitted(path)
    except RecallkitError as error:
        submission.remarks.append(str(error))
        return
    name = session_of(notebook)
    if name is None:
        submission.remarks.append(f"{path.name} has no exercise of the course")
        return
    if name not in sessions:
        sessions[name] = _session(name)
    job = job_of(notebook, sessions[name], secret)
    wrong = run_job(job, limits, missing)
    for exercise in sessions[name].exercises:
        code = [cell["source"] for cell in job["cells"] if exercise.name in cell["answers"]]
        submission.graded.append(Graded(exercise, "\n".join(code), wrong[exercise.name]))


def read_submitted(path: Path) -> "NotebookNode":
    """Read a notebook, also one with repeated or missing ids of cells.

    Raises:
        RecallkitError: if it is none.
    """
    import nbformat

    broken = (OSError, ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError)
    try:
        with warnings.catch_warnings(action="ignore"):
            return nbformat.read(path, as_version=4)
    except broken as error:
        reason = (str(error).splitlines() or ["it is empty"])[0][:150]
        raise RecallkitError(f"{path.name} cannot be read as a notebook: {reason}") from error


def session_of(notebook: "NotebookNode") -> str | None:
    """Return the session of a notebook, by its release or its checks; None if it has none."""
    known = {path.stem[:2] for path in find_notebooks()}
    named = re.findall(r'course\.check\("(\d\d)/', "\n".join(c.source for c in notebook.cells))
    asked = [notebook.metadata.get(RELEASED), *named]
    return next((str(name) for name in asked if name in known), None)


def _session(name: str) -> Session:
    notebook = read_session(name)
    needs = [cell.source for cell in notebook.cells if NEEDS in tags_of(cell)]
    return Session(exercises_of(notebook), needs, {cell.source.strip() for cell in notebook.cells})


def job_of(notebook: "NotebookNode", session: Session, secret: str) -> dict[str, Any]:
    """Return what the process of a student has to do: the new cells, and a seed an exercise.

    An answer is the cell that defines its function; of several the last, as when all cells run in
    order. Without one it is the cell that has the id of the start: its function may have got
    another name. Cells of the session's own notebook, untouched starts too, are left out.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells = [cell for cell in cells if cell.source.strip() not in session.known]
    cells = [cell for cell in cells if CHECKS_IMPORTED not in cell.source]
    answers: dict[int, list[str]] = {}
    for exercise in session.exercises:
        place = _place_of(exercise, cells)
        if place is not None:
            answers.setdefault(place, []).append(exercise.name)
    return {
        "needs": session.needs,
        "cells": [
            {"source": cell.source, "answers": answers.get(place, [])}
            for place, cell in enumerate(cells)
        ],
        "seeds": {exercise.name: seed_of(secret, exercise.name) for exercise in session.exercises},
    }


def _place_of(exercise: Exercise, cells: Sequence["NotebookNode"]) -> int | None:
    defines = re.compile(rf"^(def {exercise.function}\b|{exercise.function}\s*=)", re.MULTILINE)
    by_name = [i for i, cell in enumerate(cells) if defines.search(cell.source)]
    by_id = [i for i, cell in enumerate(cells) if cell.get("id") == exercise.start.id]
    return next(reversed(by_name or by_id), None)


def seed_of(secret: str, name: str) -> int:
    """Return the seed of an exercise: the same for all students of a class, and known to none."""
    return int.from_bytes(hashlib.sha256(f"{secret}/{name}".encode()).digest()[:7])
