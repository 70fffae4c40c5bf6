"""The colours of all figures, the grid of panels they stand in, and the axis of batch sizes.

The colours are Okabe and Ito's, which people who are colour-blind can tell apart. Their orange and
sky blue are darkened, so that each colour has a contrast of at least 3 : 1 to white and to the dark
theme of JupyterLab (WCAG 2.2, criterion 1.4.11). Whatever a colour says, a line style, a marker or
a sign says as well.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PURPLE, GREY = "#AD7A00", "#2E93B8", "#CC79A7", "#666666"

CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SCALE = ("#6A51C8", "#B8508A", "#B8860B")  # from dark to light, for series that have an order


def scale_colours(count: int) -> list[str]:
    """Return this many colours of one scale, from dark to light: violet, rose, ochre."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    scale = LinearSegmentedColormap.from_list("scale", SCALE)
    return [to_hex(scale(i / max(1, count - 1))) for i in range(count)]


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


def batch_axis(ax: "Axes", sizes: Collection[int], xlabel: str = "batch size") -> None:
    """Put batch sizes on a horizontal axis, where twice as many is the same way everywhere.

    Args:
        ax: whose axis it is.
        sizes: that get a tick; of more than six, every second one.
        xlabel: what they are called.
    """
    shown = sorted(sizes) if len(sizes) <= 6 else sorted(sizes)[::2]
    ax.set_xscale("log", base=2)
    ax.set_xticks(shown, [f"{size:,}" for size in shown])
    ax.minorticks_off()
    ax.set_xlabel(xlabel)
    ax.grid(alpha=0.3)
