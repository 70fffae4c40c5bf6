"""The memory of a training step for any batch size and chunk size."""

import ipywidgets as widgets

from recallkit.bench.memory import StepMemory
from recallkit.course import figures
from recallkit.course.figures.large_batch import BATCH_SIZES
from recallkit.course.widgets.base import LivePlot, live_plot

CHUNK_SIZES = tuple(2**power for power in range(3, 12))  # 8 … 2,048


def explore_step_memory(memory: StepMemory, gpu_memory: float) -> LivePlot:
    """The predicted memory of a step against batch size and chunk size.

    Args:
        memory: of the network.
        gpu_memory: bytes of a GPU, drawn as a level.

    Returns:
        A widget with the controls "batch_size" and "chunk_size".
    """

    def draw(batch_size: int, chunk_size: int) -> tuple:
        return figures.plot_step_memory(memory, [chunk_size], gpu_memory, batch_size)

    controls = {
        "batch_size": widgets.SelectionSlider(
            options=BATCH_SIZES, value=BATCH_SIZES[-1], description="batch size"
        ),
        "chunk_size": widgets.SelectionSlider(
            options=CHUNK_SIZES, value=128, description="images in a chunk"
        ),
    }
    return live_plot(draw, controls, height=400)
