"""Notebooks in another language: texts and the words of explorables; code and outputs stay."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from recallkit.course.explorables import Step
from recallkit.course.stored_widgets import STATE
from recallkit.course.translation import (
    VARIABLE,
    Language,
    course_in,
    translate_notebook,
    translated_words,
    words_of_module,
)
from recallkit.files import embedded


def test_texts_are_translated_and_code_is_not():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("one\ntwo"),
            new_code_cell("one", metadata={"alt": "one two"}),
            new_code_cell("one two", metadata={"alt": ["one two", "three"]}),
        ]
    )
    state = {"_esm": 'const WORDS = {\n  a: "one two",\n  b: "b",\n};', "words": {}}
    notebook.metadata["widgets"] = {STATE: {"state": {"a": {"state": state}}}}
    text, first, second = translate_notebook(notebook, Language("de", {"one two": "1"})).cells
    assert (text.source, first.source, second.source) == ("1", "one", "one two")
    assert (first.metadata["alt"], second.metadata["alt"]) == ("1", ["1", "three"])
    stored = notebook.metadata["widgets"][STATE]["state"]["a"]["state"]
    assert stored["words"] == {"a": "1"}


def test_the_last_dictionary_of_a_module_counts():
    module = 'const COMMON = { a: "1", b: "\\"2\\"" };\nexport const OWN_WORDS = {\n  a: "3",\n};\n'
    assert words_of_module(module + 'const OTHER = { c: "4" };') == {"a": "3", "b": '"2"'}
    assert translated_words(module, {"3": "drei", '"2"': '"2"'}.get) == {"a": "drei"}


def test_explorables_begin_in_the_language_of_the_reader(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Step().words == {}
    monkeypatch.setenv(VARIABLE, "de")
    assert Step().words["temperature"] == "Temperatur τ"
    assert Step(words={"title": "mine"}).words == {"title": "mine"}


@pytest.mark.parametrize(("code", "title"), [("en", "Relaxed ranking"), ("de", "Relaxierte Ränge")])
def test_the_course_in_a_language(code, title):
    with course_in(code) as folder:
        [first, *_] = nbformat.read(folder / "01_relaxed_ranking.ipynb", as_version=4).cells
        assert first.source.startswith(f"# 01 · {title}: ")
        assert (folder / "guide" / "README.md").is_file()
    assert embedded("notebooks").is_dir()
