"""The push of a loss along a list, and the paths of descent."""

from collections.abc import Mapping

import ipywidgets as widgets
import torch
from torch import Tensor

from recallkit.course import figures
from recallkit.course.pair_gradients import list_gradient, losses_to_compare
from recallkit.course.widgets.base import LivePlot, live_plot, temperature_slider


def explore_list(similarity: Tensor, positives: int) -> LivePlot:
    """The push along one query's list; sliders move the positives and τ₂.

    Args:
        similarity: (N,), the nearest item first.
        positives: number of positives, side by side.

    Returns:
        A widget with the controls "loss", "temperature" and "rank".
    """

    def draw(loss: str, temperature: float, rank: int) -> tuple:
        positive = torch.zeros(len(similarity), dtype=torch.bool)
        positive[rank - 1 : rank - 1 + positives] = True
        gradient = list_gradient(losses_to_compare(temperature)[loss], similarity, positive)
        return figures.plot_lists({loss: gradient}, positive, "−dL/ds")

    controls = {
        "loss": widgets.Dropdown(options=list(losses_to_compare()), description="loss"),
        "temperature": temperature_slider("τ₂ (RS@k, SmoothAP)", 0.01),
        "rank": widgets.IntSlider(
            5, min=1, max=len(similarity) - positives + 1, description="rank of the positive"
        ),
    }
    return live_plot(draw, controls, height=280)


def explore_paths(paths: Mapping[str, Tensor], labels: Tensor) -> LivePlot:
    """Points on the circle at any step of their descents.

    Args:
        paths: title → (T, B, 2), all of the same T.
        labels: (B,).

    Returns:
        A widget with the control "step".
    """
    last = min(len(path) for path in paths.values()) - 1

    def draw(step: int) -> tuple:
        return figures.plot_circles({name: path[step] for name, path in paths.items()}, labels)

    slider = widgets.IntSlider(0, min=0, max=last, description="step of descent")
    return live_plot(draw, {"step": slider}, height=570)
