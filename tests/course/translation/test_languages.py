"""Languages: found beside the notebooks, read from catalogues, English where nothing is said."""

import pytest

from recallkit.course.translation import (
    VARIABLE,
    Language,
    find_language,
    languages_in,
    readers_language,
    texts_in,
)
from recallkit.errors import RecallkitError
from recallkit.files import embedded

CATALOGUE = """\
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"

msgid "one"
msgstr "eins"

#, fuzzy
msgid "two"
msgstr "zwei?"

msgid "three"
msgstr ""
"""


@pytest.fixture
def notebooks(tmp_path):
    folder = tmp_path / "locale/de/LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "a.po").write_text(CATALOGUE, encoding="utf-8")
    (folder / "b.po").write_text(CATALOGUE.replace("one", "1").replace("eins", "1!"), "utf-8")
    return tmp_path


def test_what_is_not_translated_or_fuzzy_stays_english(notebooks):
    german = find_language("de", notebooks)
    said = [german(message) for message in ("one", "1", "two", "three", "four")]
    assert said == ["eins", "1!", "two", "three", "four"]


def test_an_unknown_language_is_named_with_those_that_there_are(notebooks):
    assert languages_in(notebooks) == ["de"]
    with pytest.raises(RecallkitError, match=r"--language: .*'fr'; there are en, de, en-XA, ar-XB"):
        find_language("fr", notebooks)
    with pytest.raises(RecallkitError, match="did you mean en-XA"):
        find_language("enXA", notebooks)


@pytest.mark.parametrize("content", [b"garbage\n", b"\xff\xfe"])
def test_what_is_no_catalogue_is_named(content, tmp_path):
    (tmp_path / "a.po").write_bytes(content)
    with pytest.raises(RecallkitError, match=r"a\.po is not a catalogue of gettext"):
        texts_in(tmp_path / "a.po")


@pytest.mark.parametrize(
    ("code", "direction"), [("en", "ltr"), ("de", "ltr"), ("ar-XB", "rtl"), ("he", "rtl")]
)
def test_the_direction_of_a_language(code, direction):
    assert Language(code).direction == direction


def test_the_language_of_the_reader(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert readers_language()("Quiz") == "Quiz"
    monkeypatch.setenv(VARIABLE, "de")
    assert readers_language()("rank") == "Rang"
    monkeypatch.setenv(VARIABLE, "xy")
    with pytest.raises(RecallkitError, match="'xy'"):
        readers_language()


def test_german_is_there():
    assert "de" in languages_in(embedded("notebooks"))
