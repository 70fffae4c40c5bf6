"""Batch size and chunk size on sliders: what a step would need."""

import ipywidgets as widgets

from recallkit.bench.memory import StepMemory
from recallkit.course.figures.large_batch import BATCH_SIZES, plot_step_memory
from recallkit.course.widgets.base import LivePlot, live_plot

CHUNK_SIZES = tuple(2**power for power in range(3, 12))  # 8 … 2,048


def step_memory_slider(memory: StepMemory, card: float) -> LivePlot:
    """The predicted memory of a step against batch size and chunk size.

    Args:
        memory: of the network.
        card: bytes of the device, drawn as a level.

    Returns:
        A widget with the controls "batch_size" and "chunk_size".
    """

    def draw(batch_size: int, chunk_size: int) -> tuple:
        return plot_step_memory(memory, [chunk_size], card, batch_size)

    controls = {
        "batch_size": widgets.SelectionSlider(
            options=BATCH_SIZES, value=BATCH_SIZES[-1], description="batch size"
        ),
        "chunk_size": widgets.SelectionSlider(
            options=CHUNK_SIZES, value=128, description="images in a chunk"
        ),
    }
    return live_plot(draw, controls, height=400)
