"""Versions of a notebook from one source: for students, for instructors, and exercises alone."""

from copy import deepcopy
from typing import TYPE_CHECKING

from recallkit.course.assignments.reading import NEEDS, SOLUTION, exercises_of, tags_of
from recallkit.course.explorables.predictions import ANSWER
from recallkit.errors import RecallkitError

if TYPE_CHECKING:
    from nbformat import NotebookNode

RELEASED = "recallkit_session"  # metadata of a release
SHOWN_LATER = {"exercise/start", "exercise/check", ANSWER}


def student_version(notebook: "NotebookNode") -> "NotebookNode":
    """Return a notebook without solutions, and without outputs of answers and of exercises.

    The figures and numbers that would answer a prediction come when the student runs their cells.
    """
    student = deepcopy(notebook)
    student.cells = [cell for cell in student.cells if SOLUTION not in tags_of(cell)]
    for cell in student.cells:
        if cell.cell_type == "code" and {*tags_of(cell)} & SHOWN_LATER:
            cell.outputs, cell.execution_count = [], None
    return student


def instructor_version(notebook: "NotebookNode") -> "NotebookNode":
    """Return a notebook with all outputs and with its solutions open."""
    instructor = deepcopy(notebook)
    for cell in instructor.cells:
        if SOLUTION in tags_of(cell):
            cell.metadata.pop("jupyter", None)
            cell.source = cell.source.replace("<details>", "<details open>", 1)
    return instructor


def release_version(notebook: "NotebookNode", session: str) -> "NotebookNode":
    """Return a notebook with the exercises of a session alone, to be handed out.

    It has the cells that exercises need, then task, hint, start and check of each. Cells keep their
    ids, by which the answers are found again.

    Args:
        notebook: of the session.
        session: its number, "01".

    Raises:
        RecallkitError: if an exercise is not whole, or there is none.
    """
    from nbformat.v4 import new_notebook

    exercises = exercises_of(notebook)
    if not exercises:
        raise RecallkitError(f"session {session} has no exercises to hand out")
    needed = [cell for cell in notebook.cells if NEEDS in tags_of(cell)]
    head = _head(session, sum(exercise.minutes for exercise in exercises))
    parts = [(one.task, one.hint, one.start, one.check) for one in exercises]
    cells = deepcopy([head, *needed, *(cell for group in parts for cell in group)])
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    metadata = {name: notebook.metadata[name] for name in ("kernelspec", "language_info")}
    return new_notebook(cells=cells, metadata=metadata | {RELEASED: session})


def _head(session: str, minutes: int) -> "NotebookNode":
    from nbformat.v4 import new_markdown_cell

    return new_markdown_cell(
        f"# Exercises of session {session}\n\n"
        f"**Takes** about {minutes} minutes. Replace what is marked as yours, and run the check "
        "below each answer until it says *right*. You may add cells. Keep the names of the "
        "functions.\n\n"
        "Before you hand in: restart the kernel, run all cells, and save.",
        id=f"nb{session}-release",
    )
