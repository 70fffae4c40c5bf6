"""A class from spread to collapsed, and its loss by either definition of the database."""

import ipywidgets as widgets

from recallkit.constants import PAPERS_KS
from recallkit.course import figures
from recallkit.course.class_collapse import arc_classes, arc_losses
from recallkit.course.widgets.base import LivePlot, live_plot

WIDTHS = tuple(3.0 * i for i in range(21))  # degrees


def explore_arc() -> LivePlot:
    """Sliders for the width of the classes, their size, and k.

    Returns:
        A widget with the controls "width" (degrees), "per_class" and "ks" (a tuple).
    """
    choices = [("all five", PAPERS_KS), *((str(k), (k,)) for k in PAPERS_KS)]
    controls = {
        "width": widgets.FloatSlider(30, min=0, max=60, step=1, description="Width (degrees)"),
        "per_class": widgets.IntSlider(4, min=2, max=8, description="Items of a class"),
        "ks": widgets.SelectionSlider(options=choices, description="k of the loss"),
    }
    return live_plot(_draw, controls, height=360)


def _draw(width: float, per_class: int, ks: tuple[int, ...]) -> tuple:
    embeddings, _ = arc_classes(width, per_class)
    losses = arc_losses(WIDTHS, ks, per_class)
    return figures.plot_arc(embeddings[:per_class, :2], WIDTHS, losses, width)
