"""Differences on one axis, a row each: with intervals where they were measured, else without."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from recallkit.plots.names import legible, name_style
from recallkit.plots.style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEN, UNSEEN = "a difference is seen", "no difference seen"
_HOLM = {UNSEEN: f"{UNSEEN}, after Holm's correction"}  # its interval may well leave out 0
_MARKS: dict[str, dict[str, Any]] = {
    SEEN: {"color": BLUE, "marker": "o"},
    UNSEEN: {"color": BLUE, "marker": "o", "markerfacecolor": "white"},
    "one seed": {"color": GREY, "marker": "x"},
    "published": {"color": ORANGE, "marker": "D"},
    "unverified": {"color": ORANGE, "marker": "D", "markerfacecolor": "white"},
}
_SAID = {"rises": SEEN, "falls": SEEN}


class Difference(NamedTuple):
    """A difference of R@1.

    Attributes:
        group: of rows that belong together; its name stands above them.
        label: of the row.
        change: as a share.
        margin: half of its interval, as a share; NaN: none.
        verdict: "rises", "falls", "no difference seen", "one seed", "published" or "unverified".
    """

    group: str
    label: str
    change: float
    margin: float
    verdict: str


def plot_differences(rows: Sequence[Difference], *, title: str) -> "tuple[Figure, Axes]":
    """Draw a row for each difference, in groups, to the left or the right of 0.

    Args:
        rows: those of a group follow each other.
        title: the claim that differences to the right of 0 speak for.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt

    lines = _lines(rows)
    size = (8.5, 1.6 + 0.24 * len(lines))
    fig, ax = plt.subplots(figsize=size, layout="constrained")
    for place, row in enumerate(lines):
        if isinstance(row, Difference):
            word = _SAID.get(row.verdict, row.verdict)
            margin = 0.0 if math.isnan(row.margin) else 100 * row.margin
            style = {"capsize": 2, "linestyle": "none", "markersize": 5, **_MARKS[word]}
            ax.errorbar(100 * row.change, place, xerr=margin, label=word, **style)
    names = [legible(row.label if isinstance(row, Difference) else row) for row in lines]
    ax.set_yticks(range(len(lines)), names, fontsize=9, **name_style(*names))
    for text, row in zip(ax.get_yticklabels(), lines, strict=True):
        text.set_fontweight("normal" if isinstance(row, Difference) else "bold")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.axvline(0, color="black", linewidth=0.8, zorder=0)
    ax.grid(alpha=0.3, axis="x")
    ax.set_xlabel("change of R@1 on test classes (points)\n← against          for the claim →")
    fig.suptitle(legible(title), fontsize=11, **name_style(title))
    _legend(fig, ax)
    return fig, ax


def _lines(rows: Sequence[Difference]) -> list[Difference | str]:
    """Return the rows, with the name of each group above its rows."""
    lines: list[Difference | str] = []
    for i, row in enumerate(rows):
        if i == 0 or rows[i - 1].group != row.group:
            lines.append(row.group)
        lines.append(row)
    return lines


def _legend(fig: "Figure", ax: "Axes") -> None:
    """Explain each mark once, below the axis, in the order of :data:`_MARKS`."""
    handles, names = ax.get_legend_handles_labels()
    known = dict(zip(names, handles, strict=True))
    shown = [name for name in _MARKS if name in known]
    if shown:
        style: dict[str, Any] = {"loc": "outside lower center", "ncols": len(shown), "fontsize": 9}
        words = [_HOLM.get(name, name) for name in shown]
        fig.legend([known[name] for name in shown], words, frameon=False, **style)
