"""The step and its relaxation, and one query's gallery on a line."""

import ipywidgets as widgets
import torch
from torch import Tensor

from recallkit.course import figures
from recallkit.course.widgets.base import LivePlot, live_plot
from recallkit.losses import soft_recall_at_k
from recallkit.metrics import positive_ranks
from recallkit.ranks import relaxed_ranks


def explore_step() -> LivePlot:
    """The sigmoid that replaces the step, with a slider for its temperature.

    Returns:
        A widget with the control "temperature".
    """
    controls = {"temperature": temperature_slider("temperature τ", 0.1)}
    return live_plot(lambda temperature: figures.plot_steps([temperature]), controls, height=320)


def explore_line(similarity: Tensor, positives: Tensor) -> LivePlot:
    """Move one positive along the line; watch true and relaxed ranks and recall@k.

    Args:
        similarity: (N,) of the gallery to one query.
        positives: (P,) indices of the items of its class; the first one moves.

    Returns:
        A widget with the controls "moved", "rank_temperature", "k_temperature" and "k".
    """

    def draw(moved: float, rank_temperature: float, k_temperature: float, k: int) -> tuple:
        placed = similarity.clone()
        placed[positives[0]] = moved
        # Against unit vectors along the axes, the similarities are the entries of the query.
        query, gallery = placed[None], torch.eye(len(placed), dtype=placed.dtype)
        ranks = relaxed_ranks(query, gallery, positives[None], temperature=rank_temperature)
        true_ranks = positive_ranks(query, positives[None], gallery)
        recall = soft_recall_at_k(ranks, (k,), k_temperature).item()
        return figures.plot_line(
            placed, positives, true_ranks[0], ranks[0], k, k_temperature, recall
        )

    start = round(200 * float(similarity[positives[0]])) / 200  # on the slider's grid
    controls = {
        "moved": widgets.FloatSlider(
            start, min=0, max=1, step=0.005, readout_format=".3f", description="similarity of a"
        ),
        "rank_temperature": temperature_slider("rank temperature τ₂", 0.01),
        "k_temperature": temperature_slider("k temperature τ₁", 1.0, highest=1),
        "k": widgets.IntSlider(2, min=1, max=len(similarity), description="k"),
    }
    return live_plot(draw, controls, height=480)


def temperature_slider(description: str, value: float, highest: float = 0) -> widgets.Widget:
    """A slider from 10⁻³ to 10 to the power ``highest``, in even ratios."""
    return widgets.FloatLogSlider(
        value,
        base=10,
        min=-3,
        max=highest,
        step=0.05,
        readout_format=".3g",
        description=description,
    )
