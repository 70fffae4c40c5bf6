"""Markdown in another language: what is a message, and what stays as it was."""

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recallkit.course.notebooks import find_notebooks
from recallkit.course.translation import has_words, translate_markdown
from recallkit.files import embedded

GUIDE = sorted(embedded("notebooks").glob("guide/*.md"))


def same(message):
    return message


def shouted(text):
    """The text with its messages in capitals, and the messages."""
    found = []
    said = translate_markdown(text, lambda message: found.append(message) or message.upper())
    return said, found


@pytest.mark.parametrize(
    ("text", "said", "messages"),
    [
        ("# A title\n\nTwo\nlines.", "# A TITLE\n\nTWO LINES.", ["A title", "Two lines."]),
        ("- one\n- two\n  lines", "- ONE\n- TWO LINES", ["one", "two lines"]),
        ("1. one\n\n   more", "1. ONE\n\n   MORE", ["one", "more"]),
        ("> said\n> once", "> SAID ONCE", ["said once"]),
        ("| a row | b |\n| - | - |\n| a | to b |", "| A ROW | b |\n| - | - |\n| a | TO B |", None),
        ("| it | x \\| it |\n| - | - |", "| IT | X | IT |\n| - | - |", None),
        ("```sh\nls\n```\n\n    code", "```sh\nls\n```\n\n    code", []),
        ("$$ a \\text{ if } b $$", "$$ a \\text{ IF } b $$", ["if"]),
        ("$$\na = b\n$$", "$$\na = b\n$$", []),
        ("`code` $x$ 3", "`code` $x$ 3", []),
        ("{.takeaway}\n**It** says", "{.takeaway}\n**IT** SAYS", ["**It** says"]),
        (
            "<details><summary>A hint</summary>\n\nyes\n\n</details>",
            "<details><summary>A HINT</summary>\n\nYES\n\n</details>",
            ["A hint", "yes"],
        ),
        ('<img src="a_b.png" alt="an emoji">', '<img src="a_b.png" alt="AN EMOJI">', ["an emoji"]),
        ("<!-- a comment -->\n\nto b", "<!-- a comment -->\n\nTO B", ["to b"]),
        ("[](a.md)", "[](a.md)", []),
    ],
)
def test_blocks_are_messages(text, said, messages):
    assert shouted(text)[0] == said
    assert messages in (None, shouted(text)[1])


@pytest.mark.parametrize("path", [*GUIDE, *find_notebooks()[:2]], ids=lambda path: path.stem)
def test_without_a_translation_pages_stay_as_they_are(path):
    texts = [path.read_text(encoding="utf-8")]
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert [text for text in texts if translate_markdown(text, same) != text] == []


@given(st.text(alphabet="ab \n|-*#>`$<1.[]()", max_size=60))
def test_any_text_stays_without_a_translation(text):
    assert translate_markdown(text, same) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a word", True), ("`code`", False), ("$x + yz$", False), ("x 3 ½", False), ("日本", True)],
)
def test_words_are_for_translators(text, expected):
    assert has_words(text) is expected
