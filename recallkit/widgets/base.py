"""How every widget is built: labelled controls above one figure of fixed height."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import Image, display

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LivePlot(widgets.VBox):
    """Controls above the figure they redraw.

    Attributes:
        controls: name → control, to be set from code: ``live.controls["k"].value = 3``.
        output: the output area of the figure.
    """

    def __init__(self, controls: dict[str, widgets.Widget], output: widgets.Output) -> None:
        self.controls, self.output = controls, output
        super().__init__([widgets.VBox(list(controls.values())), output])


def live_plot(
    draw: Callable[..., Any], controls: dict[str, widgets.Widget], height: int
) -> LivePlot:
    """Redraw a figure whenever a control moves.

    ``interactive_output`` shows an exception of ``draw`` in the page, where a plain ``observe``
    would swallow it. The height is fixed so that the page does not jump while a slider moves.

    Args:
        draw: called with the controls' values by name; returns ``fig, ax``, which is shown.
        controls: name → slider, dropdown, …; each needs a ``description``.
        height: of the figure, in screen pixels.

    Returns:
        A widget to end a cell with.
    """
    for control in controls.values():
        _label(control)
    output = widgets.interactive_output(_shown(draw), controls)
    output.layout.height = f"{height}px"
    return LivePlot(controls, output)


def _label(control: widgets.Widget) -> None:
    """Give the control a tooltip, which the browser reads out, and room for its description."""
    control.tooltip = control.tooltip or control.description
    control.style.description_width = "14em"
    control.layout.width = "40em"


def _shown(draw: Callable[..., Any]) -> Callable[..., None]:
    import matplotlib.pyplot as plt

    def show(**values: Any) -> None:
        with plt.rc_context({"axes.titley": 1.0}):  # else each title looks for room by itself
            fig, _ = draw(**values)
            picture = _rendered(fig)
        display(Image(picture))
        plt.close(fig)

    return show


def _rendered(fig: "Figure") -> bytes:
    """The figure as PNG, drawn once: IPython's own display draws twice, to cut off the margins."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi="figure")
    return file.getvalue()
