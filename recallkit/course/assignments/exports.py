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
from recallkit.errors import RecallkitError
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
        folder: of the course, where ``nbgrader`` runs.

    Returns:
        The path of the notebook.

    Raises:
        RecallkitError: if there is no such session, or another file is in the way.
    """
    path = find_notebooks([session])[0]
    notebook = _read(path)
    cells = release_version(notebook, path.stem[:2]).cells
    hidden = {exercise.check.id: exercise for exercise in exercises_of(notebook)}
    starts = {exercise.start.id for exercise in hidden.values()}
    notebook.cells = []
    for cell in cells:
        if cell.id in starts:
            cell.metadata["nbgrader"] = _of_nbgrader(cell.id, solution=True)
        notebook.cells.append(cell)
        if cell.id in hidden:
            notebook.cells.append(_hidden_test(hidden[cell.id], secret))
    name = f"{path.stem}_exercises"
    out = folder / "source" / name / f"{name}.ipynb"
    write_new(_plain(notebook), out)
    _write_config(folder / "nbgrader_config.py")
    return out


def _hidden_test(exercise: Exercise, secret: str) -> "NotebookNode":
    source = f"# the point for this exercise\n### BEGIN HIDDEN TESTS\n{_test(exercise, secret)}\n"
    cell = _code(f"{source}### END HIDDEN TESTS", f"{exercise.start.id}-points")
    cell.metadata["nbgrader"] = _of_nbgrader(cell.id, grade=True, locked=True, points=1)
    return cell


def _of_nbgrader(name: str, **values: Any) -> dict[str, Any]:
    kinds = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"schema_version": 3, "grade_id": name} | kinds | values


def _write_config(path: Path) -> None:
    """Write the settings of nbgrader, unless there are some."""
    if not path.exists():
        write_atomically(path, lambda temporary: temporary.write_text(NBGRADER_CONFIG))


def export_otter(session: str, secret: str, folder: Path) -> Path:
    """Write an assignment for ``otter assign``: ``NAME.ipynb``.

    Args:
        session: the beginning of the notebook's name, "01".
        secret: a word that students do not know.
        folder: for the notebook.

    Returns:
        The path of the notebook.

    Raises:
        RecallkitError: if there is no such session, or another file is in the way.
    """
    path = find_notebooks([session])[0]
    notebook = _read(path)
    exercises = exercises_of(notebook)
    cells = release_version(notebook, path.stem[:2]).cells
    first = next(place for place, cell in enumerate(cells) if cell.id == exercises[0].task.id)
    questions = [part for exercise in exercises for part in _question(exercise, secret)]
    notebook.cells = [_raw(OTTER_CONFIG), *cells[:first], *questions]
    out = folder / f"{path.stem}_exercises.ipynb"
    write_new(_plain(notebook), out)
    return out


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
        deepcopy(exercise.check),
    ]


def _test(exercise: Exercise, secret: str) -> str:
    """The code that fails, naming what is wrong, unless the answer is right."""
    call = f'"{exercise.name}", {exercise.function}, seed={seed_of(secret, exercise.name)}'
    return (
        "from recallkit import course\n"
        f"wrong = course.problems({call}, seconds={HIDDEN_SECONDS})\n"
        "assert not wrong, wrong[0]"
    )


def _read(path: Path) -> "NotebookNode":
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    if not exercises_of(notebook):
        raise RecallkitError(f"{path.name} has no exercises")
    return notebook


def _plain(notebook: "NotebookNode") -> "NotebookNode":
    """The notebook without outputs, and without the states of explorables."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _code(source: str, name: str) -> "NotebookNode":
    from nbformat.v4 import new_code_cell

    return new_code_cell(source, id=name)


def _raw(source: str) -> "NotebookNode":
    from nbformat.v4 import new_raw_cell

    return new_raw_cell(source)
