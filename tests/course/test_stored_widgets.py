"""The state of explorables in a notebook is kept, under new names; that of other widgets goes."""

import importlib
import re

import nbformat
import pytest
from ipywidgets import IntSlider
from nbformat import v4

from recallkit.course import explorables
from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import code_cells
from recallkit.course.stored_widgets import (
    STATE,
    UNRUN_WIDGET,
    VIEW,
    store_widgets,
)


def model(widget):
    names = ("_model_name", "_model_module", "_model_module_version")
    described = {name.removeprefix("_"): getattr(widget, name) for name in names}
    return described | {"state": widget.get_state()}


@pytest.fixture
def notebook():
    """Two cells with an explorable and a slider, as a kernel leaves them."""
    shown = explorables.Step(temperature=0.5), IntSlider()
    cells = [v4.new_code_cell("figure"), v4.new_code_cell("slider"), v4.new_markdown_cell("text")]
    for cell, widget, name in zip(cells, shown, ("first", "second"), strict=False):
        view = {"model_id": widget.model_id, "version_major": 2, "version_minor": 0}
        data = {VIEW: view, "text/plain": "a widget"}
        cell.id, cell.outputs = name, [v4.new_output("execute_result", data)]
    state = {w.model_id: model(w) for widget in shown for w in (widget, widget.layout)}
    return v4.new_notebook(cells=cells, metadata={"widgets": {STATE: {"state": state}}})


def store(notebook):
    notebook.metadata = store_widgets(notebook)
    return notebook.metadata["widgets"][STATE]["state"]


def test_an_explorable_keeps_its_state_under_the_name_of_its_cell(notebook):
    state = store(notebook)
    assert set(state) == {"first-widget-0", "first-widget-0-layout"}
    assert state["first-widget-0"]["state"]["temperature"] == 0.5
    assert state["first-widget-0"]["state"]["layout"] == "IPY_MODEL_first-widget-0-layout"
    data = notebook.cells[0].outputs[0].data
    assert data[VIEW]["model_id"] == "first-widget-0"
    assert data["text/plain"] == explorables.Step.unrun


def test_another_widget_becomes_text(notebook):
    store(notebook)
    assert notebook.cells[1].outputs[0].data == {"text/plain": UNRUN_WIDGET}


def test_any_version_of_the_library_may_show_it(notebook):
    figure = store(notebook)["first-widget-0"]
    versions = {figure["model_module_version"]}
    versions |= {figure["state"][f"_{kind}_module_version"] for kind in ("model", "view")}
    assert versions == {"*"}


def test_a_second_time_changes_nothing_but_an_old_module(notebook):
    first = store(notebook)
    first["first-widget-0"]["state"]["_esm"] = "export default {}"
    second = store(notebook)
    assert second["first-widget-0"]["state"]["_esm"] == explorables.Step.module_text()
    assert store(notebook) == second


def test_an_explorable_of_a_family_takes_the_present_module_too(notebook):
    """Pairs has some of its values from a class between, and so have others."""
    pairs = explorables.Pairs(degrees=[0, 10, 90], labels=[0, 0, 1])
    data = {VIEW: {"model_id": pairs.model_id, "version_major": 2, "version_minor": 0}}
    notebook.cells[0].outputs = [v4.new_output("execute_result", data)]
    state = {w.model_id: model(w) for w in (pairs, pairs.layout)}
    state[pairs.model_id]["state"]["_esm"] = "export default {}"
    notebook.metadata.widgets[STATE]["state"] |= state
    stored = store(notebook)["first-widget-0"]["state"]
    assert stored["_esm"] == explorables.Pairs.module_text()


def test_without_an_explorable_there_is_no_state():
    assert store_widgets(v4.new_notebook(cells=[v4.new_code_cell("1")])) == {}


@pytest.mark.parametrize("path", find_notebooks(), ids=lambda path: path.stem)
def test_what_is_stored_lives_by_the_present_modules(path):
    notebook = nbformat.read(path, as_version=4)
    models = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    stored = [model["state"] for model in models.values() if "_esm" in model["state"]]
    shown = re.findall(
        r"\bexplorables\.[A-Z]|\bPredictions\(\)",
        "\n".join(cell.source for cell in code_cells(notebook)),
    )
    assert len(stored) == len(shown) > 0
    for state in stored:
        module, _, name = state["_anywidget_id"].rpartition(".")
        assert state["_esm"] == getattr(importlib.import_module(module), name).module_text(), name
