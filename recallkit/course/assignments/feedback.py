"""The table of points for the teacher, and a page for each student."""

import csv
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from recallkit.course.assignments.grading import Graded, Submission
from recallkit.files import file_name, write_atomically

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #8888; padding: .5rem 0; }
h2 { font-size: 1.1rem; margin: .5rem 0; }
.right { color: #0a7a3d; } .wrong { color: #b3261e; }
pre { overflow-x: auto; background: #8882; padding: .75rem; border-radius: 4px; }
li { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { .right { color: #6fdc9b; } .wrong { color: #ff8a80; } }
"""


def write_feedback(submissions: Sequence[Submission], folder: Path) -> None:
    """Write ``grades.csv``, and ``NAME.html`` for each student, into a folder.

    Args:
        submissions: graded.
        folder: it is made if need be. Files of an earlier grading are replaced.

    Raises:
        RecallkitError: if it cannot be written.
    """
    _write(folder / "grades.csv", grades_table(submissions))
    for submission in submissions:
        _write(folder / f"{file_name(submission.student)}.html", page_of(submission))


def grades_table(submissions: Sequence[Submission]) -> str:
    """Return the points as CSV: a row a student, a column an exercise; empty if not handed in."""
    columns = [*dict.fromkeys(one.exercise.name for sub in submissions for one in sub.graded)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["student", *columns, "points", "of", "remarks"])
    for sub in submissions:
        points = {one.exercise.name: one.points for one in sub.graded}
        row = [points.get(name, "") for name in columns]
        of = len(sub.graded)
        writer.writerow([sub.student, *row, sub.points, of, "; ".join(sub.remarks)])
    return file.getvalue()


def page_of(submission: Submission) -> str:
    """Return the page of a student as HTML: each exercise with its points and what is wrong."""
    title = f"{escape(submission.student)}: {submission.points} of {len(submission.graded)} points"
    parts = [f"<p>{escape(remark)}</p>" for remark in submission.remarks]
    parts += [_section(graded) for graded in submission.graded]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{title}</h1>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _section(graded: Graded) -> str:
    exercise = graded.exercise
    verdict = "wrong" if graded.wrong else "right"
    said = "not right" if graded.wrong else "right"
    problems = "".join(f"<li>{escape(sentence)}</li>" for sentence in graded.wrong)
    code = f"<pre><code>{escape(graded.code)}</code></pre>" if graded.code else ""
    return (
        f"<section><h2>{escape(exercise.name)}: {escape(exercise.title)}</h2>"
        f'<p class="{verdict}">{graded.points} of 1 point: {said}</p>'
        + (f"<ul>{problems}</ul>" if problems else "")
        + f"{code}</section>"
    )


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
