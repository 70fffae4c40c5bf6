"""The frame of every widget: labelled controls above one figure of fixed height."""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import clear_output

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LivePlot(widgets.VBox):
    """Controls above the figure they redraw.

    Attributes:
        controls: name → control, to be set from code: ``live.controls["k"].value = 3``.
        image: the figure, as PNG.
        output: the output area, which shows errors. It stands below the figure, and in its place
            while there is an error.
    """

    def __init__(
        self,
        controls: Mapping[str, widgets.Widget],
        image: widgets.Image,
        output: widgets.Output,
        place: widgets.Layout,
    ) -> None:
        self.controls, self.image, self.output = dict(controls), image, output
        figure = widgets.Box([image], layout=place)
        super().__init__([widgets.VBox(list(controls.values())), figure, output])


def live_plot(
    draw: Callable[..., Any], controls: Mapping[str, widgets.Widget], height: int
) -> LivePlot:
    """Redraw a figure whenever a control moves.

    ``interactive_output`` shows an exception of ``draw`` in the page, where a plain ``observe``
    would swallow it. A figure that does not belong to the values is not left standing: the error
    takes its place. The height is fixed so that the page does not jump while a slider moves.

    Args:
        draw: called with the controls' values by name; returns ``fig, ax``. The figure is shown.
        controls: name → slider, dropdown, …; each needs a ``description``.
        height: of the figure, in screen pixels.

    Returns:
        A widget to end a cell with.
    """
    for control in controls.values():
        _label(control)
    image = widgets.Image(format="png")
    place = widgets.Layout(height=f"{height}px", align_items="flex-start")  # not stretched
    output = widgets.interactive_output(_painter(draw, image, place), controls)
    return LivePlot(controls, image, output, place)


def _label(control: Any) -> None:
    """Give the control a tooltip, which the browser reads out, and room for its description."""
    control.tooltip = control.tooltip or control.description
    control.style.description_width = "14em"
    control.layout.width = "40em"


def _painter(
    draw: Callable[..., Any], image: widgets.Image, place: widgets.Layout
) -> Callable[..., None]:
    """``draw`` with its figure sent into the image, which takes fewer messages than an output.

    ``place`` is that of the figure. It is closed while ``draw`` fails.
    """
    import matplotlib.pyplot as plt

    shown_error = False

    def show(**values: Any) -> None:
        nonlocal shown_error
        if shown_error:  # by an earlier move; only then, because each message takes time
            clear_output()
        try:
            with plt.rc_context({"axes.titley": 1.0}):  # else each title searches for its place
                fig, _ = draw(**values)
                image.value = rendered(fig)
        except Exception:
            shown_error, place.display = True, "none"
            raise
        plt.close(fig)
        shown_error, place.display = False, "flex"

    return show


def rendered(fig: "Figure") -> bytes:
    """The figure as PNG, drawn once: IPython's own display draws twice, to cut off the margins."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi="figure", pil_kwargs={"compress_level": 1})  # the fastest
    return file.getvalue()
