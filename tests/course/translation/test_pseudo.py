"""Pseudo-languages exchange letters, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recallkit.course.translation import Language, pseudo

CODES = ["en-XA", "ar-XB"]
KEPT = [
    *("`code`", "$x + y$", "<b>", "](a.md)", "https://a.b", "{name}", "%(n)s", "%s", "&#169;"),
    ":mod:`a`",
]


@pytest.mark.parametrize("code", CODES)
def test_code_formulas_tags_addresses_and_values_stay(code):
    text = f"a word {' word '.join(KEPT)} word"
    said = pseudo(text, code)
    assert all(part in said for part in KEPT)
    rest = said
    for part in KEPT:
        rest = rest.replace(part, "")
    assert not re.search("[A-Za-z]", rest)


@pytest.mark.parametrize("code", CODES)
def test_what_tags_and_formulas_say_does_not_stay(code):
    said = pseudo('<img src="a.png" alt="an image"> $a \\text{ if } b$', code)
    assert "a.png" in said
    assert not re.search("image|if", said)


@pytest.mark.parametrize("code", CODES)
@given(text=st.text(alphabet=st.characters(codec="ascii", categories=["L", "P", "Zs"])))
def test_a_text_can_be_read_back(code, text):
    language = Language(code)
    assert language.plain(language(text)).lower() == text.lower()
