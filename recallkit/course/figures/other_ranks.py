"""Other answers to "how can a rank have a gradient?", side by side, and the bound of ours."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.plots.style import BLUE, GREY, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = (
    {"color": BLUE, "linestyle": "-", "linewidth": 1.5},
    {"color": VERMILION, "linestyle": "--", "linewidth": 1.5},
)
SLIM: dict[str, Any] = {"fontsize": 9, "handlelength": 1.3, "handletextpad": 0.4, "borderpad": 0.2}


def plot_rank_answers(
    place: Tensor,
    true_rank: Tensor,
    groups: Mapping[str, Mapping[str, tuple[Tensor | None, Tensor]]],
    own_unit: Collection[str] = (),
) -> "tuple[Figure, Any]":
    """The rank of one moved item by several methods, and below it how fast the rank falls.

    Args:
        place: (M,) similarities that the item is given.
        true_rank: (M,).
        groups: title of a column → at most two methods → ranks (M,), or None for a method that
            keeps the true rank; and the derivative of the rank by the similarity (M,).
        own_unit: methods whose slope is in another unit. Such a curve is drawn as high as the other
            one of its column, and its name says "own unit".

    Returns:
        The figure, and its axes (2, columns): ranks, slopes.
    """
    fig, axes = panels(2, len(groups), (9.2, 4.8), sharex=True, sharey="row")
    for (upper, lower), (title, methods) in zip(axes.T, groups.items(), strict=True):
        upper.plot(place, true_rank, color=GREY, linewidth=3, alpha=0.5, label="true rank")
        for style, (name, (rank, slope)) in zip(STYLES, methods.items(), strict=False):
            if rank is not None:
                upper.plot(place, rank, label=name, **style)
            if name in own_unit:
                others = [of for other, (_, of) in methods.items() if other not in own_unit]
                slope = slope * _height(others) / _height([slope])
            label = f"{name}\n(own unit)" if name in own_unit else name
            lower.plot(place, -slope, label=label, **style)
        upper.set_title(title, fontsize=10)
        upper.legend(loc="lower right", **SLIM)
        lower.set(xlabel="similarity of the moved item", xticks=[0, 0.5, 1])
        if all(rank is None for rank, _ in methods.values()):
            lower.legend(loc="upper right", **SLIM)
    axes[0, 0].set(ylabel="its rank", ylim=(float(true_rank.max()) + 0.5, 0.5))
    axes[1, 0].set(ylabel="places won\nper unit of similarity")
    return fig, axes


def _height(slopes: Sequence[Tensor]) -> float:
    """Return how far the highest of some curves is from 0; 1 if there is none."""
    return max((float(slope.abs().max()) for slope in slopes), default=1.0)


def plot_rank_bound(
    bound: Mapping[str, Tensor], error: Mapping[str, Tensor]
) -> "tuple[Figure, Axes]":
    """Draw how far relaxed ranks are from true ones, against the bound of that.

    Args:
        bound: name of a kind of list → (L,) bounds.
        error: the same names → (L,) errors.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (5, 3.6))
    for name, marker, style in zip(bound, "os", STYLES, strict=False):
        hollow: dict[str, Any] = {"markerfacecolor": "none", "color": style["color"]}
        ax.plot(bound[name], error[name], marker, label=name, markersize=4, **hollow)
    low, high = ax.get_xlim()
    ax.axline((0, 0), slope=1, color=GREY, label="error = bound")
    ax.set(xlim=(max(0, low), high), xlabel="bound: Σ σ(−|Δ| / τ₂)", ylabel="error: |r̃ − r|")
    ax.legend(fontsize=9, loc="upper left")
    return fig, ax
