"""What tests in JupyterLab share: a notebook to wait for, and which errors say nothing."""

import re
from pathlib import Path

import nbformat
from helpers.explorables import MADE
from helpers.waiting import wait
from nbformat import v4

from recallkit.course.stored_form import KERNEL

# Console errors that say nothing about the notebook.
HARMLESS = re.compile(r"favicon\.ico|/api/contents/.*\.ipynb/checkpoints")

READY = """
const done = arguments[arguments.length - 1];
const wait = () => {
  const notebook = window.jupyterapp?.shell?.currentWidget;
  if (!notebook?.sessionContext?.session?.kernel) return setTimeout(wait, 100);
  notebook.sessionContext.ready.then(() => notebook.context.ready).then(() => done(true));
};
wait();
"""
RUN_ALL = """
const done = arguments[arguments.length - 1];
window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => done(true));
"""


def open_all_explorables(lab, browser):
    """Open a notebook that shows every explorable, and run it."""
    tests = Path(__file__).parents[1]
    begin = f"import sys; sys.path.append({str(tests)!r})\nfrom helpers.explorables import MADE"
    sources = [begin, *(f"MADE[{name!r}]()" for name in MADE)]
    cells = [v4.new_code_cell(source) for source in sources]
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, lab.folder / "all.ipynb")
    browser.get(lab("all.ipynb"))
    browser.execute_async_script(READY)
    assert browser.execute_async_script(RUN_ALL) is True
    count = "return document.querySelectorAll('.rk svg').length"
    wait(lambda: browser.execute_script(count) >= len(MADE))
