"""Assignments in the forms of nbgrader and otter-grader, with the same checks and points.

The hidden test of an exercise is its check with a seed of the class's secret. Both programs cut it
out of what students get. Unlike :mod:`recallkit.course.assignments.grading`, they run all answers
of a student in one process; a check interrupts itself after some seconds.
"""

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recallkit.course.assignments.grading import seed_of
from recallkit.course.assignments.handing_out import write_new
from recallkit.course.assignments.reading import Exercise, exercises_of
from recallkit.course.assignments.versions import release_version
from recallkit.course.notebooks import find_notebooks
from recallkit.files import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode

HIDDEN_SECONDS = 10  # of the check that gives the point

NBGRADER_CONFIG = '''\
"""Settings of nbgrader for exercises of recallkit."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "recallkit"
c.ExecutePreprocessor.timeout = 60
c.ExecutePreprocessor.interrupt_on_timeout = True
# what nbgrader does by default, without ClearSolutions: the starts stay as they are
c.GenerateAssignment.preprocessors = [
    f"nbgrader.preprocessors.{name}"
    for name in (
        "IncludeHeaderFooter",
        "LockCells",
        "ClearOutput",
        "CheckCellMetadata",
        "ComputeChecksums",
        "SaveCells",
        "ClearHiddenTests",
        "ClearMarkScheme",
        "ComputeChecksums",
        "CheckCellMetadata",
    )
]
'''

OTTER_CONFIG = """\
# ASSIGNMENT CONFIG
init_cell: false
export_cell: false
check_all_cell: false
generate: true
files: []"""


def export_nbgrader(session: str, secret: str, folder: Path) -> Path:
    """Write an assignment for nbgrader: ``source/NAME/NAME.ipynb`` and ``nbgrader_config.py``.

    Args:
        session: the beginning of the notebook's name, "01".
        secret: a word that students do not know.
        folder: of the course, where ``nbgrader`` runs. Settings that are there stay.

    Returns:
        The path of the notebook.

    Raises:
        RecallkitError: if there is no such session, or another notebook is in the way.
    """
    name, notebook, exercises = _release(session)
    starts = {exercise.start.id for exercise in exercises}
    checked = {exercise.check.id: exercise for exercise in exercises}
    cells = []
    for cell in notebook.cells:
        if cell.id in starts:
            cell.metadata["nbgrader"] = _of_nbgrader(cell.id, solution=True)
        cells.append(cell)
        if cell.id in checked:
            cells.append(_hidden_test(checked[cell.id], secret))
    notebook.cells = cells
    path = folder / "source" / name / f"{name}.ipynb"
    write_new(notebook, path)
    settings = folder / "nbgrader_config.py"
    if not settings.exists():
        write_atomically(settings, lambda temporary: temporary.write_text(NBGRADER_CONFIG))
    return path


def _hidden_test(exercise: Exercise, secret: str) -> "NotebookNode":
    source = f"# the point for this exercise\n### BEGIN HIDDEN TESTS\n{_test(exercise, secret)}\n"
    cell = _code(f"{source}### END HIDDEN TESTS", f"{exercise.start.id}-points")
    cell.metadata["nbgrader"] = _of_nbgrader(cell.id, grade=True, locked=True, points=1)
    return cell


def _of_nbgrader(name: str, **values: Any) -> dict[str, Any]:
    kinds = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"schema_version": 3, "grade_id": name} | kinds | values


def export_otter(session: str, secret: str, folder: Path) -> Path:
    """Write an assignment for ``otter assign``: ``NAME.ipynb``.

    Args:
        session: the beginning of the notebook's name, "01".
        secret: a word that students do not know.
        folder: for the notebook.

    Returns:
        The path of the notebook.

    Raises:
        RecallkitError: if there is no such session, or another notebook is in the way.
    """
    name, notebook, exercises = _release(session)
    first = next(i for i, cell in enumerate(notebook.cells) if cell.id == exercises[0].task.id)
    questions = [part for exercise in exercises for part in _question(exercise, secret)]
    notebook.cells = [_raw(OTTER_CONFIG), *notebook.cells[:first], *questions]
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "raw":
            cell.id = f"otter-{place}"  # not a random one: an export comes again as it was
    path = folder / f"{name}.ipynb"
    write_new(notebook, path)
    return path


def _question(exercise: Exercise, secret: str) -> list["NotebookNode"]:
    start = exercise.start.source.replace('"""', "'''")
    answer = (
        f"# BEGIN SOLUTION NO PROMPT\n{exercise.solved}\n# END SOLUTION\n"
        f'""" # BEGIN PROMPT\n{start}\n"""; # END PROMPT'
    )
    return [
        _raw(f"# BEGIN QUESTION\nname: {exercise.function}\npoints: 1"),
        deepcopy(exercise.task),
        deepcopy(exercise.hint),
        _raw("# BEGIN SOLUTION"),
        _code(answer, exercise.start.id),
        _raw("# END SOLUTION"),
        _raw("# BEGIN TESTS"),
        _code(f"# HIDDEN\n{_test(exercise, secret)}", f"{exercise.start.id}-points"),
        _raw("# END TESTS"),
        _raw("# END QUESTION"),
        _code(exercise.check.source, exercise.check.id),
    ]


def _test(exercise: Exercise, secret: str) -> str:
    """The code that fails, naming what is wrong, unless the answer is right."""
    call = f'"{exercise.name}", {exercise.function}, seed={seed_of(secret, exercise.name)}'
    return (
        "from recallkit import course\n"
        f"wrong = course.problems({call}, seconds={HIDDEN_SECONDS})\n"
        "assert not wrong, wrong[0]"
    )


def _release(session: str) -> tuple[str, "NotebookNode", list[Exercise]]:
    """The name of a release, its notebook, and its exercises."""
    import nbformat

    path = find_notebooks([session])[0]
    notebook = nbformat.read(path, as_version=4)
    released = release_version(notebook, path.stem[:2])
    return f"{path.stem}_exercises", released, exercises_of(notebook)


def _code(source: str, name: str) -> "NotebookNode":
    from nbformat.v4 import new_code_cell

    return new_code_cell(source, id=name)


def _raw(source: str) -> "NotebookNode":
    from nbformat.v4 import new_raw_cell

    return new_raw_cell(source)
