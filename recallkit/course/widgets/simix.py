"""A virtual example between two images."""

import ipywidgets as widgets
import torch
from torch import Tensor

from recallkit.course import figures
from recallkit.course.widgets.base import LivePlot, live_plot


def explore_mixing() -> LivePlot:
    """Sliders for α, the angle between the parents, and the angle of the query.

    Returns:
        A widget with the controls "alpha", "apart" and "query" (degrees).
    """
    controls = {
        "alpha": widgets.FloatSlider(0.5, min=0, max=1, step=0.05, description="α"),
        "apart": widgets.IntSlider(80, min=10, max=170, step=5, description="Parents apart (°)"),
        "query": widgets.IntSlider(100, min=0, max=180, step=5, description="Query w at (°)"),
    }
    return live_plot(_draw, controls, height=400)


def _draw(alpha: float, apart: int, query: int) -> tuple:
    return figures.plot_mixing(on_circle(apart), on_circle(0), on_circle(query), alpha)


def on_circle(degrees: float) -> Tensor:
    """The unit vector (2,) at an angle, float64."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()])
