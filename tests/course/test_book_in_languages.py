"""The book in other languages: nothing stays English that could be translated."""

import json
import re

import pytest
from helpers.books import Page, Prose

from recallkit.course.book.language import EnglishSlugs
from recallkit.course.translation import Language, has_words, words_of_module

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"
)
NAMES = re.compile(r"\b(recallkit(\.labels)?|Furo)\b")
FORGOTTEN = re.compile(r"[A-Za-z]{2}")


@pytest.mark.parametrize("name", ["00_quickstart", "index", "guide/README"])
def test_no_english_is_left_in_the_prose_of_a_page(name, pseudo_book):
    texts = Prose(pseudo_book / f"{name}.html").texts
    assert len(texts) > 20
    left = [text for text in texts if FORGOTTEN.search(NAMES.sub("", text))]
    assert left == []


def test_no_english_is_left_in_explorables_and_forms(pseudo_book):
    page = (pseudo_book / "00_quickstart.html").read_text(encoding="utf-8")
    modules = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    assert len(modules) == 3
    for module in modules:
        words = json.JSONDecoder().raw_decode(module[module.index('"words": ') + 9 :])[0]
        english = words_of_module(module.replace("<\\/", "</"))
        assert {key for key, text in english.items() if has_words(text)} <= {*words}
        assert [
            text for text in words.values() if FORGOTTEN.search(re.sub(r"{\w+}", "", text))
        ] == []


def test_each_page_says_its_language_and_direction(pseudo_book):
    pages = [Page(path) for path in pseudo_book.rglob("*.html")]
    said = {(html["lang"], html["dir"]) for page in pages for html in page.all("html")}
    assert said == {("ar-XB", "rtl")}
    assert len(pages) > 5


def test_takeaways_are_known_in_every_language(pseudo_book):
    page = (pseudo_book / "00_quickstart.html").read_text(encoding="utf-8")
    assert page.count('class="takeaway"') >= 5


def test_headings_keep_their_english_anchors():
    german = EnglishSlugs(Language("de", {"The `code` of it": "Sein `code`"}))
    assert german("Sein code") == "the-code-of-it"
    assert german("Unknown title") == "unknown-title"
    pseudo = Language("en-XA")
    assert EnglishSlugs(pseudo)(pseudo("How to read")) == "how-to-read"
