"""Comparisons of settings: the toy that misleads, what a batch holds, stored runs and one's own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.experiments.summary import Estimate
from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, MARKERS, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from recallkit.experiments.points import Look
import math

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_three_views(
    batch_sizes: Sequence[int], views: Mapping[str, Tensor]
) -> "tuple[Figure, Any]":
    """The same batch sizes, compared in several ways.

    Args:
        batch_sizes: B of them.
        views: what is held equal → (B,) errors.

    Returns:
        The figure, and an axis for each way.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(views), figsize=(9, 3.2), sharey=True)
    fig.subplots_adjust(0.09, 0.16, 0.99, 0.9, 0.06)  # by hand: twice as fast as a layout engine
    for i, (ax, (title, errors)) in enumerate(zip(axes, views.items(), strict=True)):
        style = {"color": CYCLE[i], "linestyle": LINES[i], "marker": MARKERS[i]}
        ax.plot(batch_sizes, errors, **style)
        ax.set(title=title, xlabel="batch size", yscale="log", ylim=(1e-3, 1.2))
        _batch_axis(ax, batch_sizes)
        ax.minorticks_off()
    axes[0].set_ylabel("squared error of the guess")
    axes[0].set_yticks([1e-3, 1e-2, 1e-1, 1], ["0.001", "0.01", "0.1", "1"])
    return fig, axes


def plot_competition(
    batch_sizes: Sequence[int], recall: Sequence[float], loss: Sequence[float]
) -> "tuple[Figure, Any]":
    """How hard the task within a batch is, against the size of the batch.

    Args:
        batch_sizes: B of them.
        recall: (B,) share of queries whose nearest in the batch is right.
        loss: (B,) RS@k.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    ax.plot(batch_sizes, recall, color=BLUE, marker="o", label="R@1 within the batch")
    ax.plot(batch_sizes, loss, color=VERMILION, marker="s", linestyle="--", label="RS@k loss")
    ax.set(xlabel="batch size", ylim=(0, 1), title="The same images, in batches of any size")
    _batch_axis(ax, batch_sizes)
    ax.legend(loc="lower left")
    return fig, ax


def plot_comparison(
    stored: Mapping[str, Mapping[Any, Estimate]],
    own: Mapping[Any, float],
    *,
    xlabel: str,
    values: Sequence[Any],
    ylabel: str = "R@1 on test classes (%)",
    own_label: str = "just now, one seed",
    ax: "Axes | None" = None,
) -> "tuple[Figure, Any]":
    """Stored runs with their intervals, and the reader's own points among them.

    A value without a point in a series, or in none, says "not run".

    Args:
        stored: name of a series → value of the setting → mean and interval of R@1, as shares, or
            of a difference between two. More than two series stand side by side at each value.
        own: value of the setting → R@1 of one run.
        xlabel: what the setting is called.
        values: of the setting, in the order of the axis; spaced evenly. Points are joined by
            lines only if all are numbers: between others there is nothing.
        ylabel: what is drawn, in percent or points.
        own_label: what the reader's points are called.
        ax: where to draw; None: in a figure of its own.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt

    alone = ax is None
    if alone:
        width = 6.5 if len(stored) < 3 else 8.5  # room for a legend beside
        _, ax = plt.subplots(figsize=(width, 4), layout="constrained")
    places = {value: place for place, value in enumerate(values)}
    step = 0.09 if len(stored) > 2 else 0.0  # intervals side by side, not on top of each other
    joined = {} if all(isinstance(v, (int, float)) for v in values) else {"linestyle": "none"}
    for i, (name, points) in enumerate(stored.items()):
        ax.errorbar(
            [places[value] + step * (i - (len(stored) - 1) / 2) for value in points],
            [100 * point.mean for point in points.values()],
            yerr=[100 * point.margin if point.count > 1 else 0 for point in points.values()],
            label=name,
            capsize=3,
            **(_series_style(i) | joined),
        )
    heights = [100 * value for value in own.values()]
    style = {"color": GREY, "marker": "*", "markersize": 13, "markerfacecolor": "white"}
    if own:
        style |= {"linestyle": "none", "label": own_label}
        ax.plot([places[value] for value in own], heights, **style)
    _say_not_run(ax, stored, own, values)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(range(len(values)), [str(value) for value in values])
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.margins(y=0.3)
    ax.grid(alpha=0.3, axis="y")
    if alone and len(stored) > 2:
        ax.figure.legend(loc="outside right center")
    elif own or sum(map(bool, stored.values())) > 1:
        ax.legend()
    return ax.figure, ax


def plot_lengths(stored: Mapping[str, Mapping[int, Estimate]]) -> "tuple[Figure, Axes]":
    """What one setting adds to another, against how long is trained.

    Args:
        stored: name of a series → images seen in a whole training → the difference of R@1, a share.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for i, (name, changes) in enumerate(stored.items()):
        means = [100 * change.mean for change in changes.values()]
        margins = [100 * change.margin if change.count > 1 else 0 for change in changes.values()]
        style = {"label": name, "capsize": 3} | _series_style(i)
        ax.errorbar([*changes], means, yerr=margins, **style)
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
        ax.legend(fontsize=8, frameon=False, borderaxespad=0.3, **place)
    return fig, ax


def _series_style(i: int) -> dict[str, Any]:
    """A look of its own for each number, beyond the seven colours too."""
    turn = i // len(CYCLE)
    return {
        "color": CYCLE[i % len(CYCLE)],
        "linestyle": LINES[(i + turn) % len(LINES)],
        "marker": MARKERS[(i + 2 * turn) % len(MARKERS)],
    }


def _say_not_run(
    ax: "Axes", stored: Mapping[str, Mapping[Any, Estimate]], own: Mapping[Any, float], values: Any
) -> None:
    """At the foot of each value that a series lacks, in the colour of the series."""
    for place, value in enumerate(values):
        lacking = [i for i, points in enumerate(stored.values()) if value not in points]
        nowhere = len(lacking) == len(stored)
        if nowhere and value in own:
            continue
        for line, i in enumerate([None] if nowhere else lacking):
            colour = GREY if i is None else CYCLE[i % len(CYCLE)]
            ax.annotate(
                "not run",
                (place, 0),
                (0, 3 + 9 * line),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=colour,
            )


COSTS = {"images": "images seen", "updates": "updates", "seconds": "seconds of training"}


def plot_costs(
    rows: "Mapping[str, Mapping[str, Sequence[Look]]]", legend: str = "", seconds: bool = True
) -> "tuple[Figure, Any]":
    """The same runs on the way, against three costs: images seen, updates, seconds.

    A point on the way is no shorter training: that would have lowered its rate earlier. Seconds are
    the processor's where all runs have noted them: other programs hardly change those.

    Args:
        rows: name of a row of panels → name of a curve → its looks at the validation classes.
        legend: what the names of curves are values of.
        seconds: whether they can be compared; if not, they are left out.

    Returns:
        The figure, and axes, (rows, 3), or 2 without seconds.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter, MaxNLocator

    size = (10.5, 3.2 * len(rows) + 0.3)
    options = {"figsize": size, "squeeze": False, "sharey": True, "layout": "constrained"}
    costs = _costs(rows, seconds)
    fig, axes = plt.subplots(len(rows), len(costs), **options)
    names = list(dict.fromkeys(name for curves in rows.values() for name in curves))
    for row, (title, curves) in zip(axes, rows.items(), strict=True):
        for ax, (cost, xlabel) in zip(row, costs.items(), strict=True):
            for name, looks in curves.items():
                _curve(ax, looks, cost, name, names.index(name))
            ax.set(xlabel=xlabel, xscale="log" if cost == "updates" else "linear")
            if cost != "updates":
                ax.xaxis.set_major_locator(MaxNLocator(5))
                ax.xaxis.set_major_formatter(EngFormatter(sep=""))
            ax.grid(alpha=0.3)
        row[0].set_ylabel("R@1 on validation classes (%)")
        row[1].set_title(title if len(rows) > 1 else "")
    drawn = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in axes[:, 0]]
    handles = {name: line for lines in drawn for line, name in lines}
    if handles:
        fig.legend(handles.values(), handles, loc="outside right center", title=legend)
    return fig, axes


def _costs(rows: "Mapping[str, Mapping[str, Sequence[Look]]]", seconds: bool) -> dict[str, str]:
    looks = [look for curves in rows.values() for curve in curves.values() for look in curve]
    first = {name: words for name, words in COSTS.items() if name != "seconds"}
    if not seconds:
        return first
    if not looks or any(look.processor_seconds is None for look in looks):
        return COSTS
    return first | {"processor_seconds": "processor seconds of training"}


def _curve(ax: "Axes", looks: "Sequence[Look]", cost: str, name: str, number: int) -> None:
    x = [getattr(look, cost) for look in looks]
    means = [100 * look.recall.mean for look in looks]
    style = _series_style(number)
    ax.plot(x, means, markersize=4, label=name, **style)
    if looks and looks[-1].recall.count > 1:
        margins = [100 * look.recall.margin for look in looks]
        low = [mean - margin for mean, margin in zip(means, margins, strict=True)]
        high = [mean + margin for mean, margin in zip(means, margins, strict=True)]
        ax.fill_between(x, low, high, color=style["color"], alpha=0.12, linewidth=0)


def _batch_axis(ax: "Axes", batch_sizes: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    shown = batch_sizes if len(batch_sizes) <= 6 else batch_sizes[::2]
    ax.set_xticks(shown, [f"{size:,}" for size in shown])
    ax.grid(alpha=0.3)


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
