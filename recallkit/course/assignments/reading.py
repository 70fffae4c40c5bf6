"""The exercises of a session, read from the tagged cells of its notebook."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recallkit.course.notebooks import find_notebooks
from recallkit.errors import RecallkitError

if TYPE_CHECKING:
    from nbformat import NotebookNode

PARTS = (
    "exercise",
    "exercise/hint",
    "exercise/start",
    "exercise/check",
    "exercise/solution",
    "exercise/solution",
)
NEEDS = "exercise/needs"
SOLUTION = "exercise/solution"
KINDS = ("Warm-up", "By hand", "Code", "Derivation", "Experiment", "Open question")
LABEL = re.compile(rf"\*({'|'.join(KINDS)}) · (easy|medium|hard) · (\d+) minutes\*")
CHECK = re.compile(r'course\.check\("(\d\d)/(\w+)", (\w+)\)')


@dataclass(frozen=True)
class Exercise:
    """An exercise of a notebook.

    Attributes:
        name: session and function, "01/both_recalls".
        title: of its heading.
        kind: one of ``KINDS``.
        difficulty: easy, medium or hard.
        minutes: that a student needs.
        task, hint, start, check, words, solution: its cells; ``words`` explain the solution.
    """

    name: str
    title: str
    kind: str
    difficulty: str
    minutes: int
    task: "NotebookNode"
    hint: "NotebookNode"
    start: "NotebookNode"
    check: "NotebookNode"
    words: "NotebookNode"
    solution: "NotebookNode"

    @property
    def function(self) -> str:
        """The name of the function that the student writes."""
        return self.name.partition("/")[2]

    @property
    def solved(self) -> str:
        """The code of the solution under the name of the answer, without its assertion."""
        code = self.solution.source.removeprefix("# Solution\n").rpartition("\n\n\nassert ")[0]
        return re.sub(rf"\b{self.function}_solution\b", self.function, code)


def tags_of(cell: "NotebookNode") -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def read_session(session: str) -> "NotebookNode":
    """Read the notebook of a session that comes with recallkit.

    Args:
        session: the beginning of its name, "01".

    Raises:
        RecallkitError: if there is none.
    """
    import nbformat

    return nbformat.read(find_notebooks([session])[0], as_version=4)


def exercises_of(notebook: "NotebookNode") -> list[Exercise]:
    """Return the exercises of a notebook, in order.

    Raises:
        RecallkitError: if a cell of an exercise is missing.
    """
    parts = [cell for cell in notebook.cells if {*tags_of(cell)} & {*PARTS}]
    groups = [parts[i : i + len(PARTS)] for i in range(0, len(parts), len(PARTS))]
    return [_exercise(group) for group in groups]


def _exercise(cells: list["NotebookNode"]) -> Exercise:
    heading, _, rest = cells[0].source.partition("\n\n")
    label, name = LABEL.match(rest), CHECK.search(cells[min(3, len(cells) - 1)].source)
    is_whole = all(tag in tags_of(cell) for tag, cell in zip(PARTS, cells, strict=False))
    if len(cells) < len(PARTS) or not is_whole or label is None or name is None:
        raise RecallkitError(f"the exercise {heading.strip('# ')!r} of this notebook is not whole")
    kind, difficulty, minutes = label.groups()
    title = heading.partition(": ")[2]
    return Exercise(f"{name[1]}/{name[2]}", title, kind, difficulty, int(minutes), *cells)
