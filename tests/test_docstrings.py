"""Texts in the code and in notebooks: plain first lines, words of the glossary."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from helpers.glossary import replaced_words

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "recallkit").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# First words of questions and of clauses: neither an imperative nor a noun phrase.
VAGUE = re.compile(r"(What|Whether|How|Which|Where|When|That|If|From|There|It|Is|Are)\b")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings_of(path):
    """Yield the place and the docstring of a module, and of its classes and functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", text


def texts_of(path):
    """Yield the line and the text of each string of several words."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def test_first_lines_are_imperatives_or_noun_phrases():
    found = [
        f"{place}: {text.splitlines()[0]}"
        for path in SOURCES
        for place, text in docstrings_of(path)
        if VAGUE.match(text)
    ]
    assert not found, "\n".join(found)


def test_strings_are_in_the_words_of_the_glossary():
    found = [
        f"{place}: {word}"
        for path in SOURCES
        for place, text in texts_of(path)
        for word in replaced_words(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_in_the_words_of_the_glossary(path):
    cells = nbformat.read(path, as_version=4).cells
    assert [word for cell in cells for word in replaced_words(cell.source)] == []


@pytest.mark.parametrize(
    "text", ["at the best rate", "one more picture", "the card's memory", "computed anew"]
)
def test_a_replaced_word_is_seen(text):
    assert len(replaced_words(text)) == 1
    assert (
        replaced_words("the learning rate, the data card, --learning-rate, learning\nrates") == []
    )
