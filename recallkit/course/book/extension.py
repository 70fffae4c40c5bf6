"""The book's additions to Sphinx: alt texts, references, equations."""

import re
from inspect import Signature
from pydoc import locate
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from recallkit.course.book import accessibility, formulas, lecture, words
from recallkit.course.book.names import exists
from recallkit.course.translation import ENGLISH, Language

if TYPE_CHECKING:
    from sphinx.domains.python import PythonDomain
    from sphinx.environment import BuildEnvironment

WITHOUT_SECTIONS = ("attribute", "data", "property")
COLON = "\ue000"  # stands for a colon that napoleon would take for the end of a type
SECTION = re.compile(r"[A-Z]\w+:$")  # Args:, Raises:, …
COLUMNS = re.compile(r"\S {2,}\S|^ +\S", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register everything with Sphinx."""
    app.add_config_value("recallkit_language", lambda _: Language(ENGLISH), "env", Language)
    app.connect("doctree-read", _give_alt_texts)
    app.connect("doctree-read", _keep_intervals_whole)
    app.connect("doctree-read", _let_sentences_wrap)
    app.connect("missing-reference", _find_reference)
    keep_signatures(app)
    formulas.connect(app)
    lecture.connect(app)
    accessibility.connect(app)
    for priority, handler in ((400, _keep_equations), (401, _hide_colon), (600, _show_colon)):
        app.connect("autodoc-process-docstring", handler, priority=priority)  # napoleon: 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def keep_signatures(app: Sphinx) -> None:
    """Remove at the end the signatures that ``autodoc_preserve_defaults`` gives the functions.

    Their defaults are text, and the process goes on with the functions.
    """
    described: list[Any] = []

    def remember(app: Sphinx, function: Any, bound_method: bool) -> None:
        described.append(function)

    def remove(app: Sphinx, problem: Exception | None) -> None:
        for names in filter(None, (getattr(each, "__dict__", None) for each in described)):
            if _has_text_for_defaults(names.get("__signature__")):
                del names["__signature__"]

    app.connect("autodoc-before-process-signature", remember)
    app.connect("build-finished", remove)


def _has_text_for_defaults(given: Signature | None) -> bool:
    values = [] if given is None else [each.default for each in given.parameters.values()]
    return any(type(value).__name__ == "DefaultValue" for value in values)  # Sphinx's


def _give_alt_texts(app: Sphinx, document: nodes.document) -> None:
    """Give each figure of a cell the text in the cell's metadata ``alt``: one, or one a figure."""
    otherwise = app.config.recallkit_language(words.FIGURE_ALT)
    for cell in document.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            given = cell.get("cell_metadata", {}).get("alt", [])
            texts = [given] if isinstance(given, str) else list(given)
            for number, image in enumerate(cell.findall(nodes.image)):
                image["alt"] = texts[min(number, len(texts) - 1)] if texts else otherwise


def _keep_intervals_whole(app: Sphinx, document: nodes.document) -> None:
    """Let no line of a narrow cell end inside a number with its interval, such as 46.2 ± 0.8."""
    for cell in document.findall(nodes.entry):
        for text in list(cell.findall(nodes.Text)):
            text.parent.replace(text, nodes.Text(whole_intervals(text.astext())))


def whole_intervals(text: str) -> str:
    """Put spaces that do not break around each ±."""
    return text.replace(" ± ", "\u00a0±\u00a0")


def _let_sentences_wrap(app: Sphinx, document: nodes.document) -> None:
    """Mark what a cell prints as sentences: its long lines wrap, those of a table scroll."""
    for printed in document.findall(nodes.literal_block):
        if "output" in printed["classes"] and not has_columns(printed.astext()):
            printed["classes"].append("sentences")


def has_columns(text: str) -> bool:
    """Tell whether a text is a table: several lines, and spaces that align their words."""
    return "\n" in text.strip("\n") and bool(COLUMNS.search(text))


def _find_reference(
    app: Sphinx, env: "BuildEnvironment", node: addnodes.pending_xref, content: nodes.Element
) -> nodes.Node | None:
    """Find what a reference to Python means that Sphinx did not find; None: it leads nowhere.

    What the reference does not describe stays plain text: types in signatures, and what is public
    only inside the package.
    """
    if node.get("refdomain") != "py":
        return None
    python, target = cast("PythonDomain", env.get_domain("py")), node["reftarget"]
    last = "." + target.rpartition(".")[2]
    alike = [name for name in python.objects if name.endswith(last)]
    described = [name for name in alike if _is_meant(name, target)]
    if len(described) == 1:
        place = env, node["refdoc"], app.builder, "obj", described[0], node, content
        return python.resolve_xref(*place)
    return content if _is_annotation(node) or exists(target) else None


def _is_meant(name: str, target: str) -> bool:
    """Tell whether ``target`` ends a described object's name, or is another name of it."""
    return f".{name}".endswith(f".{target}") or (
        "." in target and locate(name) is locate(target) is not None
    )


def _is_annotation(node: nodes.Node) -> bool:
    parent = node.parent
    while parent is not None and not isinstance(parent, addnodes.desc_signature):
        parent = parent.parent
    return parent is not None


def _keep_equations(
    app: Sphinx, kind: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Make indented blocks literal: equations and programs between paragraphs of a docstring."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        before = next((text for text in reversed(kept) if text.strip()), "")
        begins = line.startswith("    ") and number > 0 and not lines[number - 1].strip()
        if begins and not before.startswith(" ") and not SECTION.match(before):
            kept += ["::", ""] if not before.endswith("::") else []
        kept.append(line)
    lines[:] = kept


def _hide_colon(
    app: Sphinx, kind: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    if kind in WITHOUT_SECTIONS:
        lines[:1] = [line.replace(":", COLON) for line in lines[:1]]


def _show_colon(
    app: Sphinx, kind: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    lines[:] = [line.replace(COLON, ":") for line in lines]
