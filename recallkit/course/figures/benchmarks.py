"""What a number of a benchmark depends on besides the embeddings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, MARKERS, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_recall_curves(
    ks: Sequence[int], curves: Mapping[str, Sequence[float]], title: str = ""
) -> "tuple[Figure, Any]":
    """Recall against k, k on a logarithmic axis.

    Args:
        ks: the cut-offs, ascending.
        curves: name → recall (0 … 1), one for each k.
        title: of the figure.

    Returns:
        The figure, and its one axis.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    for (name, values), colour, line, marker in zip(
        curves.items(), CYCLE, LINES, MARKERS, strict=False
    ):
        percent = [100 * value for value in values]
        ax.plot(ks, percent, color=colour, linestyle=line, marker=marker, markersize=4, label=name)
    ax.set_xscale("log", base=2)
    ax.set_xticks(ks, [f"{k:,}" for k in ks], fontsize=8)
    ax.set(xlabel="k", ylabel="recall (%)", ylim=(0, 103), title=title)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9)
    return fig, ax


def plot_protocols(scores: Mapping[str, Mapping[str, float]]) -> "tuple[Figure, Any]":
    """The same embeddings under several protocols, a row for each.

    Args:
        scores: protocol → name of the embeddings → score (0 … 1).

    Returns:
        The figure, and its one axis; the first protocol is on top.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7, 0.5 * len(scores) + 1.2), layout="constrained")
    rows = range(len(scores))
    names = list(next(iter(scores.values())))
    for name, colour, marker in zip(names, CYCLE, MARKERS, strict=False):
        percent = [100 * values[name] for values in scores.values()]
        ax.plot(
            percent,
            rows,
            color=colour,
            linestyle="",
            marker=marker,
            markersize=9,
            markeredgewidth=2,
            fillstyle="none",  # equal scores stay visible inside each other
            label=name,
        )
    ax.set_yticks(rows, list(scores))
    ax.invert_yaxis()
    ax.set(xlabel="R@1 (%)", xlim=(0, 103))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9)
    return fig, ax


def plot_precision_recall(points: Mapping[str, Sequence[Sequence[float]]]) -> "tuple[Figure, Any]":
    """Average precision as an area: trapezoids, beside the rectangles of the plain definition.

    Args:
        points: name of the panel → for each positive in the order found, its recall and the
            precision just before and just after it, (recall, before, after), 0 … 1.

    Returns:
        The figure, and its axes (one for each panel), which share both scales.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(
        1,
        len(points),
        figsize=(2.9 * len(points), 3.2),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, (name, steps) in zip(axes[0], points.items(), strict=True):
        _draw_areas(ax, steps)
        ax.set(title=name, xlabel="recall", xlim=(0, 1), ylim=(0, 1.05))
    axes[0, 0].set_ylabel("precision")
    axes[0, -1].legend(fontsize=8, loc="upper right")
    return fig, axes[0]


def _draw_areas(ax: "Axes", steps: Sequence[Sequence[float]]) -> None:
    """Each positive moves recall on by one step; over it stand its trapezoid and its rectangle."""
    left = 0.0
    for place, (recall, before, after) in enumerate(steps):
        names = ("trapezoids", "rectangles") if place == 0 else (None, None)
        ax.fill_between(
            [left, recall], [before, after], color=BLUE, alpha=0.35, linewidth=0, label=names[0]
        )
        ax.plot(
            [left, left, recall, recall],
            [0, after, after, 0],
            color=VERMILION,
            linestyle="--",
            linewidth=1,
            label=names[1],
        )
        left = recall


def plot_best_of(
    counts: Sequence[int], gains: Mapping[str, Sequence[float]], marked: int
) -> "tuple[Figure, Any]":
    """By how much the best of n evaluations overstates, against n.

    Args:
        counts: numbers of evaluations, ascending.
        gains: name → overstatement in points, one for each count.
        marked: a number of evaluations to mark.

    Returns:
        The figure, and its one axis.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for (name, values), colour, line in zip(gains.items(), CYCLE, LINES, strict=False):
        ax.plot(counts, values, color=colour, linestyle=line, label=name)
    ax.axvline(marked, color=GREY, linestyle=":", label=f"{marked} evaluations")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel="evaluations to choose from", ylabel="overstatement of R@1 (points)")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))  # beside the curves
    return fig, ax
