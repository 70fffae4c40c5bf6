"""The first page of the book: one image, one sentence, and a box for each session."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recallkit.errors import RecallkitError

ROW = re.compile(
    r'^\| <img src="(?P<figure>[^"]+)"[^>]* alt="(?P<alt>[^"]+)">'
    r" \| \[\*\*(?P<title>.+?)\*\*\]\((?P<file>\S+?\.ipynb)\): (?P<question>.+?)"
    r" \| (?P<live>.+?) \| (?P<minutes>.+?) \| (?P<needs>.+?) \|$",
    re.MULTILINE,
)
TABLE = re.compile(r"^\|.*\n(?:^\|.*\n)+", re.MULTILINE)

HEAD = """\
# recallkit

:::{container} book-lead
Train image retrieval directly for recall@k, and understand why it works.
:::

:::{figure} cover.png
:alt: COVER_ALT
Two queries and their eight nearest images: by their pixels, by an untrained network, and after a
minute of training. Blue ✓: the same emoji; orange ✗: another. The queries are drawn at random, and
the network has never seen these emoji.
:::

:::{container} book-begin
[Begin: 00 · Quickstart](00_quickstart.ipynb)
:::
"""
COVER_ALT = (
    "Two queries with their eight nearest images in three rows each: by pixels, by an untrained "
    "network, by a trained network. Images of the query's emoji have a blue frame."
)


class Session(NamedTuple):
    """A row of the table in the README of the course.

    Attributes:
        figure: path of its small image.
        alt: what the image shows.
        title: number and name.
        file: name of its notebook.
        question: that it answers.
        live: what can be moved or run there.
        minutes: of reading + of computing.
        needs: what to read before.
    """

    figure: str
    alt: str
    title: str
    file: str
    question: str
    live: str
    minutes: str
    needs: str


def front_page(readme: str, notebooks: Sequence[Path], guide: Sequence[str]) -> str:
    """Return the first page, in MyST Markdown.

    Args:
        readme: that of the course. Its table becomes a box for each session; its title goes.
        notebooks: in their order.
        guide: the names of the guide's pages, in their order.

    Raises:
        RecallkitError: if the table has no row for a notebook, or a row for none.
    """
    sessions = sessions_of(readme)
    missing = {path.name for path in notebooks} ^ {session.file for session in sessions}
    if missing:
        names = ", ".join(sorted(missing))
        raise RecallkitError(
            f"the table in README.md of the course and the notebooks differ by {names}"
        )
    text = re.sub(r"\A# .*\n", "", readme)
    body = TABLE.sub(lambda _: _cards(sessions) + "\n", text, count=1)
    return "\n".join([HEAD.replace("COVER_ALT", COVER_ALT), body, _contents(sessions, guide)])


def sessions_of(readme: str) -> list[Session]:
    """Read the table of sessions."""
    return [Session(**match.groupdict()) for match in ROW.finditer(readme)]


def _cards(sessions: Sequence[Session]) -> str:
    cards = "\n".join(map(_card, sessions))
    return f"::::{{container}} book-sessions\n{cards}\n::::\n"


def _card(session: Session) -> str:
    question = session.question[0].upper() + session.question[1:]
    return f"""\
:::{{container}} book-session
![{session.alt}]({session.figure})

[{session.title}]({session.file})

{question}

Live: {session.live}.

{session.minutes} minutes, after {session.needs}.
:::
"""


def _contents(sessions: Sequence[Session], guide: Sequence[str]) -> str:
    course = [f"{session.title} <{Path(session.file).stem}>" for session in sessions]
    parts = {
        "The course": course,
        "The guide": [f"guide/{name}" for name in guide],
        "Reference": ["api/index", "cite"],
    }
    return "\n".join(_toctree(caption, lines) for caption, lines in parts.items())


def _toctree(caption: str, lines: Sequence[str]) -> str:
    head = f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
    return head + "\n".join(lines) + "\n```\n"
