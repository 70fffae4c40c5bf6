"""The book in Firefox, where it is installed: every explorable mounts and answers keys."""

from contextlib import suppress

import pytest
from helpers.books import ALL_ANSWERS
from helpers.firefox import firefox, program
from helpers.waiting import comes, wait

pytestmark = pytest.mark.browser

FIGURES = "[...document.querySelectorAll('.rk-live .rk:has(svg)')]"
HANDLES = f"{FIGURES}.map((e) => e.querySelector('[role=slider], input[type=range]'))"
VALUE = "(e) => e.getAttribute('aria-valuetext') ?? e.value"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if program() is None:
        pytest.skip("needs Firefox: apt-get install firefox-esr")
    with firefox(tmp_path_factory.mktemp("firefox")) as opened:
        yield opened


def test_every_explorable_mounts_and_answers_keys(book, page):
    count = 0
    for chapter in sorted(book.glob("[0-9]*.html")):
        page.open(chapter.as_uri())
        page.run(ALL_ANSWERS)
        page.open("about:blank")
        page.open(chapter.as_uri())
        figures, mounted = page.run(
            f"return [document.querySelectorAll('.rk-live:has(svg)').length, {HANDLES}.length]"
        )
        assert mounted == figures
        for number in range(figures):
            moved = [moves(page, number, key) for key in ("ArrowLeft", "ArrowRight")]
            assert any(moved), (chapter.name, number)
        count += figures
    assert count >= 11
    assert page.messages == []


def moves(page, number, key):
    """Whether a key moves the first control of a figure: not, if the control is at its end."""
    before = page.run(f"const e = {HANDLES}[{number}]; e.focus(); return ({VALUE})(e)")
    page.press(key)
    with suppress(AssertionError):
        wait(lambda: page.run(f"return ({VALUE})({HANDLES}[{number}])") != before, seconds=1)
        return True
    return False


def test_a_lecture_fits_and_moves(book, page):
    page.size(1280, 720)
    page.open("about:blank")
    page.open((book / "01_relaxed_ranking.html").as_uri() + "#lecture-4")
    page.run("document.activeElement.blur()")
    for step in range(5, 21):
        page.press("ArrowRight")
        comes(page, lambda page: page.run("return location.hash"), f"#lecture-{step}")
        ends = page.run(
            "return [Math.max(...[...document.querySelectorAll('[data-lecture-block=now]')]"
            ".map((e) => e.getBoundingClientRect().bottom)),"
            "document.querySelector('.lecture-bar').getBoundingClientRect().top]"
        )
        assert ends[0] <= ends[1] + 1
    page.press("Escape")
    shown = "return document.documentElement.hasAttribute('data-lecture')"
    comes(page, lambda page: page.run(shown), False)
    assert page.messages == []
