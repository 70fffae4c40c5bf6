"""Additions for screen readers that the theme and Sphinx leave out."""

import re
from typing import Any

from sphinx.application import Sphinx

AFTER_THE_THEME = 900  # which adds its navigation at 500
LINES_OF_A_SIGNATURE = re.compile(r"<dl>\s*(<dd>(?:(?!<dl|</dl>).)*)</dl>", re.DOTALL)


def connect(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.connect("html-page-context", _mend, priority=AFTER_THE_THEME)


def _mend(app: Sphinx, name: str, template: str, context: dict[str, Any], document: object) -> None:
    tree = "furo_navigation_tree"
    context[tree] = with_levels(context.get(tree, ""))
    if "body" in context:
        context["body"] = as_lines(context["body"])


def with_levels(navigation: str) -> str:
    """Give the headings of the navigation their level."""
    return navigation.replace('role="heading">', 'role="heading" aria-level="2">')


def as_lines(body: str) -> str:
    """Make the parameters of a signature, one a line, lines; Sphinx makes a broken list of them."""

    def lines(found: re.Match[str]) -> str:
        spans = found[1].replace("<dd>", '<span class="signature-line">')
        return f'<span class="signature-lines">{spans.replace("</dd>", "</span>")}</span>'

    return LINES_OF_A_SIGNATURE.sub(lines, body)
