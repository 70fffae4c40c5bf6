"""How every widget is built: labelled controls above one figure of fixed height."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import clear_output

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LivePlot(widgets.VBox):
    """Controls above the figure they redraw.

    Attributes:
        controls: name → control, to be set from code: ``live.controls["k"].value = 3``.
        picture: the figure, as PNG.
        output: the output area, which shows what goes wrong.
    """

    def __init__(
        self,
        controls: dict[str, widgets.Widget],
        picture: widgets.Image,
        output: widgets.Output,
        height: int,
    ) -> None:
        self.controls, self.picture, self.output = controls, picture, output
        place = {"height": f"{height}px", "align_items": "flex-start"}  # as it is, not stretched
        figure = widgets.Box([picture], layout=place)
        super().__init__([widgets.VBox(list(controls.values())), figure, output])


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
    picture = widgets.Image(format="png")
    output = widgets.interactive_output(_painted(draw, picture), controls)
    return LivePlot(controls, picture, output, height)


def _label(control: widgets.Widget) -> None:
    """Give the control a tooltip, which the browser reads out, and room for its description."""
    control.tooltip = control.tooltip or control.description
    control.style.description_width = "14em"
    control.layout.width = "40em"


def _painted(draw: Callable[..., Any], picture: widgets.Image) -> Callable[..., None]:
    """``draw``, with its figure sent into the picture: fewer messages than an output of a cell."""
    import matplotlib.pyplot as plt

    shown_error = False

    def show(**values: Any) -> None:
        nonlocal shown_error
        if shown_error:  # of an earlier move; not always, for each message takes time
            clear_output()
        shown_error = True
        with plt.rc_context({"axes.titley": 1.0}):  # else each title looks for room by itself
            fig, _ = draw(**values)
            picture.value = _rendered(fig)
        plt.close(fig)
        shown_error = False

    return show


def _rendered(fig: "Figure") -> bytes:
    """The figure as PNG, drawn once: IPython's own display draws twice, to cut off the margins."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi="figure", pil_kwargs={"compress_level": 1})  # the fastest
    return file.getvalue()
