"""The minutes of a session, counted in its notebook: ``python -m recallkit.course.teaching``.

The command writes the counts into the page for teachers, and the minutes into the heads of the
notebooks and the tables of the course. A test proves that they are what the notebooks give.

Reading takes a minute for :data:`WORDS_A_MINUTE` words, and one more for each code cell and each
question. An exercise takes the minutes that it names. Nobody was timed: this is a rule, and the
same one for each session. It says which session is long, and how much to leave out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recallkit.course.explorables.predictions import QUESTION, QUIZ
from recallkit.course.notebooks import find_notebooks
from recallkit.errors import RecallkitError
from recallkit.files import checkout
from recallkit.findings.pages import with_block
from recallkit.tables import text_table

if TYPE_CHECKING:
    from nbformat import NotebookNode

WORDS_A_MINUTE = 200
"""A usual speed of silent reading; formulas make it slower, and a second language too."""

CELL_MINUTES = 1
"""To read about seven lines of code, run them, and look at what comes out."""

QUESTION_MINUTES = 1
"""To think before one answers: a prediction, or a question of the quiz."""

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
NO_WORDS = re.compile(r"```.*?```|\$\$.*?\$\$|\$[^$\n]+\$|<[^>]+>|\]\([^)]*\)", re.DOTALL)
WORD = re.compile(r"[^\W\d_][\w'’-]*")
NAMED = re.compile(r" (\d+) minutes\*")
FURTHER = "### Further reading"
TAKES = re.compile(r"(?<=\*\*Takes\*\* about )\d+(?= minutes with the exercises)")
PAGE = "guide/teaching.md"


@dataclass
class Section:
    """The part of a notebook under one heading.

    Attributes:
        title: of the heading; "" for what stands before the first one.
        words: of its text, without formulas, code and the solutions of exercises.
        cells: of code that a reader sees and runs.
        questions: predictions and questions of the quiz.
        exercises: the minutes of each exercise.
    """

    title: str
    words: int = 0
    cells: int = 0
    questions: int = 0
    exercises: list[int] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        """Minutes for all of it."""
        reading = self.words / WORDS_A_MINUTE + CELL_MINUTES * self.cells
        return reading + QUESTION_MINUTES * self.questions + sum(self.exercises)


def sections_of(notebook: "NotebookNode") -> list[Section]:
    """Count the sections of a notebook, from what its cells hold.

    Raises:
        ValueError: naming the cell of an exercise that names no minutes.
    """
    sections = [Section("")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            sections[-1].cells += _is_read(cell)
        else:
            _count_text(cell, sections)
    return sections


def _tags(cell: "NotebookNode") -> list[str]:
    return cell.metadata.get("tags", [])


def _is_of_exercise(cell: "NotebookNode") -> bool:
    return any(tag.partition("/")[0] == "exercise" for tag in _tags(cell))


def _is_read(cell: "NotebookNode") -> bool:
    """Tell whether a code cell is read: it is not folded, and no part of an exercise."""
    folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
    is_step = "exercise/needs" in _tags(cell) or not _is_of_exercise(cell)
    return is_step and not folded and not {"hide-input", "remove-input"} & {*_tags(cell)}


def _count_text(cell: "NotebookNode", sections: list[Section]) -> None:
    """Count a text cell, in the section that is open and in those that it begins."""
    if _is_of_exercise(cell):
        if "exercise" in _tags(cell):
            _count_exercise(cell, sections)
        return
    before, *parts = HEADING.split(cell.source.partition(FURTHER)[0])
    sections[-1].words += words_of(before)
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        sections.append(Section(title, words_of(text)))
    sections[-1].questions += bool({QUESTION, QUIZ} & {*_tags(cell)})


def _count_exercise(cell: "NotebookNode", sections: list[Section]) -> None:
    """Count an exercise by its minutes; all exercises are one section."""
    if sections[-1].title != "Exercises":
        sections.append(Section("Exercises"))
    named = NAMED.search(cell.source)
    if named is None:
        raise ValueError(f"the exercise in cell {cell.id} names no minutes")
    sections[-1].exercises.append(int(named[1]))


def words_of(text: str) -> int:
    """Count the words of Markdown, without formulas, code blocks, tags and addresses of links."""
    return len(WORD.findall(NO_WORDS.sub(" ", text)))


def minutes_of(sections: list[Section]) -> int:
    """Minutes of a whole session, to the next five."""
    return 5 * round(sum(section.minutes for section in sections) / 5)


def counted() -> dict[str, list[Section]]:
    """Count all notebooks of the course: number of a session → its sections."""
    import nbformat

    paths = find_notebooks()
    return {path.name[:2]: sections_of(nbformat.read(path, as_version=4)) for path in paths}


def overview(course: Mapping[str, list[Section]]) -> str:
    """Tabulate what is counted, a row for each session."""
    header = ["session", "words", "cells", "questions", "exercises"]
    header += ["minutes", "+ exercises", "= all"]
    rows = []
    for number, sections in course.items():
        exercises = [minutes for section in sections for minutes in section.exercises]
        total, extra = minutes_of(sections), 5 * round(sum(exercises) / 5)
        words = round(sum(section.words for section in sections), -2)
        counts = [sum(s.cells for s in sections), sum(s.questions for s in sections)]
        row = [f"{words:,}", *map(str, counts), str(len(exercises)), str(total - extra)]
        rows.append([number, *row, str(extra), str(total)])
    return text_table(header, rows)


def section_table(sections: list[Section]) -> str:
    """Tabulate the minutes of the sections of one session."""
    rows = [[section.title or "Head", str(round(section.minutes))] for section in sections]
    return text_table(["section", "minutes"], rows)


def filled(text: str, course: Mapping[str, list[Section]]) -> str:
    """Return the text of the page for teachers with every block written again.

    Raises:
        ValueError: naming a block that is not there exactly once.
    """
    text = with_block(PAGE, text, "minutes", overview(course))
    for number, sections in course.items():
        text = with_block(PAGE, text, f"session-{number}", section_table(sections))
    return text


def with_minutes(text: str, course: Mapping[str, list[Section]]) -> str:
    """Return a page with the minutes of each session in the row of its table.

    A row links to the notebook of the session, and has a cell of minutes of the form "40 + 1".
    """
    for number, sections in course.items():
        row = rf"(?m)^(\|[^\n]*\b{number}_\w+\.ipynb\)[^\n]*\| )\d+(?= \+ \d+ \|)"
        text = re.sub(row, rf"\g<1>{minutes_of(sections)}", text)
    return text


def renewed(root: Path) -> dict[Path, str]:
    """Return what the files that say how long sessions take should hold.

    Args:
        root: of a checkout.
    """
    course, notebooks = counted(), root / "notebooks"
    page = notebooks / PAGE
    texts = {page: filled(page.read_text(encoding="utf-8"), course)}
    for path in (root / "README.md", notebooks / "README.md"):
        texts[path] = with_minutes(path.read_text(encoding="utf-8"), course)
    for path in find_notebooks(folder=notebooks):
        minutes = str(minutes_of(course[path.name[:2]]))
        texts[path] = TAKES.sub(minutes, path.read_text(encoding="utf-8"), count=1)
    return texts


def main() -> None:
    """Write how long the sessions take.

    Raises:
        RecallkitError: if recallkit does not run from a checkout.
    """
    root = checkout()
    if root is None:
        raise RecallkitError("the pages are in a checkout, and recallkit is installed")
    for path, text in renewed(root).items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
