"""BibTeX entries from CITATION.cff."""

from collections.abc import Mapping
from typing import Any

import yaml

from recallkit import __version__
from recallkit.course.book.words import CITE
from recallkit.course.translation import Say
from recallkit.files import embedded

PAGE = """\
# {title}

{message}

```bibtex
{software}

{paper}
```
"""


def citation_message() -> str:
    """Return the sentence of CITATION.cff that asks for a citation."""
    return _citation()["message"]


def citation_page(say: Say) -> str:
    """Return the page "How to cite", in Markdown, from CITATION.cff beside the notebooks."""
    citation = _citation()
    [paper] = citation["references"]
    return PAGE.format(
        title=say(CITE),
        message=say(citation["message"]),
        software=bibtex("software", "recallkit", software_fields(citation)),
        paper=bibtex("inproceedings", "patel2022recall", paper_fields(paper)),
    )


def _citation() -> Mapping[str, Any]:
    file = embedded("notebooks").parent / "CITATION.cff"  # in a checkout, and in a wheel
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def software_fields(citation: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of an entry for the software."""
    return {
        "author": authors(citation["authors"]),
        "title": f"{{{citation['title']}}}",
        "version": __version__,
        "license": citation["license"],
    }


def paper_fields(paper: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of an entry for a conference paper."""
    return {
        "author": authors(paper["authors"]),
        "title": f"{{{paper['title']}}}",
        "booktitle": paper["collection-title"],
        "year": str(paper["year"]),
        "url": paper["url"],
    }


def authors(people: list[Mapping[str, str]]) -> str:
    """Return names as BibTeX wants them; braces keep a group's name in one."""
    return " and ".join(
        f"{{{person['name']}}}"
        if "name" in person
        else f"{person['family-names']}, {person['given-names']}"
        for person in people
    )


def bibtex(kind: str, key: str, fields: Mapping[str, str]) -> str:
    """Return a BibTeX entry."""
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
