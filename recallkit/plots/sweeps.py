"""Comparisons of settings, drawn from plain numbers: means, intervals, curves.

SiMix has its two colours in every figure, and nothing else has them. Values that have an order,
such as learning rates, have the colours of a scale from dark to light.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from recallkit.plots.names import LONGEST, fitted, line_label, name_style, show_names
from recallkit.plots.style import (
    BLUE,
    CYCLE,
    GREY,
    LINES,
    MARKERS,
    VERMILION,
    scale_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Means = Mapping[Any, tuple[float, float]]  # value → mean, half of its interval (NaN: none)
Curve = Mapping[str, Sequence[float]]  # "recall", "margin", and costs: numbers of equal count
Styles = Mapping[str, Mapping[str, Any]]  # name of a series → colour, line style, marker

RECALL = "R@1 on test classes (%)"
VALIDATION = "R@1 on validation classes (%)"
SIMIX = {"SiMix off": (BLUE, "-", "o"), "SiMix on": (VERMILION, "--", "s")}
FAR = 0.15  # below the best: the least that is far below, and may lie outside the axis


class _Mark(NamedTuple):
    """A point, or the end of a curve, whose lowest point is ``low``; heights as shares."""

    ax: "Axes"
    x: float
    height: float
    colour: Any
    low: float


def plot_comparison(
    stored: Mapping[str, Means],
    own: Mapping[Any, float],
    *,
    xlabel: str,
    values: Sequence[Any],
    ylabel: str = RECALL,
    own_label: str = "just now, one seed",
    missing: Mapping[str, Iterable[Any]] | None = None,
    log2: bool = False,
    ordered: bool = False,
    styles: Styles | None = None,
    ax: "Axes | None" = None,
) -> "tuple[Figure, Axes]":
    """Draw stored means with their intervals, and the reader's own runs among them.

    Points of a series are joined by lines only if all values are numbers. One far below all others
    is marked at the foot with its number, so that the others can be told apart.

    Args:
        stored: name of a series → value of the setting → mean and half of its interval, of R@1 or
            of a difference, as shares.
        own: value of the setting → R@1 of one run.
        xlabel: what the setting is called.
        values: of the setting, in the order of the axis.
        ylabel: what is drawn, in percent or points.
        own_label: what the reader's runs are called.
        missing: name of a series → values at which it says "not run".
        log2: put the values, which are numbers, where they are on a logarithmic axis; else they
            are evenly spaced.
        ordered: whether the series are in an order, which their colours are to show.
        styles: of each series; None: those of :func:`series_styles`.
        ax: where to draw; None: in a figure of its own, with a legend.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt

    alone = ax is None
    if ax is None:
        width = 6.5 if len(stored) < 3 else 8.5  # room for a legend beside
        _, ax = plt.subplots(figsize=(width, 4), layout="constrained")
    styles = styles or series_styles([*stored, *(missing or {})], ordered)
    at = _value_axis(ax, values, log2)
    numbers = all(isinstance(value, (int, float)) for value in values)
    joined = {} if numbers else {"linestyle": "none"}
    marks: list[_Mark] = []
    for i, (name, means) in enumerate(stored.items()):
        shift = 0.09 * (i - (len(stored) - 1) / 2)  # intervals side by side
        points = {at[v] * 4**shift if log2 else at[v] + shift: m for v, m in means.items()}
        _draw_means(ax, points, name, {**styles[name], **joined})
        colour = styles[name]["color"]
        marks += [_Mark(ax, x, mean, colour, mean) for x, (mean, _) in points.items()]
    if own:
        style: dict[str, Any] = {
            "color": GREY,
            "marker": "*",
            "markersize": 13,
            "linestyle": "none",
        }
        heights = [100 * recall for recall in own.values()]
        ax.plot([at[v] for v in own], heights, markerfacecolor="white", label=own_label, **style)
    _say_not_run(ax, at, missing or {}, styles)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.margins(y=0.2)
    ax.grid(alpha=0.3, axis="y")
    _clip(marks)
    fig: Any = ax.figure
    if alone and len(stored) > 2:
        show_names(fig.legend(loc="outside right center"))
    elif alone and len(stored) + bool(own) > 1:
        show_names(ax.legend())
    return fig, ax


def plot_lengths(
    stored: Mapping[str, Means], styles: Styles | None = None
) -> "tuple[Figure, Axes]":
    """Draw what one setting adds to another, against how long is trained.

    Args:
        stored: name of a series → images of a whole training → the difference of R@1 and half of
            its interval, as shares.
        styles: of each series; None: those of :func:`series_styles`.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    styles = styles or series_styles(stored)
    for name, means in stored.items():
        _draw_means(ax, means, name, styles[name])
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xscale="log", xlabel="images seen in the whole training")
    ax.set_ylabel("R@1, large − small (points)")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.08, y=0.15)
    ax.grid(alpha=0.3)
    if stored:  # above, where it covers no interval
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
        show_names(ax.legend(fontsize=8, frameon=False, borderaxespad=0.3, **place))
    return fig, ax


def plot_costs(
    rows: Mapping[str, Mapping[str, Curve]],
    costs: Mapping[str, str],
    legend: str = "",
    ordered: bool = False,
) -> "tuple[Figure, Any]":
    """Draw the same runs on the way, against several costs.

    A point on the way is no shorter training: that would have lowered its learning rate earlier.

    Args:
        rows: title of a row of panels → name of a curve → "recall" on validation classes and
            "margin" (NaN: none), as shares, and each cost.
        costs: a cost of the curves → what it is called below the axis.
        legend: what the names of curves are values of.
        ordered: whether the curves are in an order, which their colours are to show.

    Returns:
        The figure, and axes, (rows, costs).
    """
    import matplotlib.pyplot as plt

    rows = rows or {"": {}}
    size = (10.5, 3.2 * len(rows) + 0.3)
    options: dict[str, Any] = {"figsize": size, "squeeze": False, "layout": "constrained"}
    fig, axes = plt.subplots(len(rows), len(costs), sharey=True, **options)
    styles = series_styles(
        dict.fromkeys(name for curves in rows.values() for name in curves), ordered
    )
    marks: list[_Mark] = []
    for panels, (title, curves) in zip(axes, rows.items(), strict=True):
        for ax, (cost, xlabel) in zip(panels, costs.items(), strict=True):
            for name, curve in curves.items():
                _draw_curve(ax, curve, cost, name, styles[name])
                recall, colour = curve["recall"], styles[name]["color"]
                marks.append(_Mark(ax, curve[cost][-1], recall[-1], colour, min(recall)))
            _cost_axis(ax, xlabel, log=cost == "updates")
        panels[0].set_ylabel(VALIDATION)
        panels[len(panels) // 2].set_title(title if len(rows) > 1 else "", **name_style(title))
    _clip(marks)
    _shared_legend(fig, axes.flat, legend)
    return fig, axes


def plot_lines(
    panels: Mapping[str, Mapping[str, Mapping[Any, float]]],
    behind: Mapping[str, Mapping[Any, float]],
    *,
    names: Sequence[str],
    xlabel: str,
    values: Sequence[Any],
    behind_label: str,
    legend: str,
    log2: bool = False,
) -> "tuple[Figure, Any]":
    """Draw lines over a setting, in panels side by side, with a broad one behind each.

    A line stops where it has no value. A point far below all others is marked at the foot.

    Args:
        panels: title of a panel → name of a line → value of the setting → R@1 on validation
            classes, as a share.
        behind: title of a panel → value of the setting → R@1 of the broad line.
        names: of all lines, in their order, which their colours show.
        xlabel: what the setting is called.
        values: of the setting, in the order of the axis.
        behind_label: what the broad line is.
        legend: what the names of lines are values of.
        log2: see :func:`plot_comparison`.

    Returns:
        The figure, and an axis for each panel.
    """
    import matplotlib.pyplot as plt

    count = max(1, len(panels))
    options: dict[str, Any] = {"squeeze": False, "sharey": True, "layout": "constrained"}
    fig, [axes] = plt.subplots(1, count, figsize=(2.5 + 3.5 * count, 3.6), **options)
    styles = series_styles(names, ordered=True)
    marks: list[_Mark] = []
    for ax, (title, lines) in zip(axes, panels.items(), strict=False):
        at = _value_axis(ax, values, log2)
        broad = {"color": "black", "linewidth": 2.5, "alpha": 0.3, "zorder": 0}
        ax.plot(*_line(behind[title], at), label=behind_label, **broad)
        for name, line in lines.items():
            ax.plot(*_line(line, at), label=line_label(name), **styles[name])
            colour = styles[name]["color"]
            marks += [_Mark(ax, at[v], recall, colour, recall) for v, recall in line.items()]
        ax.set(xlabel=xlabel)
        ax.set_title(title, **name_style(title))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(VALIDATION)
    _clip(marks)
    _shared_legend(fig, axes, legend, names)
    return fig, axes


def series_styles(names: Iterable[str], ordered: bool = False) -> dict[str, dict[str, Any]]:
    """Return colour, line style and marker of each series.

    SiMix has its own colours; ``ordered`` series have those of a scale from dark to light.
    """
    names = list(dict.fromkeys(names))
    others = [colour for colour in CYCLE if colour not in (BLUE, VERMILION)]
    colours = scale_colours(len(names)) if ordered else others
    styles = {}
    for i, name in enumerate(names):
        colour = colours[i % len(colours)]
        style = SIMIX.get(name, (colour, LINES[i % len(LINES)], MARKERS[i % len(MARKERS)]))
        styles[name] = dict(zip(("color", "linestyle", "marker"), style, strict=True))
    return styles


def _draw_means(
    ax: "Axes", points: Mapping[float, tuple[float, float]], name: str, style: Mapping[str, Any]
) -> None:
    heights = [100 * mean for mean, _ in points.values()]
    margins = [0.0 if math.isnan(margin) else 100 * margin for _, margin in points.values()]
    ax.errorbar([*points], heights, yerr=margins, label=line_label(name), capsize=3, **style)


def _draw_curve(ax: "Axes", curve: Curve, cost: str, name: str, style: Mapping[str, Any]) -> None:
    heights = [100 * recall for recall in curve["recall"]]
    ax.plot(curve[cost], heights, markersize=4, label=line_label(name), **style)
    if not math.isnan(curve["margin"][-1]):
        margins = [100 * margin for margin in curve["margin"]]
        low, high = (
            [h + sign * m for h, m in zip(heights, margins, strict=True)] for sign in (-1, 1)
        )
        ax.fill_between(curve[cost], low, high, color=style["color"], alpha=0.12, linewidth=0)


def _line(points: Mapping[Any, float], at: Mapping[Any, float]) -> tuple[list[float], list[float]]:
    """Places and percentages in the order of the axis; a line stops where there is nothing."""
    known = [value for value in at if value in points]
    between = list(at)[list(at).index(known[0]) : list(at).index(known[-1]) + 1] if known else []
    return [at[v] for v in between], [100 * points.get(v, math.nan) for v in between]


def _value_axis(ax: "Axes", values: Sequence[Any], log2: bool) -> dict[Any, float]:
    """Name the values below the axis; return where each stands."""
    if log2:
        _batch_axis(ax, values)
        ax.set_xlim(min(values) / 1.6, max(values) * 1.6)
        return {value: float(value) for value in values}
    shown = [fitted(str(value), LONGEST, size=10) for value in values]
    ax.set_xticks(range(len(values)), shown, **name_style(*shown))
    ax.set_xlim(-0.5, len(values) - 0.5)
    return {value: float(place) for place, value in enumerate(values)}


def _batch_axis(ax: "Axes", shown: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(shown, [f"{size:,}" for size in shown])
    ax.minorticks_off()
    ax.grid(alpha=0.3)


def _cost_axis(ax: "Axes", xlabel: str, log: bool) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

    ax.set(xlabel=xlabel, xscale="log" if log else "linear")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)) if log else MaxNLocator(5))
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(alpha=0.3)


def _say_not_run(
    ax: "Axes",
    at: Mapping[Any, float],
    missing: Mapping[str, Iterable[Any]],
    styles: Styles,
) -> None:
    """Write "not run" at the foot of each value, in the colour of the series that lacks it."""
    lines: dict[Any, int] = {}
    for name, values in missing.items():
        for value in values:
            _write_at_foot(ax, at[value], "not run", styles[name]["color"], lines.get(value, 0))
            lines[value] = lines.get(value, 0) + 1


def _write_at_foot(ax: "Axes", x: float, text: str, colour: Any, line: int = 0) -> None:
    style = {"textcoords": "offset points", "ha": "center", "fontsize": 7, "color": colour}
    ax.annotate(text, (x, 0), (0, 3 + 9 * line), xycoords=("data", "axes fraction"), **style)


def _clip(marks: Sequence[_Mark]) -> None:
    """End axes of one height above what lies far below all else, and mark it with its number.

    Far below the best is what lies at least :data:`FAR` below it, and four times as far as the
    median.
    """
    if not marks:
        return
    heights = [mark.height for mark in marks]
    floor = max(heights) - max(FAR, 4 * (max(heights) - median(heights)))
    lows = [100 * mark.low for mark in marks if mark.height >= floor]
    if len(lows) == len(marks):
        return
    low, best, top = min(lows), 100 * max(heights), marks[0].ax.get_ylim()[1]
    top = min(top, 2 * best - low)
    for mark in marks:
        mark.ax.set_ylim(low - 0.15 * (top - low), top)
        if mark.height < floor:
            _write_at_foot(mark.ax, mark.x, f"▼ {100 * mark.height:.0f}", mark.colour)


def _shared_legend(
    fig: "Figure", axes: "Iterable[Axes]", title: str, order: Sequence[str] = ()
) -> None:
    """Draw one legend for all panels: the names in ``order``, then the others."""
    drawn = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in axes]
    handles = {name: handle for lines in drawn for handle, name in lines}
    first = [label for label in map(line_label, order) if label in handles]
    names = list(dict.fromkeys([*first, *handles]))
    if names:
        shown = [handles[name] for name in names]
        show_names(fig.legend(shown, names, loc="outside right center", title=title))
