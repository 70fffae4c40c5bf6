"""An explorable in JupyterLab: the page and Python see the same values; stored, it still lives."""

import json

import nbformat
import pytest
from helpers.explorables import POSITIVES, SIMILARITY
from helpers.lab_pages import HARMLESS, READY
from helpers.waiting import wait
from nbformat import v4
from nbformat.sign import NotebookNotary

from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import KERNEL, code_cells

pytestmark = pytest.mark.browser

MAKE = f"""
import torch
from recallkit import relaxed_ranks
from recallkit.course import explorables

line = explorables.Line(similarity={SIMILARITY.tolist()}, positives={POSITIVES.tolist()})
line
"""
FIGURE = ".rk:not(.rk-predict)"
RUN_ALL = """
const done = arguments[arguments.length - 1];
window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => done(true));
"""
# What code prints in the kernel of the notebook.
PRINTED = """
const [code, done] = arguments;
const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
const future = kernel.requestExecute({code});
let text = '';
future.onIOPub = ({header, content}) => {
  if (header.msg_type === 'stream') text += content.text;
  if (header.msg_type === 'error') text += content.evalue;
};
future.done.then(() => done(text));
"""
COMPARED = """
from json import dumps
eye = torch.eye(len(line.similarity), dtype=torch.float64)
query = torch.tensor([line.similarity], dtype=torch.float64)
ranks = relaxed_ranks(query, eye, torch.tensor([line.positives]), temperature=line.rank_temperature)
difference = (ranks[0] - torch.tensor(line.ranks, dtype=torch.float64)).abs().max().item()
print(dumps([line.similarity, difference, line.k, line.recall]))
"""


@pytest.fixture
def notebook(lab, browser):
    """A notebook with one explorable, all its cells run."""
    metadata = {"kernelspec": KERNEL}  # else JupyterLab asks for it
    made = v4.new_notebook(cells=[v4.new_code_cell(MAKE)], metadata=metadata)
    nbformat.write(made, lab.folder / "line.ipynb")
    browser.get(lab("line.ipynb"))
    browser.execute_async_script(READY)
    assert browser.execute_async_script(RUN_ALL) is True
    yield browser
    severe = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert [message for message in severe if not HARMLESS.search(message)] == []


def shown(browser, selector):
    return wait(lambda: browser.find_elements("css selector", f"{FIGURE} {selector}"))


def values(browser):
    return json.loads(browser.execute_async_script(PRINTED, COMPARED))


def test_the_page_and_python_see_the_same(notebook, artefacts):
    handle = shown(notebook, "[role=slider][aria-label='positive a']")[0]
    similarity, difference, _, recall = values(notebook)
    assert similarity == SIMILARITY.tolist()
    assert difference <= 1e-12
    drag(notebook, handle, 40)
    wait(lambda: values(notebook)[0] != similarity)
    wait(lambda: values(notebook)[0][2] == float(handle.get_attribute("aria-valuenow")))
    moved, difference, k, moved_recall = values(notebook)
    assert moved[:2] + moved[3:] == similarity[:2] + similarity[3:]
    assert moved[2] == float(handle.get_attribute("aria-valuenow")) > 0.7
    assert difference <= 1e-12
    assert k == 2
    assert moved_recall > recall
    notebook.execute_async_script(PRINTED, "line.k = 4")
    wait(lambda: "Recall@4" in shown(notebook, "[role=status]")[0].text)
    wait(lambda: values(notebook)[3] > moved_recall)
    notebook.save_screenshot(str(artefacts / "explorable-lab.png"))


def drag(browser, handle, far):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", handle)
    box = browser.execute_script(
        "const b = arguments[0].getBoundingClientRect();"
        "return [b.left + b.width / 2, b.top + b.height / 2]",
        handle,
    )
    moves = [("mousePressed", 0), *(("mouseMoved", far * i / 8) for i in range(1, 9))]
    for kind, at in [*moves, ("mouseReleased", far)]:
        event = {"type": kind, "x": box[0] + at, "y": box[1], "button": "left", "buttons": 1}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", event | {"clickCount": 1})


THEME = """
const done = arguments[arguments.length - 1];
window.jupyterapp.commands.execute('apputils:change-theme', {theme: arguments[0]})
  .then(() => setTimeout(() => done(getComputedStyle(document.querySelector('.rk')).color), 1500));
"""


def test_it_follows_the_theme(notebook, artefacts):
    shown(notebook, "svg")
    light = notebook.execute_async_script(THEME, "JupyterLab Light")
    dark = notebook.execute_async_script(THEME, "JupyterLab Dark")
    notebook.save_screenshot(str(artefacts / "explorable-lab-dark.png"))
    assert (light, dark) == ("rgb(31, 38, 48)", "rgb(230, 233, 238)")


def test_a_trusted_notebook_lives_before_any_cell_is_run(lab, browser):
    from selenium.webdriver.common.keys import Keys

    [path] = find_notebooks(["01"])
    stored = nbformat.read(lab.folder / path.name, as_version=4)
    places = sum(".Step(" in c.source or ".Line(" in c.source for c in code_cells(stored))
    browser.get(lab(path.name))
    browser.execute_async_script(READY)
    assert browser.find_elements("css selector", ".rk") == []  # not trusted: text
    NotebookNotary(data_dir=str(lab.folder.parent / "data")).sign(stored)
    browser.get(lab(path.name))
    browser.execute_async_script(READY)
    wait(lambda: len(browser.find_elements("css selector", FIGURE)) == places == 2)
    status = shown(browser, "[role=status]")[1]
    before = status.text
    shown(browser, "[role=slider][aria-label='positive b']")[0].send_keys(Keys.END)
    wait(lambda: status.text != before)
    assert "Error displaying widget" not in browser.find_element("tag name", "body").text
