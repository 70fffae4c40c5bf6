"""The same keys in JupyterLab and in the book give the same sentences and the same values."""

import nbformat
import pytest
from helpers.books import show_answers
from helpers.controls import press
from helpers.lab_pages import READY
from helpers.waiting import wait
from nbformat.sign import NotebookNotary

pytestmark = pytest.mark.browser

CHAPTER = "01_relaxed_ranking"
FIGURES = 2  # that it has
HANDLES = 3  # of each, at most
FIGURE = ".rk:not(.rk-predict):has(svg)"
SHOWN = """
const texts = (selector, read) => [...arguments[0].querySelectorAll(selector)].map(read);
return [
  texts('[role=status]', (one) => one.textContent),
  texts('[role=slider]', (one) => [one.ariaLabel, one.ariaValueNow, one.ariaValueText]),
  texts('.rk-knob output', (one) => one.textContent),
];
"""


def test_a_walk_shows_the_same_in_both(lab, book, browser):
    name = f"{CHAPTER}.ipynb"
    stored = nbformat.read(lab.folder / name, as_version=4)
    NotebookNotary(data_dir=str(lab.folder.parent / "data")).sign(stored)
    browser.get(lab(name))
    show_answers(browser, CHAPTER, True)
    browser.execute_async_script(READY)
    in_lab = walk(browser)
    browser.get((book / f"{CHAPTER}.html").as_uri())
    show_answers(browser, CHAPTER, True)
    assert walk(browser) == in_lab


def walk(browser):
    """What each figure shows at first and after two keys on each of some handles."""
    figures = wait(lambda: _figures(browser))
    seen = [step for figure in figures for step in _steps(browser, figure)]
    assert len(seen) == len(set(map(str, seen))) > 3 * FIGURES  # each key changes something
    return seen


def _figures(browser):
    found = browser.find_elements("css selector", FIGURE)
    return found if len(found) == FIGURES else None


def _steps(browser, figure):
    from selenium.webdriver.common.keys import Keys

    yield browser.execute_script(SHOWN, figure)
    for handle in figure.find_elements("css selector", "[role=slider]")[:HANDLES]:
        for key in (Keys.HOME, Keys.PAGE_UP):
            before = browser.execute_script(SHOWN, figure)
            press(browser, handle, key)
            wait(lambda before=before: browser.execute_script(SHOWN, figure) != before)
            yield browser.execute_script(SHOWN, figure)
