"""The first page of the book: one image, one sentence, and a box for each session."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recallkit.course.book import words
from recallkit.course.translation import Say
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
LEAD
:::

:::{figure} cover.png
:alt: COVER_ALT
COVER_TEXT
:::

:::{container} book-begin
[BEGIN](00_quickstart.ipynb)
:::
"""
IN_HEAD = {
    "LEAD": words.LEAD,
    "COVER_ALT": words.COVER_ALT,
    "COVER_TEXT": words.COVER,
    "BEGIN": words.BEGIN,
}


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


def front_page(readme: str, notebooks: Sequence[Path], guide: Sequence[str], say: Say) -> str:
    """Return the first page, in MyST Markdown.

    Args:
        readme: that of the course, translated. Its table becomes a box for each session; its
            title goes.
        notebooks: in their order.
        guide: the names of the guide's pages, in their order.
        say: message → text, for what the page itself says.

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
    body = TABLE.sub(lambda _: _cards(sessions, say) + "\n", text, count=1)
    return "\n".join([_head(say), body, _contents(sessions, guide, say)])


def _head(say: Say) -> str:
    return re.sub("|".join(IN_HEAD), lambda found: say(IN_HEAD[found[0]]), HEAD)


def sessions_of(readme: str) -> list[Session]:
    """Read the table of sessions."""
    return [Session(**match.groupdict()) for match in ROW.finditer(readme)]


def _cards(sessions: Sequence[Session], say: Say) -> str:
    cards = "\n".join(_card(session, say) for session in sessions)
    return f"::::{{container}} book-sessions\n{cards}\n::::\n"


def _card(session: Session, say: Say) -> str:
    question = session.question[0].upper() + session.question[1:]
    return f"""\
:::{{container}} book-session
![{session.alt}]({session.figure})

[{session.title}]({session.file})

{question}

{say(words.LIVE).format(live=session.live)}

{say(words.MINUTES).format(minutes=session.minutes, needs=session.needs)}
:::
"""


def _contents(sessions: Sequence[Session], guide: Sequence[str], say: Say) -> str:
    course = [f"{session.title} <{Path(session.file).stem}>" for session in sessions]
    parts = {
        words.COURSE: course,
        words.GUIDE: [f"guide/{name}" for name in guide],
        words.REFERENCE: ["api/index", "cite"],
    }
    return "\n".join(_toctree(say(caption), lines) for caption, lines in parts.items())


def _toctree(caption: str, lines: Sequence[str]) -> str:
    head = f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
    return head + "\n".join(lines) + "\n```\n"
