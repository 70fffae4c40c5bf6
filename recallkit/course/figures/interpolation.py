"""Curves of a metric, interpolated and relaxed by hand, in panels with one scale of values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recallkit.plots.style import CYCLE, GREY, LINES, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = tuple[Sequence[float], Sequence[float]]


def plot_along(
    curves: Mapping[str, Mapping[str, Curve]], place: str, value: str, logarithmic: bool = False
) -> "tuple[Figure, Any]":
    """Draw curves in panels side by side.

    Args:
        curves: title of a panel → name of a curve → its places and its values. A curve that is
            named "metric" is drawn wide and grey, behind the others.
        place: what the places are.
        value: what the values are.
        logarithmic: places on a scale of powers of 2.

    Returns:
        The figure, and its axes, one for each panel.
    """
    fig, [axes] = panels(1, len(curves), (9, 3.4), sharey=True)
    for ax, (title, named) in zip(axes, curves.items(), strict=True):
        for name in sorted(named, key=lambda one: one != "metric"):
            ax.plot(*named[name], label=name, **_style(name, list(named)))
        ax.set(title=title, xlabel=place)
        if logarithmic:
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter("{x:.0f}")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(value)
    axes[-1].legend(fontsize=9)
    return fig, axes


def _style(name: str, names: list[str]) -> dict[str, Any]:
    if name == "metric":
        return {"color": GREY, "linewidth": 4, "alpha": 0.5}
    place = [one for one in names if one != "metric"].index(name)
    return {"color": CYCLE[place], "linestyle": LINES[place]}
