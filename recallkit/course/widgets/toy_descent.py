"""Three ways to compare batch sizes where batch size cannot matter."""

from collections.abc import Sequence

import ipywidgets as widgets

from recallkit.course import figures
from recallkit.course.toy_descent import three_views
from recallkit.course.widgets.base import LivePlot, live_plot

IMAGES = tuple(2**power for power in range(9, 15))  # 512 … 16,384


def explore_three_views(batch_sizes: Sequence[int]) -> LivePlot:
    """Sliders for the common learning rate, and for the images that each batch size sees.

    Args:
        batch_sizes: those compared, each at most 512.

    Returns:
        A widget with the controls "learning_rate" and "images".
    """
    controls = {
        "learning_rate": widgets.FloatLogSlider(
            10**-1.3,  # on the slider's grid: the browser moves other values to it
            min=-2,
            max=0,
            step=0.05,
            readout_format=".2g",
            description="the common learning rate",
        ),
        "images": widgets.SelectionSlider(options=IMAGES, value=1024, description="images seen"),
    }

    def draw(learning_rate: float, images: int) -> tuple:
        return figures.plot_three_views(
            batch_sizes, three_views(batch_sizes, learning_rate, images)
        )

    return live_plot(draw, controls, height=340)
