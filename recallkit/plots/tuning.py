"""What a comparison would say if it were not tuned, or not at equal images."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recallkit.plots.style import CYCLE, GREY, LINES, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VALIDATION = "R@1 on validation classes (%)"
Panels = Mapping[str, Mapping[Any, Mapping[Any, float]]]


def plot_rates(
    panels: Panels, xlabel: str, values: Sequence[Any], tuned: str = "rate"
) -> "tuple[Figure, Any]":
    """The comparison at each common value of what is tuned, and with each setting's own best.

    Args:
        panels: title of a panel → tuned value → value of the setting → R@1 as a share, one run.
        xlabel: what the setting is called.
        values: of the setting, in the order of the axis; spaced evenly.
        tuned: what is tuned.

    Returns:
        The figure, and an axis for each panel.
    """
    rates = sorted({rate for lines in panels.values() for rate in lines})
    styles = {rate: _style(i) for i, rate in enumerate(rates)}
    fig, axes = _panels(panels, xlabel, values)
    for ax, lines in zip(axes, panels.values(), strict=True):
        for rate in sorted(lines):
            ax.plot(*_line(lines[rate], values), label=f"{rate:g} for all", **styles[rate])
        best = {v: max(r[v] for r in lines.values() if v in r) for r in lines.values() for v in r}
        own = {"color": "black", "linewidth": 2.5, "alpha": 0.35, "label": "each its best"}
        ax.plot(*_line(best, values), zorder=0, **own)
    _shared_legend(fig, axes, tuned, [f"{rate:g} for all" for rate in rates])
    return fig, axes


def plot_equal_updates(
    panels: Panels, ends: Mapping[str, Mapping[Any, float]], xlabel: str, values: Sequence[Any]
) -> "tuple[Figure, Any]":
    """The same runs read after equal numbers of updates, and at their ends.

    Args:
        panels: title of a panel → updates → value of the setting → R@1 as a share.
        ends: title of a panel → value of the setting → R@1 as a share, at the end.
        xlabel: what the setting is called.
        values: of the setting, in the order of the axis; spaced evenly.

    Returns:
        The figure, and an axis for each panel.
    """
    counts = sorted({count for lines in panels.values() for count in lines})
    styles = {count: _style(i) for i, count in enumerate(counts)}
    fig, axes = _panels(panels, xlabel, values)
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for count in sorted(lines):
            line = _line(lines[count], values)
            ax.plot(*line, label=f"{count:,} updates each", **styles[count])
        end = {"color": GREY, "linewidth": 2.5, "alpha": 0.5, "label": "equal images (the ends)"}
        ax.plot(*_line(ends[title], values), zorder=0, **end)
    _shared_legend(fig, axes, "held equal", [f"{count:,} updates each" for count in counts])
    return fig, axes


def _panels(panels: Panels, xlabel: str, values: Sequence[Any]) -> "tuple[Figure, Sequence[Axes]]":
    import matplotlib.pyplot as plt

    count = max(1, len(panels))
    options = {"squeeze": False, "sharey": True, "layout": "constrained"}
    fig, axes = plt.subplots(1, count, figsize=(2.5 + 3.5 * count, 3.6), **options)
    for ax, title in zip(axes[0], panels or [""], strict=True):
        ax.set(title=title, xlabel=xlabel, xlim=(-0.5, len(values) - 0.5))
        ax.set_xticks(range(len(values)), [str(value) for value in values])
        ax.grid(alpha=0.3)
    axes[0, 0].set_ylabel(VALIDATION)
    return fig, axes[0]


def _line(points: Mapping[Any, float], values: Sequence[Any]) -> tuple[list[int], list[float]]:
    """Places and percentages in the order of the axis; a line stops where there is nothing."""
    known = [place for place, value in enumerate(values) if value in points]
    places = list(range(known[0], known[-1] + 1))
    return places, [100 * points.get(values[place], math.nan) for place in places]


def _style(i: int) -> dict[str, Any]:
    cycles = {"color": CYCLE, "linestyle": LINES, "marker": MARKERS}
    return {name: cycle[i % len(cycle)] for name, cycle in cycles.items()}


def _shared_legend(fig: "Figure", axes: "Sequence[Axes]", title: str, order: Sequence[str]) -> None:
    """One legend for all panels: the names in ``order``, then the others."""
    drawn = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in axes]
    found = {name: line for lines in drawn for line, name in lines}
    names = [*order, *(name for name in found if name not in order)]
    if found:
        handles = [found[name] for name in names]
        fig.legend(handles, names, loc="outside right center", title=title)
