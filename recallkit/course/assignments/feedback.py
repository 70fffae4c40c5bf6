"""The table of points for the teacher, and a page for each student."""

import csv
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from recallkit.course.assignments.grading import Graded, Submission
from recallkit.errors import RecallkitError
from recallkit.files import file_name, write_atomically

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; } h2 { font-size: 1.1rem; margin: .5rem 0; }
section { border-top: 1px solid #8888; padding: .5rem 0; }
.right { color: #0a7a3d; } .wrong { color: #b3261e; }
ul { padding-left: 1.25rem; }
pre { overflow-x: auto; background: #8882; padding: .75rem; border-radius: 4px; font-size: .85rem; }
@media (prefers-color-scheme: dark) { .right { color: #6fdc9b; } .wrong { color: #ff8a80; } }
"""
FORMULA = ("=", "+", "-", "@")  # begins a text that spreadsheets compute


def page_paths(submissions: Sequence[Submission], folder: Path) -> dict[str, Path]:
    """Return student → the path of the page; names that some system takes for one get a number."""
    pages: dict[str, Path] = {}
    taken: set[str] = set()
    for number, submission in enumerate(submissions, 1):
        name = file_name(submission.student)
        if name.casefold() in taken:
            name = f"{name}-{number}"
        taken.add(name.casefold())
        pages[submission.student] = folder / f"{name}.html"
    return pages


def check_folder(submissions: Sequence[Submission], folder: Path) -> None:
    """Refuse a folder with an earlier grading.

    Raises:
        RecallkitError: if one of the files is there already, or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise RecallkitError(f"{folder} is a file. Name a folder for the grades: --to DIR")
    for path in (folder / "grades.csv", *page_paths(submissions, folder).values()):
        if path.exists():
            raise RecallkitError(f"{path} is there already. Add --overwrite, or name another --to")


def write_feedback(submissions: Sequence[Submission], folder: Path) -> None:
    """Write ``grades.csv``, and a page for each student, into a folder.

    Args:
        submissions: graded.
        folder: it is made if need be. Files of an earlier grading are replaced.

    Raises:
        RecallkitError: if it cannot be written.
    """
    pages = page_paths(submissions, folder)
    for submission in submissions:
        _write(pages[submission.student], page_of(submission))
    _write(folder / "grades.csv", "\ufeff" + grades_table(submissions))  # Excel wants the mark


def grades_table(submissions: Sequence[Submission]) -> str:
    """Return the points as CSV: a row a student, a column an exercise; empty if not handed in."""
    names = dict.fromkeys(name for submission in submissions for name in submission.graded)
    columns = sorted(names, key=lambda name: name.partition("/")[0])
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["student", *columns, "points", "of", "remarks"])
    for one in submissions:
        points = [one.graded[name].points if name in one.graded else "" for name in columns]
        remarks = "; ".join(one.remarks)
        row = [_text(one.student), *points, one.points, len(one.graded), _text(remarks)]
        writer.writerow(row)
    return file.getvalue()


def _text(value: str) -> str:
    """A text that a spreadsheet does not compute."""
    return f"'{value}" if value.startswith(FORMULA) else value


def page_of(submission: Submission) -> str:
    """Return the page of a student as HTML: each exercise with its points and what is wrong."""
    title = f"{escape(submission.student)}: {submission.points} of {len(submission.graded)} points"
    parts = [f"<p>{escape(remark)}</p>" for remark in submission.remarks]
    parts += map(_section, submission.graded.values())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{title}</h1>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _section(graded: Graded) -> str:
    exercise = graded.exercise
    verdict, text = ("wrong", "not right") if graded.wrong else ("right", "right")
    problems = "".join(f"<li>{escape(sentence)}</li>" for sentence in graded.wrong)
    listed = f"<ul>{problems}</ul>" if problems else ""
    code = f'<pre tabindex="0"><code>{escape(graded.code)}</code></pre>' if graded.code else ""
    return (
        f"<section><h2>{exercise.name}: {escape(exercise.title)}</h2>"
        f'<p class="{verdict}">{graded.points} of 1 point: {text}</p>{listed}{code}</section>'
    )


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
