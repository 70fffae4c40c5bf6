"""The loss over the similarities of two positives, under any temperatures and cut-offs."""

from collections.abc import Mapping, Sequence

import ipywidgets as widgets
from torch import Tensor

from recallkit.course import figures
from recallkit.course.loss_surface import loss_and_pull
from recallkit.course.widgets.base import LivePlot, live_plot, temperature_slider


def explore_surface(
    grid: Tensor, negatives: Tensor, k_sets: Mapping[str, Sequence[int]]
) -> LivePlot:
    """Sliders for both temperatures, and for the set of cut-offs.

    Args:
        grid: (G,) similarities of each positive.
        negatives: (N,) similarities.
        k_sets: caption → cut-offs.

    Returns:
        A widget with the controls "rank_temperature", "k_temperature" and "ks" (a caption).
    """

    def draw(rank_temperature: float, k_temperature: float, ks: str) -> tuple:
        surface = loss_and_pull(grid, negatives, k_sets[ks], k_temperature, rank_temperature)
        return figures.plot_surfaces(grid, {f"K = {ks}": surface}, columns=1)

    controls = {
        "rank_temperature": temperature_slider("rank temperature τ₂", 0.01),
        "k_temperature": temperature_slider("k temperature τ₁", 1.0, highest=1),
        "ks": widgets.SelectionSlider(options=list(k_sets), description="cut-offs K"),
    }
    return live_plot(draw, controls, height=340)
