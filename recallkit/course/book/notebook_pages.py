"""Notebooks as they are stored → notebooks as a reader of the book wants them."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from recallkit.course.book import words
from recallkit.course.explorables.base import OF_WIDGETS
from recallkit.course.explorables.page import fragment
from recallkit.course.explorables.predictions import ANSWER, QUESTION, QUIZ, SCORE
from recallkit.course.stored_widgets import STATE, UNRUN_WIDGET, VIEW
from recallkit.course.translation import Say, translate_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

INSTALLS = re.compile(r"^\s*%pip ", re.MULTILINE)
MOVES_SLIDERS = re.compile(r"(?:live\.controls\[.*\n?)+")
CHECKED_BY_NBVAL = "# NBVAL_CHECK_OUTPUT\n"
PRINTED_TABLE = re.compile(r"((?:^\|.*\|\n?){2,})", re.MULTILINE)
WHOLE_PAGE = re.compile(r"<!DOCTYPE html>.*?(<style>.*?</style>).*?<body>(.*)</body>", re.DOTALL)
TAKEAWAY = re.compile(
    r"^(?=\*\*(?:What the (?:figures?|tables?|numbers) says?\.|\d+ \w+ 20\d\d\.)\*\*)", re.MULTILINE
)
HOW_JUPYTERLAB_UNFOLDS = re.compile(r"(?<=<summary>Solution) \([^()]*\)(?=</summary>)")


def prepare(notebook: "NotebookNode", say: Say) -> "NotebookNode":
    """Prepare a notebook for the book, in place, and return it.

    Cells that install or that only move sliders go. Solutions and checks of exercises are folded.
    Questions and what answers them get marks, which the forms of predictions look for.
    Tables that were printed as Markdown become tables. Explorables with a stored state are live.
    Takeaways get the class "takeaway". How JupyterLab unfolds a solution is left out. All is
    translated by ``say``.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown":  # before it is translated: it is known by its words
            cell.source = TAKEAWAY.sub("{.takeaway}\n", cell.source)
            cell.source = HOW_JUPYTERLAB_UNFOLDS.sub("", cell.source)
    translate_notebook(notebook, say)
    models = notebook.metadata.pop("widgets", {}).get(STATE, {}).get("state", {})
    notebook.cells = [cell for cell in notebook.cells if not _is_for_a_kernel(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _fold(cell, say)
            cell.source = cell.source.removeprefix(CHECKED_BY_NBVAL)
            cell.outputs = [
                shown for output in cell.outputs for shown in _shown(output, models, say)
            ]
        elif set(cell.metadata.get("tags", [])) & {QUESTION, ANSWER, SCORE, QUIZ}:
            cell.source = _marked(cell)
    return notebook


def _marked(cell: "NotebookNode") -> str:
    """The text of a cell between two marks, by which a script knows its beginning, tags and end."""
    tags = " ".join(cell.metadata["tags"])
    mark = f'<div class="rk-cell" data-id="{cell.id}" data-tags="{tags}"></div>'
    return f'{mark}\n\n{cell.source}\n\n<div class="rk-cell"></div>'


def cover_of(notebook: "NotebookNode") -> list[bytes]:
    """Return the figures, as PNG, of cells tagged "cover"."""
    tagged = [cell for cell in notebook.cells if "cover" in cell.metadata.get("tags", [])]
    data = [output.get("data", {}) for cell in tagged for output in cell.outputs]
    return [base64.b64decode(shown["image/png"]) for shown in data if "image/png" in shown]


def _is_for_a_kernel(cell: "NotebookNode") -> bool:
    source = cell.source.removeprefix(CHECKED_BY_NBVAL)
    is_code = cell.cell_type == "code"
    return is_code and bool(INSTALLS.search(source) or MOVES_SLIDERS.fullmatch(source))


def _fold(cell: "NotebookNode", say: Say) -> None:
    """Fold a solution with its output, and the code of a check.

    A check is also what has the tag "hide-input": assertions on the verdicts of stored runs. They
    would tell the answer before the reader has predicted it.
    """
    tags = cell.metadata.get("tags", [])
    if "remove-input" in tags:
        return
    if cell.source.startswith("def check_") or "hide-input" in tags:
        tag, prompt = "hide-input", say(words.CHECK)
    elif cell.metadata.get("jupyter", {}).get("source_hidden"):
        tag, prompt = "hide-cell", say(words.SOLUTION_CODE)
    else:
        return
    cell.metadata["tags"] = [*dict.fromkeys([*tags, tag])]
    cell.metadata["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt}


def _shown(output: "NotebookNode", models: Mapping[str, Any], say: Say) -> Iterator["NotebookNode"]:
    """The outputs that stand in the book for a stored one."""
    from nbformat.v4 import new_output

    if output.output_type == "stream":
        for number, part in enumerate(PRINTED_TABLE.split(output.text)):
            if number % 2:
                yield new_output("display_data", {"text/markdown": part})
            elif part.strip():
                yield new_output("stream", name=output.name, text=part.strip("\n") + "\n")
    elif page := WHOLE_PAGE.match(output.get("data", {}).get("text/html", "")):
        yield new_output("display_data", {"text/html": _part_of_page(*page.groups())})
    elif html := live_figure(output, models):
        yield new_output("display_data", {"text/html": html})
    elif output.get("data", {}).get("text/plain") == UNRUN_WIDGET:
        yield new_output("display_data", {"text/markdown": say(words.NEEDS_A_KERNEL)})
    else:
        yield output


def live_figure(output: "NotebookNode", models: Mapping[str, Any]) -> str:
    """Return an explorable as HTML that is live without a kernel; "" for any other output.

    Args:
        output: stored; an explorable names its model.
        models: name → model with its state, from the metadata of the notebook.
    """
    name = output.get("data", {}).get(VIEW, {}).get("model_id", "")
    state = models.get(name, {}).get("state", {})
    if "_esm" not in state:
        return ""
    values = {key: value for key, value in state.items() if key[0] != "_"}
    values = {key: value for key, value in values.items() if key not in OF_WIDGETS}
    return f'<div class="rk-live">{fragment(state["_esm"], values, name)}</div>'


def _part_of_page(style: str, body: str) -> str:
    """Make a whole HTML page a part of another page, where <main> and <h1> stand already."""
    for tag, other in (("main", "div"), ("h1", "h2")):
        body = re.sub(rf"(</?){tag}\b", rf"\1{other}", body)
    return f"<div>{style}{body}</div>"
