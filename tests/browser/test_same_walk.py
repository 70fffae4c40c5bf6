"""The same keys in JupyterLab and in the book give the same sentences and the same values."""

import json

import nbformat
import pytest
from helpers.books import COURSE
from helpers.controls import press
from helpers.lab_pages import READY
from helpers.waiting import wait
from nbformat import v4
from nbformat.sign import NotebookNotary

from recallkit.course.stored_form import KERNEL
from recallkit.course.stored_widgets import STATE

pytestmark = pytest.mark.browser

FIGURES = {  # chapter → the cell that shows a figure; most of them lie behind a prediction
    "01_relaxed_ranking": "nb01-34",
    "03_two_definitions": "nb03-14",
    "05_simix": "nb05-06",
    "06_batch_size": "nb06-08",
    "07_temperatures_and_k": "nb07-12",
    "10_pairs_or_ranks": "nb10-11",
}
FIGURE = ".rk:not(.rk-predict):has(> svg[role=group])"
TITLE = "return arguments[0].querySelector('svg[role=group]').ariaLabel"
SHOWN = """
const texts = (selector, read) => [...arguments[0].querySelectorAll(selector)].map(read);
return [
  texts('[role=status]', (one) => one.textContent),
  texts('[role=slider]', (one) => [one.ariaLabel, one.ariaValueNow, one.ariaValueText]),
  texts('.rk-knob output', (one) => one.textContent),
];
"""
UNFOLD = """
for (const chapter of arguments[0])
  localStorage.setItem(`recallkit predictions: ${chapter}`, '{"answers": {}, "all": true}');
"""


def test_a_walk_shows_the_same_in_both(lab, book, browser):
    open_gathered(lab, browser)
    figures = wait(lambda: _figures(browser, len(FIGURES)))
    in_lab = {browser.execute_script(TITLE, figure): walk(browser, figure) for figure in figures}
    assert len(in_lab) == len(FIGURES)
    browser.get((book / "index.html").as_uri())
    browser.execute_script(UNFOLD, [*FIGURES])
    for chapter, (title, seen) in zip(FIGURES, in_lab.items(), strict=True):
        browser.get((book / f"{chapter}.html").as_uri())
        assert walk(browser, wait(lambda title=title: _called(browser, title))) == seen, chapter


def open_gathered(lab, browser):
    """Open a trusted notebook with the stored figures: one load for all, and no kernel is asked."""
    notebook = gathered()
    nbformat.write(notebook, lab.folder / "gathered.ipynb")
    NotebookNotary(data_dir=str(lab.folder.parent / "data")).sign(notebook)
    browser.get(lab("gathered.ipynb"))
    browser.execute_async_script(READY)


def gathered():
    """A notebook of the cells of :data:`FIGURES`, as their notebooks have stored them."""
    stored = {name: nbformat.read(COURSE / f"{name}.ipynb", as_version=4) for name in FIGURES}
    cells = [c for name, nb in stored.items() for c in nb.cells if c.id == FIGURES[name]]
    states = {}
    for notebook in stored.values():
        states |= json.loads(json.dumps(notebook.metadata.widgets[STATE].state))
    for cell in cells:
        cell.metadata.pop("tags", None)
    widgets = {STATE: {"state": states, "version_major": 2, "version_minor": 0}}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "widgets": widgets})


def _figures(browser, count):
    found = browser.find_elements("css selector", FIGURE)
    return found if len(found) == count else None


def _called(browser, title):
    """The figure of the page with this title; None before it is there."""
    found = browser.find_elements("css selector", FIGURE)
    named = [figure for figure in found if browser.execute_script(TITLE, figure) == title]
    return named[0] if named else None


def walk(browser, figure):
    """What a figure shows at first, and after each of two keys on its first handle."""
    from selenium.webdriver.common.keys import Keys

    handle = figure.find_element("css selector", "[role=slider]")
    now, lowest = (handle.get_attribute(f"aria-value{name}") for name in ("now", "min"))
    keys = (Keys.END, Keys.PAGE_DOWN) if now == lowest else (Keys.HOME, Keys.PAGE_UP)
    seen = [browser.execute_script(SHOWN, figure)]
    for key in keys:
        press(browser, handle, key)
        wait(lambda: browser.execute_script(SHOWN, figure) != seen[-1])
        seen.append(browser.execute_script(SHOWN, figure))
    return seen
