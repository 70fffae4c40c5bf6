"""From spread to collapsed by a slider, and what either definition makes of it."""

from typing import TYPE_CHECKING, Any

from recallkit.course.class_collapse import arc_classes, arc_losses
from recallkit.course.figures.definitions import plot_arc
from recallkit.course.widgets.base import LivePlot, live_plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


WIDTHS = tuple(3.0 * i for i in range(21))  # degrees


PAPER_KS = (1, 2, 4, 8, 16)


def arc_explorer() -> LivePlot:
    """Sliders for the width of the classes, their size, and k.

    Controls: ``width`` (degrees), ``per_class``, ``ks`` (a tuple).
    """
    import ipywidgets as widgets

    choices = [("all five", PAPER_KS), *((str(k), (k,)) for k in PAPER_KS)]
    controls = {
        "width": widgets.FloatSlider(30, min=0, max=60, step=1, description="Width (degrees)"),
        "per_class": widgets.IntSlider(4, min=2, max=8, description="Items of a class"),
        "ks": widgets.SelectionSlider(options=choices, description="k of the loss"),
    }
    return live_plot(_draw, controls, height=360)


def _draw(width: float, per_class: int, ks: tuple[int, ...]) -> "tuple[Figure, Any]":
    embeddings, _ = arc_classes(width, per_class)
    losses = arc_losses(WIDTHS, ks, per_class)
    return plot_arc(embeddings[:per_class, :2], WIDTHS, losses, width)
