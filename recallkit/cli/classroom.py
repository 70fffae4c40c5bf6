"""The subcommand ``class``: hand out exercises, grade what comes back, show solutions."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional

from recallkit.cli.shared import call
from recallkit.errors import did_you_mean
from recallkit.files import expanded
from recallkit.ranges import Range


def class_(arguments: list[str]) -> None:
    """Teach with the course: hand out exercises, and grade them.

    release    Write a notebook with the exercises of a session alone.
    grade      Grade what students handed in: points, and a page for each student.
    solutions  Write the notebooks with their solutions open.
    export     Write an assignment for nbgrader or otter-grader.

    Examples:
      recallkit class release 01 --to handout
      recallkit class grade submitted --secret blackbird --to feedback
      recallkit class solutions --to instructor
      recallkit class export nbgrader 01 --secret blackbird --to course

    recallkit class COMMAND --help shows the options of a command.
    """
    match arguments:
        case [] | ["-h" | "--help", *_]:
            print(f"usage: recallkit class COMMAND [OPTIONS]\n\n{inspect.getdoc(class_)}")
            sys.exit(0)
        case [name, *rest] if name in COMMANDS:
            call(COMMANDS[name], f"class {name}", rest)
        case [name, *_]:
            hint = did_you_mean(name, COMMANDS) or "recallkit class --help lists them"
            print(f"recallkit: error: class has no command {name!r}; {hint}", file=sys.stderr)
            sys.exit(2)


def release(session: Positional[str], to: Path) -> None:
    """Write a notebook with the exercises of a session alone.

    It has the code that the exercises need, then task, hint, start and check of each. Students work
    in it, and hand in the file.

    Examples:
      recallkit class release 01 --to handout

    Args:
        session: the number of the session, 01.
        to: the folder for the notebook. A notebook that differs is not overwritten.
    """
    from recallkit.course.assignments.handing_out import write_release

    print(f"wrote {write_release(session, expanded(to))}")


def grade(
    submitted: Positional[Path],
    secret: str,
    to: Path,
    seconds: Annotated[float, Range(0.1, 3600)] = 10.0,
    overwrite: bool = False,
) -> None:
    """Grade what students handed in: points, and a page for each student.

    Writes grades.csv and a page NAME.html for each student. A student is a notebook NAME.ipynb, or
    a folder NAME with notebooks. An answer is found by the name of its function, else by the id of
    its cell; of several the last counts. Copied, moved, deleted or retyped cells do no harm. A
    right answer has 1 point. A file that is no notebook is named, and the others are graded.

    The inputs of the checks are drawn from the secret, so copied numbers earn nothing. The code of
    a student runs in a process of its own, with limits of time and memory. On Linux it has no
    network and can write no file, where the system allows that; what is not limited is printed.

    Examples:
      recallkit class grade submitted --secret blackbird --to feedback
      recallkit class grade submitted --secret blackbird --to feedback --overwrite

    Args:
        submitted: the folder with what students handed in.
        secret: a word that students do not know. The same word gives the same grades.
        to: the folder for the grades.
        seconds: that a cell or the check of an answer may compute.
        overwrite: replace the files of an earlier grading.
    """
    from recallkit.course.assignments.feedback import check_folder, write_feedback
    from recallkit.course.assignments.grading import find_submissions, grade_all
    from recallkit.course.assignments.isolation import Limits

    submissions, to = find_submissions(expanded(submitted)), expanded(to)
    if not overwrite:
        check_folder(submissions, to)
    for sentence in sorted(grade_all(submissions, secret, Limits(seconds))):
        print(f"note: {sentence}")
    for one in submissions:
        for remark in one.remarks:
            print(f"note: {one.student}: {remark}")
    write_feedback(submissions, to)
    print(f"graded {len(submissions)} students: {to / 'grades.csv'}, and a page for each")


def solutions(to: Path, sessions: Positional[tuple[str, ...]] = ()) -> None:
    """Write the notebooks with their solutions open.

    Examples:
      recallkit class solutions --to instructor
      recallkit class solutions 01 02 --to instructor

    Args:
        to: the folder for the notebooks. A notebook that differs is not overwritten.
        sessions: the numbers of the sessions. The default: all.
    """
    from recallkit.course.assignments.handing_out import write_solutions

    for path in write_solutions(sessions, expanded(to)):
        print(f"wrote {path}")


def export(
    form: Positional[Literal["nbgrader", "otter"]],
    session: Positional[str],
    secret: str,
    to: Path,
) -> None:
    """Write an assignment for nbgrader or otter-grader.

    It has the same exercises, checks and points as a release. The tests that give points are
    hidden, and their inputs are drawn from the secret. Whoever grades needs recallkit, too.

    For nbgrader, DIR/source/NAME and DIR/nbgrader_config.py are written; go on there with
    `nbgrader generate_assignment NAME`. For otter, go on with `otter assign NAME.ipynb dist`.

    Examples:
      recallkit class export nbgrader 01 --secret blackbird --to course
      recallkit class export otter 01 --secret blackbird --to course

    Args:
        form: the program that will grade.
        session: the number of the session, 01.
        secret: a word that students do not know.
        to: the folder to write to. A notebook that differs is not overwritten.
    """
    from recallkit.course.assignments.exports import export_nbgrader, export_otter

    write = export_nbgrader if form == "nbgrader" else export_otter
    print(f"wrote {write(session, secret, expanded(to))}")


COMMANDS: dict[str, Callable[..., Any]] = {
    "release": release,
    "grade": grade,
    "solutions": solutions,
    "export": export,
}
