"""Explorables in a stored notebook: live when it is opened again, before any cell is run."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from recallkit.course.explorables import Explorable

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
UNRUN_WIDGET = (
    "[Sliders. To move them: Run → Run All Above Selected Cell, then run this cell. "
    "The next figure shows what they show.]"
)


def store_widgets(notebook: "NotebookNode") -> dict[str, Any]:
    """Keep the explorables that outputs show, and put a line of text in place of other widgets.

    Models are named after the cells, so that a second run gives the same names. Their versions are
    removed: any anywidget may show them. Their modules are replaced by the present ones.

    Args:
        notebook: executed, every cell with an id; its outputs are changed in place.

    Returns:
        The metadata "widgets" for the notebook; {} if it shows no explorable.
    """
    models = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    kept: dict[str, Any] = {}
    for name, output in _views(notebook):
        model = models.get(output.data[VIEW]["model_id"], {})
        if model.get("model_module") == "anywidget":
            kept |= _renamed(name, model, models)
            output.data = {VIEW: _view(name), "text/plain": _class_of(model["state"]).unrun}
        else:
            output.data = {"text/plain": UNRUN_WIDGET}
        output.metadata = {}
    state = {"state": kept, "version_major": 2, "version_minor": 0}
    return {"widgets": {STATE: state}} if kept else {}


def _views(notebook: "NotebookNode") -> Iterator[tuple[str, "NotebookNode"]]:
    """Yield each output that shows a widget, with a name for its model."""
    for cell in notebook.cells:
        shown = [output for output in cell.get("outputs", []) if VIEW in output.get("data", {})]
        yield from ((f"{cell.id}-widget-{place}", output) for place, output in enumerate(shown))


def _view(name: str) -> dict[str, Any]:
    return {"model_id": name, "version_major": 2, "version_minor": 0}


def _renamed(
    name: str, model: Mapping[str, Any], models: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the model and that of its layout, under their stored names."""
    layout = dict(models[model["state"]["layout"].removeprefix("IPY_MODEL_")])
    layout["state"] = {key: value for key, value in layout["state"].items() if value is not None}
    state = dict(model["state"]) | {
        "_esm": _present_module(model["state"]),
        "_model_module_version": "*",
        "_view_module_version": "*",
        "layout": f"IPY_MODEL_{name}-layout",
    }
    model = dict(model) | {"model_module_version": "*", "state": state}
    return {name: model, f"{name}-layout": layout}


def _classes_below(parent: type) -> Iterator[Any]:
    for one in parent.__subclasses__():
        yield one
        yield from _classes_below(one)


def _present_module(state: Mapping[str, Any]) -> str:
    """Return the module of the explorable that a state is of; its own if there is no such class."""
    explorable = _class_of(state)
    return explorable.module_text() if hasattr(explorable, "module") else state["_esm"]


def _class_of(state: Mapping[str, Any]) -> "type[Explorable]":
    """Return the class of explorables that a state is of, or their base if there is no such one."""
    from recallkit.course.explorables import Explorable

    known = {f"{one.__module__}.{one.__name__}": one for one in _classes_below(Explorable)}
    return known.get(state["_anywidget_id"], Explorable)
