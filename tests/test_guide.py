"""Pages of the guide that explain: they name sessions, arguments and papers that exist."""

import inspect
import re
from ast import literal_eval
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import get_args

import nbformat
import pytest

import recallkit
from recallkit.config import Loss
from recallkit.course.notebooks import find_notebooks

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
GUIDE = NOTEBOOKS / "guide"
ENTRY = re.compile(r"^## (.+)\n\n((?:.+\n)+)\nSession \[(\d\d)\]\(\.\./(\S+\.ipynb)\)$", re.M)
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"[\w.]+")
ARGUMENT = re.compile(r"([\w.]+)\((\w+)\)")
REFERENCE = re.compile(r"^- \*\*(.+? (\d{4}))\*\*: (.+?)(?=^- |\Z)", re.S | re.M)
CITED = re.compile(r"\b((?:Oh )?[^\W\d_][\w-]+ (?:19|20)\d\d)\b")


def page(name):
    return (GUIDE / name).read_text(encoding="utf-8")


def rows(text):
    """The rows of all tables below their heads, as lists of cells."""
    tables = re.findall(r"^\|.+\n\| -.+\n((?:\|.+\n)+)", text, re.M)
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for table in tables
        for line in table.splitlines()
    ]


@cache
def text_of(notebook):
    cells = nbformat.read(NOTEBOOKS / notebook, as_version=4).cells
    return " ".join(cell.source for cell in cells).replace("*", "")


def occurs(name, notebook):
    """Whether a word of the notebook begins with the name, in whatever case."""
    pattern = r"\s+".join(map(re.escape, name.split()))
    return re.search(rf"(?<!\w){pattern}", text_of(notebook), re.IGNORECASE) is not None


def entries():
    return [match.groups() for match in ENTRY.finditer(page("glossary.md"))]


def arguments():
    """Every "function(argument)" of the page of symbols."""
    return sorted(set(ARGUMENT.findall(" ".join(CODE.findall(page("symbols.md"))))))


def parameter(function, argument):
    return inspect.signature(attrgetter(function)(recallkit)).parameters[argument]


def test_the_glossary_is_whole_and_in_alphabetical_order():
    terms = re.findall(r"^## (.+)$", page("glossary.md"), re.M)
    assert [term for term, *_ in entries()] == terms
    assert 40 <= len(terms) <= 75
    assert terms == sorted(terms, key=str.lower)
    assert len({term.lower() for term in terms}) == len(terms)


@pytest.mark.parametrize(
    ("term", "text", "number", "notebook"),
    [pytest.param(*entry, id=entry[0]) for entry in entries()],
)
def test_a_term_occurs_in_the_session_that_introduces_it(term, text, number, notebook):
    assert NOTEBOOKS / notebook in find_notebooks([number], NOTEBOOKS)
    names = [term, *re.findall(r"\*\*`?(.+?)`?\*\*", text)]
    assert any(occurs(name, notebook) for name in names)


def test_explanations_are_short():
    assert [term for term, text, *_ in entries() if len(text) > 250 or text.count(". ") > 2] == []


def test_the_symbols_of_the_paper_are_explained():
    symbols = " ".join(row[0] for row in rows(page("symbols.md")))
    named = {part.strip("$,") for part in symbols.split()}
    assert named >= {"s", "r", r"\tau_1", r"\tau_2", "K", "k", "P", "Q", "N", "B", "D", r"\alpha"}
    assert r"$\tilde r$" in symbols


@pytest.mark.parametrize(("function", "argument"), arguments())
def test_a_symbol_names_an_argument_that_exists(function, argument):
    assert parameter(function, argument).name == argument


def test_other_names_in_the_code_exist():
    names = [code for row in rows(page("symbols.md")) for code in CODE.findall(row[4])]
    plain_names = [name for name in names if NAME.fullmatch(name)]
    assert len(plain_names) > 5
    assert [name for name in names if not (NAME.fullmatch(name) or ARGUMENT.fullmatch(name))] == []
    assert all(callable(attrgetter(name)(recallkit)) for name in plain_names)


def test_defaults_are_those_of_the_code():
    given = [(row[3], ARGUMENT.search(row[4])) for row in rows(page("symbols.md")) if row[3]]
    assert len(given) > 8
    for default, named in given:
        assert named, default
        assert parameter(*named.groups()).default == literal_eval(default), named[0]


def test_every_paper_has_title_venue_and_year():
    text = page("where-this-sits.md").partition("## References")[2]
    references = REFERENCE.findall(text)
    assert len(references) == text.count("\n- ")
    keys = [key for key, *_ in references]
    assert keys == sorted(keys)
    for key, year, source in references:
        authors, _, rest = " ".join(source.split()).partition(", *")
        assert key.split()[-2].split("-")[0] in authors, key
        assert re.fullmatch(rf".+\*, [A-Z].+ {year}", rest.strip()), key


def test_papers_are_cited_and_listed():
    text, _, references = page("where-this-sits.md").partition("## References")
    without_dates = re.sub(r"\*\*\d+ \w+ \d{4}\.\*\*", "", text)
    listed = {key for key, *_ in REFERENCE.findall(references)}
    assert set(CITED.findall(without_dates)) == listed


def test_losses_that_the_page_says_are_here_are_settings():
    found = [row for row in rows(page("where-this-sits.md")) if len(row) == 4 and "`" in row[3]]
    losses = [CODE.findall(row[3])[0] for row in found]
    assert len(losses) == len(set(losses)) == 9
    assert set(losses) <= set(get_args(Loss))


def test_no_table_is_wider_than_nine_columns():
    for name in ("where-this-sits.md", "symbols.md"):
        assert max(len(row) for row in rows(page(name))) <= 9
