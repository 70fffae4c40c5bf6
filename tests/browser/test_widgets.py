"""Every slider of every notebook, moved by keyboard in JupyterLab in a real browser."""

import re

import nbformat
import pytest
from helpers.lab_pages import HARMLESS, READY

from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import PROGRESS, code_cells

PRESSES = 5
SECONDS = 120  # for a figure to come: only one that never comes takes so long

RUN_ALL = """
const done = arguments[arguments.length - 1];
window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => done(true),
                                                                  error => done(String(error)));
"""
OUTPUTS = """
return window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
  .flatMap(cell => (cell.outputs || []).map(output => [output.output_type, output.name || '',
    output.ename ? output.ename + ': ' + output.evalue : String(output.text || '')]));
"""
ERRORS_IN_PAGE = """
return [...document.querySelectorAll('.jp-OutputArea-output')]
  .filter(area => /\\.(error|stderr)$/.test(area.dataset.mimeType || ''))
  .map(area => area.textContent);
"""
# The figures beside a slider, and the moment of the first change after the next key.
WATCH = """
const cell = arguments[0].closest('.jp-Cell-outputArea');
const figures = () => [...cell.querySelectorAll('img')];
const before = figures().map(image => image.src).join();
window.watched = {start: null, milliseconds: null, count: figures().length};
document.addEventListener('keydown', () => { window.watched.start = performance.now(); },
                          {capture: true, once: true});
const check = () => {
  const now = figures();
  const changed = now.length && now.map(image => image.src).join() !== before;
  if (!changed || window.watched.start === null || !now.every(image => image.complete)) return;
  clearInterval(timer);
  window.watched.milliseconds = performance.now() - window.watched.start;
};
const timer = setInterval(check, 4);
arguments[0].focus();
return before;
"""
NAME = """
const row = arguments[0].closest('.widget-slider');
return row?.querySelector('.widget-label')?.textContent || '';
"""


def has_widgets(path):
    source = "\n".join(cell.source for cell in code_cells(nbformat.read(path, as_version=4)))
    return re.search(r"\bwidgets\.explore_|\bipywidgets\.", source)


@pytest.mark.browser
@pytest.mark.parametrize(
    "path", list(filter(has_widgets, find_notebooks())), ids=lambda path: path.stem
)
def test_every_slider_redraws_its_figure(path, lab, browser, artefacts, note_times):
    browser.get(lab(path.name))
    browser.execute_async_script(READY)
    assert browser.execute_async_script(RUN_ALL) is True
    _no_errors(browser)
    sliders = _sliders(browser)
    assert sliders, "no slider in this notebook"
    times = {}
    for number, slider in enumerate(sliders):
        name = browser.execute_script(NAME, slider)
        assert name, "a slider without a description"
        times[f"{number + 1} {name}"] = [_move(browser, slider) for _ in range(PRESSES)]
    note_times(path.stem, times)
    _photograph(browser, artefacts, path.stem)
    _no_errors(browser)


def _sliders(browser):
    return browser.find_elements("css selector", ".jp-Cell-outputArea .widget-slider [role=slider]")


def _move(browser, slider):
    """Press an arrow key on a slider; the milliseconds until its figure has changed."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    assert slider.get_attribute("tabindex") == "0", "the Tab key does not reach it"
    WebDriverWait(browser, SECONDS).until(lambda _: _idle(browser))
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
    browser.execute_script(WATCH, slider)
    now, highest = (float(slider.get_attribute(f"aria-value{name}")) for name in ("now", "max"))
    browser.find_element(By.CSS_SELECTOR, ":focus").send_keys(
        Keys.ARROW_LEFT if now >= highest else Keys.ARROW_RIGHT
    )
    changed = "return window.watched.milliseconds"
    return round(
        WebDriverWait(browser, SECONDS, poll_frequency=0.05).until(
            lambda _: browser.execute_script(changed),
            "the figure did not change: " + browser.execute_script(NAME, slider),
        )
    )


def _idle(browser):
    status = "return window.jupyterapp.shell.currentWidget.sessionContext.kernelDisplayStatus"
    return browser.execute_script(status) == "idle"


def _photograph(browser, artefacts, stem):
    cells = browser.find_elements(
        "xpath", "//*[contains(@class, 'jp-Cell-outputArea')][.//*[@role='slider']]"
    )
    shown = [cell for cell in cells if cell.size["width"]]  # not those that a prediction folds
    for number, cell in enumerate(shown, start=1):
        cell.screenshot(str(artefacts / f"{stem}-{number}.png"))


def _no_errors(browser):
    outputs = browser.execute_script(OUTPUTS)
    assert [text for kind, name, text in outputs if "error" in kind] == []
    shown = "\n".join(browser.execute_script(ERRORS_IN_PAGE)).splitlines()
    assert [line for line in shown if line.strip() and not PROGRESS.search(line)] == []
    severe = [
        entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
    ]
    assert [message for message in severe if not HARMLESS.search(message)] == []
