"""The push on one positive and one negative, and on the negatives of a batch, by several losses."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_pair_plane(
    grid: Tensor, pushes: Mapping[str, Tensor], boundaries: Mapping[str, Tensor]
) -> "tuple[Figure, Any]":
    """The push on a positive and a negative, at each place of the two, a panel for each loss.

    Args:
        grid: (G,) similarities.
        pushes: title → (G, G, 2) −dL/ds of the positive, along the rows, and of the negative. The
            longest arrow of each panel has the same length.
        boundaries: title → (M, 2) s_p and s_n of a line that belongs to the loss.

    Returns:
        The figure, and its axes.
    """
    fig, [axes] = panels(1, len(pushes), (9, 3.3), sharex=True, sharey=True)
    style: dict[str, Any] = {"scale": 13, "width": 0.008, "pivot": "mid", "color": GREY}
    low, high = grid.min().item() - 0.05, grid.max().item() + 0.05
    for ax, (title, push) in zip(axes, pushes.items(), strict=True):
        ax.plot(boundaries[title][:, 1], boundaries[title][:, 0], color=BLUE, linewidth=2)
        shown = push / push.norm(dim=2).max()
        ax.quiver(grid, grid, shown[..., 1], shown[..., 0], zorder=2, **style)
        ax.set(title=title, xlabel="similarity of the negative", xlim=(low, high), ylim=(low, high))
        ax.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
    axes[0].set_ylabel("similarity of the positive")
    return fig, axes


def plot_push_shares(
    by_rank: Mapping[str, Tensor], by_similarity: Mapping[str, Tensor], edges: Tensor
) -> "tuple[Figure, Any]":
    """Draw which negatives of a batch get the push: by their rank, and by their similarity.

    Args:
        by_rank: name → (N,) share of the push on negatives at rank 1, 2, …, N.
        by_similarity: name → (E − 1,) share of the push on negatives between two edges.
        edges: (E,) similarities, ascending.

    Returns:
        The figure, and its two axes.
    """
    fig, [axes] = panels(1, 2, (9, 3.6), sharey=True)
    for i, name in enumerate(by_rank):
        style = {"color": CYCLE[i], "linestyle": LINES[i], "label": name}
        axes[0].plot(range(1, len(by_rank[name]) + 1), by_rank[name].cumsum(dim=0), **style)
        axes[1].plot(edges[1:], by_similarity[name].cumsum(dim=0), **style)
    axes[0].set_xscale("log", base=2)
    axes[0].xaxis.set_major_formatter("{x:.0f}")
    axes[0].set(xlabel="… up to this rank", ylabel="share of the push on negatives …")
    axes[1].set(xlabel="… up to this similarity")
    axes[1].legend(fontsize=9)
    for ax in axes:
        ax.grid(alpha=0.3)
    return fig, axes
