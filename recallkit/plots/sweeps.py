"""Comparisons of settings, drawn from plain numbers: means, intervals, gains, curves.

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
    batch_axis,
    scale_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Means = Mapping[Any, tuple[float, float]]  # value → mean, half of its interval (NaN: none)
Styles = Mapping[str, Mapping[str, Any]]  # name of a series → colour, line style, marker

RECALL = "R@1 on test classes (%)"
VALIDATION = "R@1 on validation classes (%)"
SIMIX = {"SiMix off": (BLUE, "-", "o"), "SiMix on": (VERMILION, "--", "s")}
FAR = 0.15  # below the best: the least that is far below, and may lie outside the axis


class Gain(NamedTuple):
    """The gain of one setting over another.

    Attributes:
        x: what the gain is drawn against.
        change: of R@1, as a share.
        margin: half of its interval, as a share; NaN: none.
        updates: of the trainings; the more, the larger the mark.
    """

    x: float
    change: float
    margin: float
    updates: float


class Course(NamedTuple):
    """A training on its way, or the mean of several.

    Attributes:
        name: of the curve: the value of a setting.
        series: the series that it belongs to.
        images: seen at each evaluation.
        recall: R@1 on validation classes, as shares.
        above_floor: training loss less that of a perfect ranking.
    """

    name: str
    series: str
    images: Sequence[float]
    recall: Sequence[float]
    above_floor: Sequence[float]


def plot_comparison(
    stored: Mapping[str, Means],
    own: Mapping[Any, float],
    *,
    xlabel: str,
    values: Sequence[Any],
    own_label: str = "just now, one seed",
    missing: Mapping[str, Iterable[Any]] | None = None,
    runs: Mapping[str, Mapping[Any, Sequence[float]]] | None = None,
    log2: bool = False,
    ordered: bool = False,
    styles: Styles | None = None,
    ax: "Axes | None" = None,
) -> "tuple[Figure, Axes]":
    """Draw stored means with their intervals, and the reader's own runs among them.

    Points of a series are joined by lines only if all values are numbers. One far below all others
    is marked at the foot with its number, so that the others can be told apart.

    Args:
        stored: name of a series → value of the setting → mean and half of its interval of R@1, as
            shares.
        own: value of the setting → R@1 of one run.
        xlabel: what the setting is called.
        values: of the setting, in the order of the axis.
        own_label: what the reader's runs are called.
        missing: name of a series → values at which it says "not run".
        runs: name of a series → value → R@1 of each run, to be drawn as small points.
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
    shifts = [0.09 * (i - (len(stored) - 1) / 2) for i in range(len(stored))]
    at = _value_axis(ax, values, log2, max([0.0, *shifts]))
    numbers = all(isinstance(value, (int, float)) for value in values)
    joined = {} if numbers else {"linestyle": "none"}
    marks: list[tuple[float, float, Any]] = []  # x, R@1, colour
    for shift, (name, means) in zip(shifts, stored.items(), strict=True):  # side by side
        points = {at[v] * 4**shift if log2 else at[v] + shift: m for v, m in means.items()}
        _draw_means(ax, points, name, {**styles[name], **joined})
        colour = styles[name]["color"]
        for value, recalls in (runs or {}).get(name, {}).items():
            _draw_runs(ax, at[value] * 1.1 if log2 else at[value] + shift + 0.06, recalls, colour)
        marks += [(x, mean, colour) for x, (mean, _) in points.items()]
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
    ax.set(xlabel=xlabel, ylabel=RECALL)
    ax.margins(y=0.2)
    ax.grid(alpha=0.3, axis="y")
    _clip(ax, marks)
    fig: Any = ax.figure
    if alone and len(stored) > 2:
        show_names(fig.legend(loc="outside right center"))
    elif alone and len(stored) + bool(own) > 1:
        show_names(ax.legend())
    return fig, ax


def plot_gains(
    series: Mapping[str, Sequence[Gain]],
    *,
    xlabel: str,
    ylabel: str,
    log2: bool = False,
    joined: bool = False,
) -> "tuple[Figure, Axes]":
    """Draw what one setting adds to another, in points of R@1 with intervals.

    Args:
        series: name → points.
        xlabel: what the points are drawn against.
        ylabel: what is added to what.
        log2: make that axis logarithmic.
        joined: join the points of a series by a line.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(8.5, 6), layout="constrained")
    _draw_gains(ax, series, joined)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if log2:
        _share_axis(ax)
    _name_updates(ax, series)
    below: dict[str, Any] = {"loc": "outside lower center", "ncols": 2, "fontsize": 9}
    show_names(fig.legend(columnspacing=1, **below) if series else None)
    return fig, ax


def plot_gains_apart(
    panels: Mapping[str, Mapping[str, Sequence[Gain]]], *, xlabel: str, ylabel: str
) -> "tuple[Figure, Sequence[Axes]]":
    """Draw gains in a panel for each group of series, one above the other, on the same axes.

    Args:
        panels: title → series as :func:`plot_gains` takes them; their points are joined.
        xlabel: what the points are drawn against, on a logarithmic axis.
        ylabel: what is added to what.

    Returns:
        The figure, and its axes, from above.
    """
    import matplotlib.pyplot as plt

    rows = max(1, len(panels))
    options: dict[str, Any] = {"sharex": True, "sharey": True, "layout": "constrained"}
    fig, grid = plt.subplots(rows, figsize=(8.5, 0.8 + 2.4 * rows), squeeze=False, **options)
    axes = list(grid[:, 0])
    for ax, (title, series) in zip(axes, panels.items(), strict=False):
        _draw_gains(ax, series, joined=True)
        ax.set_title(title, loc="left", fontsize=10)
        show_names(ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9))
    _share_axis(axes[-1])
    axes[-1].set_xlabel(xlabel)
    fig.supylabel(ylabel, fontsize=10)
    everything = {(title, name): g for title, of in panels.items() for name, g in of.items()}
    if marks := _name_updates(axes[-1], everything):
        fig.legend(handles=marks, loc="outside lower center", ncols=len(marks), fontsize=9)
    return fig, axes


def _draw_gains(ax: "Axes", series: Mapping[str, Sequence[Gain]], joined: bool) -> None:
    for (name, gains), style in zip(series.items(), series_styles(series).values(), strict=True):
        gains = sorted(gains)
        heights = [100 * gain.change for gain in gains]
        margins = [0.0 if math.isnan(gain.margin) else 100 * gain.margin for gain in gains]
        x, sizes = [gain.x for gain in gains], [_area(gain.updates) for gain in gains]
        bars = {"color": style["color"], "ecolor": style["color"], "capsize": 2, "elinewidth": 1}
        line = style["linestyle"] if joined else "none"
        ax.errorbar(x, heights, yerr=margins, linestyle=line, **bars)
        marks = {"marker": style["marker"], "color": style["color"], "edgecolor": "white"}
        ax.scatter(x, heights, sizes, label=line_label(name), zorder=3, **marks)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.grid(alpha=0.3)


def _share_axis(ax: "Axes") -> None:
    """Make the axis below logarithmic, with shares as fractions: 1/16, 1/4, 1, 4."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:,g}" if x >= 1 else f"1/{1 / x:g}")


def _name_updates(ax: "Axes", series: Mapping[Any, Sequence[Gain]]) -> list[Any]:
    """Add marks of three sizes for the legend, and return them; none where all are alike."""
    updates = [gain.updates for gains in series.values() for gain in gains]
    counts = (100, 1000, 10_000) if updates and min(updates) < max(updates) else ()
    style: dict[str, Any] = {"color": "white", "edgecolor": GREY}
    return [
        ax.scatter([], [], _area(count), label=f"{count:,} updates", **style) for count in counts
    ]


def _area(updates: float) -> float:
    """Return the area of a mark: ten times the updates, a diameter half as large again."""
    return 9 * 2.25 ** math.log10(max(updates, 10))


def plot_course(
    axes: "Sequence[Axes]", courses: Sequence[Course], styles: Styles, colours: Mapping[str, Any]
) -> None:
    """Draw trainings on their way: R@1 on validation classes, and the loss above its floor.

    A point on the way is no shorter training: that would have lowered its learning rate earlier.

    Args:
        axes: two of them.
        courses: the trainings.
        styles: of each series, of which the curve takes the line.
        colours: of each name.
    """
    from matplotlib.ticker import EngFormatter

    recall, loss = axes
    for course in courses:
        style = {"color": colours[course.name], "linestyle": styles[course.series]["linestyle"]}
        heights = [100 * share for share in course.recall]
        recall.plot(course.images, heights, label=line_label(course.name), **style)
        loss.plot(course.images, course.above_floor, **style)
    recall.set_ylabel(VALIDATION)
    loss.set_ylabel("training loss above its floor")
    loss.axhline(0, color="black", linewidth=0.8)
    for ax in axes:
        ax.set_xlabel("images seen")
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.grid(alpha=0.3)


def share_legend(
    fig: "Figure", axes: "Iterable[Axes]", title: str = "", place: str = "center"
) -> None:
    """Put one legend for several axes beside a figure, if they hold more than one name.

    Args:
        fig: the figure.
        axes: some of its axes.
        title: what the names are values of.
        place: "upper", "center" or "lower", on the right.
    """
    handles: dict[str, Any] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    if len(handles) > 1:
        options: dict[str, Any] = {"loc": f"outside right {place}", "title": title}
        show_names(fig.legend(handles.values(), handles, **options))


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


def _draw_runs(ax: "Axes", x: float, recalls: Sequence[float], colour: Any) -> None:
    """Draw each run beside the mean, as a small open point."""
    heights = [100 * recall for recall in recalls]
    ax.plot([x] * len(heights), heights, "o", markersize=4, color=colour, markerfacecolor="white")


def _value_axis(ax: "Axes", values: Sequence[Any], log2: bool, shift: float) -> dict[Any, float]:
    """Name the values below the axis, which a point lies up to ``shift`` beside; place them."""
    if log2:
        batch_axis(ax, values)
        beside = max(1.6, 1.2 * 4**shift)
        ax.set_xlim(min(values) / beside, max(values) * beside)
        return {value: float(value) for value in values}
    shown = [fitted(str(value), LONGEST, size=10) for value in values]
    ax.set_xticks(range(len(values)), shown, **name_style(*shown))
    ax.set_xlim(-0.5, len(values) - 0.5)
    return {value: float(place) for place, value in enumerate(values)}


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
    style = {"textcoords": "offset points", "ha": "center", "fontsize": 8, "color": colour}
    ax.annotate(text, (x, 0), (0, 3 + 10 * line), xycoords=("data", "axes fraction"), **style)


def _clip(ax: "Axes", marks: Sequence[tuple[float, float, Any]]) -> None:
    """End an axis above what lies far below all else, and mark it with its number.

    Far below the best is what lies at least :data:`FAR` below it, and four times as far as the
    median.
    """
    if not marks:
        return
    heights = [height for _, height, _ in marks]
    floor = max(heights) - max(FAR, 4 * (max(heights) - median(heights)))
    near = [100 * height for height in heights if height >= floor]
    if len(near) == len(marks):
        return
    span = max(near) - min(near) or 1.0
    top = min(ax.dataLim.y1 + 0.15 * span, max(near) + span)  # an interval may be very long
    bottom = min(near) - 0.15 * (top - min(near))
    ax.set_ylim(bottom, top)
    for x, height, colour in marks:
        if 100 * height < bottom:
            _write_at_foot(ax, x, f"▼ {100 * height:.0f}", colour)
