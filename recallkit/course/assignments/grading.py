"""Grade what students handed in: find the answers, run them apart, and count the points."""

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from recallkit.course.assignments.isolation import Cell, Limits, Student
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
        graded: name → each exercise of the sessions that the student handed in.
        remarks: what the student and the teacher should know besides.
    """

    student: str
    paths: list[Path]
    graded: dict[str, Graded] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        """The sum of all points."""
        return sum(one.points for one in self.graded.values())


@dataclass(frozen=True)
class Session:
    """A session as the grader needs it.

    Attributes:
        exercises: of the session.
        needs: the sources that run first: what the exercises need, and the starts, whose helpers an
            answer may call.
        known: all sources of its notebook, which are no answers.
    """

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
    for submission in tqdm(submissions, unit="student", disable=not progress, delay=2):
        for path in submission.paths:
            try:
                notebook = read_submitted(path)
                session = session_for(session_of(notebook, path.name))
            except RecallkitError as error:
                submission.remarks.append(str(error))
            else:
                cells = cells_of(notebook, session)
                missing |= _grade(submission, session, cells, secret, limits or Limits())
    return missing


def _grade(
    submission: Submission, session: Session, cells: Sequence[Cell], secret: str, limits: Limits
) -> set[str]:
    """Grade a notebook; of answers to one exercise in several notebooks the best counts."""
    if any(exercise.name in submission.graded for exercise in session.exercises):
        submission.remarks.append("of several notebooks of a session the best answers count")
    with Student(session.needs, cells, limits) as student:
        for exercise in session.exercises:
            code = "\n".join(cell.source for cell in cells if exercise.name in cell.answers)
            wrong = student.wrong(exercise.name, seed_of(secret, exercise.name))
            before = submission.graded.get(exercise.name)
            if before is None or before.wrong:
                submission.graded[exercise.name] = Graded(exercise, code, wrong)
    return student.missing


def read_submitted(path: Path) -> "NotebookNode":
    """Read a notebook, also one with repeated or missing ids of cells.

    Raises:
        RecallkitError: if it is none.
    """
    import nbformat

    broken = (OSError, ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError)
    try:
        with warnings.catch_warnings(action="ignore"):
            notebook = nbformat.read(path, as_version=4)
            cells = [cell for cell in notebook.cells if isinstance(cell.get("source"), str)]
            notebook.cells = cells
            return notebook
    except broken as error:
        reason = (str(error).splitlines() or ["it is empty"])[0][:150]
        raise RecallkitError(f"{path.name} cannot be read as a notebook: {reason}") from error


def session_of(notebook: "NotebookNode", name: str) -> str:
    """The session of a notebook called ``name``, by its release, its checks or ids of its cells."""
    known = {path.stem[:2] for path in find_notebooks()}
    checked = re.findall(r'course\.check\("(\d\d)/', "\n".join(c.source for c in notebook.cells))
    named = re.findall(r"\bnb(\d\d)-", " ".join(str(cell.get("id")) for cell in notebook.cells))
    for session in (str(notebook.metadata.get(RELEASED)), *checked, *named):
        if session in known:
            return session
    raise RecallkitError(f"{name} has no exercise of the course")


@cache
def session_for(name: str) -> Session:
    """Read a session.

    Args:
        name: its number, "01".

    Raises:
        RecallkitError: if there is none.
    """
    notebook = read_session(name)
    exercises = exercises_of(notebook)
    needs = [cell.source for cell in notebook.cells if NEEDS in tags_of(cell)]
    starts = [exercise.start.source for exercise in exercises]
    return Session(exercises, needs + starts, {plain(cell.source) for cell in notebook.cells})


def plain(source: str) -> str:
    """Return a source without blanks at the ends of its lines and empty lines around it."""
    return "\n".join(line.rstrip() for line in source.splitlines()).strip()


def cells_of(notebook: "NotebookNode", session: Session) -> list[Cell]:
    """Return the cells of code that are the student's, each with the exercises that it answers.

    An answer is the cell that defines its function; of several the last, as when all cells run in
    order. Without one it is the cell that has the id of the start: its function may have got
    another name. Cells of the session's own notebook, untouched starts too, are left out.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells = [cell for cell in cells if plain(cell.source) not in session.known]
    places = {exercise.name: _place_of(exercise, cells) for exercise in session.exercises}
    return [
        Cell(cell.source, [name for name, found in places.items() if found == place])
        for place, cell in enumerate(cells)
    ]


def _place_of(exercise: Exercise, cells: Sequence["NotebookNode"]) -> int | None:
    defines = re.compile(rf"^(def {exercise.function}\b|{exercise.function}\s*=)", re.MULTILINE)
    by_name = [i for i, cell in enumerate(cells) if defines.search(cell.source)]
    by_id = [i for i, cell in enumerate(cells) if cell.get("id") == exercise.start.id]
    return next(reversed(by_name or by_id), None)


def seed_of(secret: str, name: str) -> int:
    """Return the seed of an exercise: the same for all students of a class, and known to none."""
    return int.from_bytes(hashlib.sha256(f"{secret}/{name}".encode()).digest()[:7])
