"""Live: three ways to compare batch sizes where batch size cannot matter."""

from collections.abc import Sequence

import ipywidgets as widgets

from recallkit import plots
from recallkit.course.toy_descent import three_views
from recallkit.course.widgets.base import LivePlot, live_plot


def live_three_views(batch_sizes: Sequence[int]) -> LivePlot:
    """Sliders for the common rate, and for the images that each batch size sees.

    Args:
        batch_sizes: those compared.
    """
    enough = [2**power for power in range(9, 15)]
    controls = {
        "rate": widgets.FloatLogSlider(
            0.05, min=-2, max=0, step=0.05, readout_format=".2g", description="the common rate"
        ),
        "images": widgets.SelectionSlider(options=enough, value=1024, description="images seen"),
    }
    return live_plot(
        lambda **values: plots.plot_three_views(batch_sizes, three_views(batch_sizes, **values)),
        controls,
        height=340,
    )
