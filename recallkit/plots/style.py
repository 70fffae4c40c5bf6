"""The colours of all figures, and the grid of panels they stand in.

The colours are Okabe and Ito's, which people who are colour-blind can tell apart. Whatever a colour
says, a line style, a marker or a sign says as well.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PURPLE, GREY = "#E69F00", "#56B4E9", "#CC79A7", "#666666"

CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def panels(
    rows: int,
    columns: int,
    size: tuple[float, float],
    margins: Mapping[str, float] | None = None,
    **options: Any,
) -> "tuple[Figure, Any]":
    """A figure with a grid of axes.

    Args:
        rows: of the grid.
        columns: of the grid.
        size: width and height of the figure, in inches.
        margins: arguments of ``subplots_adjust``, for figures that a slider redraws. The default
            lets matplotlib find the margins, which doubles the time of a redraw.
        options: further arguments of ``plt.subplots``, such as ``sharey``.

    Returns:
        The figure, and an array (rows, columns) of axes.
    """
    import matplotlib.pyplot as plt

    layout = "constrained" if margins is None else None
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout=layout, **options)
    if margins is not None:
        fig.subplots_adjust(**margins)
    return fig, axes
