"""Figures of what a benchmark's number depends on besides the embeddings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, MARKERS, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_recall_curves(
    ks: Sequence[int], curves: Mapping[str, Sequence[float]], title: str = ""
) -> "tuple[Figure, Axes]":
    """Recall against k, k on a logarithmic axis.

    Args:
        ks: the cut-offs, ascending.
        curves: name → recall (0 … 1), one for each k.
        title: of the figure.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (6.5, 3.6))
    for (name, values), colour, line, marker in zip(
        curves.items(), CYCLE, LINES, MARKERS, strict=False
    ):
        percent = [100 * value for value in values]
        ax.plot(ks, percent, color=colour, linestyle=line, marker=marker, markersize=4, label=name)
    ax.set_xscale("log", base=2)
    ax.set_xticks(ks, [f"{k:,}" for k in ks], fontsize=9)
    ax.set(xlabel="k", ylabel="recall (%)", ylim=(0, 103), title=title)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9)
    return fig, ax


def plot_protocols(scores: Mapping[str, Mapping[str, float]]) -> "tuple[Figure, Axes]":
    """The same embeddings under several protocols, a row for each.

    Args:
        scores: protocol → name of the embeddings → score (0 … 1).

    Returns:
        The figure, and its axes; the first protocol is on top.
    """
    fig, [[ax]] = panels(1, 1, (7, 0.5 * len(scores) + 1.2))
    rows = range(len(scores))
    names = list(next(iter(scores.values())))
    style: dict[str, Any] = {"linestyle": "", "markersize": 9, "markeredgewidth": 2}
    style["fillstyle"] = "none"  # equal scores stay visible inside each other
    for name, colour, marker in zip(names, CYCLE, MARKERS, strict=False):
        percent = [100 * values[name] for values in scores.values()]
        ax.plot(percent, rows, color=colour, marker=marker, label=name, **style)
    ax.set_yticks(rows, list(scores))
    ax.invert_yaxis()
    ax.set(xlabel="R@1 (%)", xlim=(0, 103))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9)
    return fig, ax


def plot_precision_recall(
    positives: Mapping[str, Sequence[Sequence[float]]],
) -> "tuple[Figure, Any]":
    """Average precision as an area: trapezoids, beside the rectangles of the plain definition.

    Args:
        positives: name of the panel → for each positive, in the order of the ranking, its recall
            and the precision just before and just after it, (recall, before, after), 0 … 1.

    Returns:
        The figure, and its axes (one for each panel), which share both scales.
    """
    size = (2.9 * len(positives), 3.2)
    fig, [axes] = panels(1, len(positives), size, sharex=True, sharey=True)
    for ax, (name, steps) in zip(axes, positives.items(), strict=True):
        _draw_areas(ax, steps)
        ax.set(title=name, xlabel="recall", xlim=(0, 1), ylim=(0, 1.05))
    axes[0].set_ylabel("precision")
    axes[-1].legend(fontsize=9, loc="upper right")
    return fig, axes


def _draw_areas(ax: "Axes", steps: Sequence[Sequence[float]]) -> None:
    """The trapezoid and the rectangle of each step of recall."""
    outline: dict[str, Any] = {"color": VERMILION, "linestyle": "--", "linewidth": 1}
    left = 0.0
    for place, (recall, before, after) in enumerate(steps):
        names = ("trapezoids", "rectangles") if place == 0 else (None, None)
        across = [left, recall]
        ax.fill_between(
            across, [before, after], color=BLUE, alpha=0.35, linewidth=0, label=names[0]
        )
        ax.plot([left, left, recall, recall], [0, after, after, 0], label=names[1], **outline)
        left = recall


def plot_best_of(
    counts: Sequence[int], gains: Mapping[str, Sequence[float]], marked: int
) -> "tuple[Figure, Axes]":
    """The overstatement of the best of n evaluations, against n.

    Args:
        counts: numbers of evaluations, ascending.
        gains: name → overstatement in percentage points, one for each count.
        marked: a number of evaluations to mark.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (8, 3.4))
    for (name, values), colour, line in zip(gains.items(), CYCLE, LINES, strict=False):
        ax.plot(counts, values, color=colour, linestyle=line, label=name)
    ax.axvline(marked, color=GREY, linestyle=":", label=f"{marked} evaluations")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel="evaluations to choose from", ylabel="overstatement of R@1 (points)")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))  # beside the curves
    return fig, ax
