"""What the temperatures and the cut-offs do to the loss and to its pull."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.plots.style import CYCLE, GREY, LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_rank_pull(
    ranks: Tensor, panels: Mapping[str, Mapping[str, Tensor]]
) -> "tuple[Figure, Any]":
    """How much a place is worth, at each rank.

    Args:
        ranks: (M,).
        panels: title → name of a curve → (M,) the fall of the loss for each place up.

    Returns:
        The figure, and an axis for each panel.
    """
    fig, axes = _panels(1, len(panels), (9, 3.2), sharey=True)
    for ax, (title, curves) in zip(axes.flat, panels.items(), strict=True):
        for (name, pull), colour, line in zip(curves.items(), CYCLE, LINES, strict=False):
            ax.plot(ranks, pull, color=colour, linestyle=line, label=name)
        ax.set(title=title, xlabel="rank of the positive", ylim=(1e-4, 5))
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        ax.grid(alpha=0.3)
    axes[0, 0].set_ylabel("fall of the loss for a place")
    axes[0, -1].legend(fontsize=8, loc="lower left")
    return fig, axes[0]


def plot_slices(
    places: Tensor, losses: Mapping[float, Tensor], pulls: Mapping[float, Tensor], negatives: Tensor
) -> "tuple[Figure, Any]":
    """One positive moved along the line of similarities: its loss and its pull.

    Args:
        places: (M,) similarities of the positive.
        losses: temperature → (M,).
        pulls: temperature → (M,).
        negatives: (N,) similarities, drawn as ticks along the bottom.

    Returns:
        The figure, and its two axes.
    """
    fig, [axes] = _panels(1, 2, (9, 3.4))
    for i, tau in enumerate(losses):
        style = {"color": CYCLE[i], "linestyle": LINES[i], "label": f"τ₂ = {tau:g}"}
        axes[0].plot(places, losses[tau], **style)
        axes[1].plot(places, pulls[tau].clamp(min=1e-4), **style)
    axes[0].set(ylabel="loss of the query")
    axes[1].set(ylabel="pull on the positive, −dL/ds", yscale="log", ylim=(1e-3, 300))
    for ax in axes:
        height = ax.get_xaxis_transform()  # x in data, y in shares of the axis
        ax.plot(negatives, 0 * negatives + 0.02, "|", color=GREY, transform=height)
        ax.set(xlabel="similarity of the positive (ticks: negatives)")
        ax.legend(fontsize=8)
    return fig, axes


def plot_surfaces(
    grid: Tensor, surfaces: Mapping[str, tuple[Tensor, Tensor]], columns: int = 3
) -> "tuple[Figure, Any]":
    """The loss over the similarities of two positives, and which way it pushes them.

    Args:
        grid: (G,) similarities of each positive.
        surfaces: title → (G, G) loss, second positive along the columns, and (G, G, 2) pull.
        columns: panels in a row.

    Returns:
        The figure, and its axes.
    """
    rows = -(-len(surfaces) // columns)
    width = min(9, 1 + 2.9 * columns)
    size = (width, 0.4 + 2.7 * rows)
    alone = len(surfaces) == 1
    layout = None if alone else "constrained"  # which takes half of the time of a redraw
    fig, axes = _panels(rows, columns, size, sharex=True, sharey=True, layout=layout)
    if alone:
        fig.subplots_adjust(0.17, 0.16, 0.9, 0.91)
    for ax, (title, (loss, pull)) in zip(axes.flat, surfaces.items(), strict=True):
        filled = _surface(ax, grid, loss, pull)
        ax.set_title(title, fontsize=9)
        ax.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    for ax in axes[:, 0]:
        ax.set_ylabel("similarity of positive 1")
    for ax in axes[-1]:
        ax.set_xlabel("similarity of positive 2")
    fig.colorbar(filled, ax=axes, label="loss", ticks=[0, 0.25, 0.5, 0.75, 1])
    return fig, axes


def _surface(ax: "Axes", grid: Tensor, loss: Tensor, pull: Tensor) -> Any:
    """Filled contours of the same levels in all panels; arrows at some places of the grid."""
    levels = [level / 17 for level in range(18)]  # ½, where whole areas lie, is none of them
    filled = ax.contourf(grid, grid, loss, levels=levels, cmap="cividis")
    sparse = slice(2, None, max(1, len(grid) // 9))
    ups = pull[sparse, sparse]  # (A, A, 2), for positive 1 and positive 2
    length = ups.norm(dim=2)
    shown = ups / length.clamp(min=1e-9)[..., None] * (length / length.max()).sqrt()[..., None]
    place = grid[sparse]
    arrows = {"color": "white", "scale": 11, "width": 0.012, "pivot": "mid"}
    ax.quiver(place, place, shown[..., 1], shown[..., 0], **arrows)
    ax.set_aspect("equal")
    return filled


def _panels(rows: int, columns: int, size: Sequence[float], **options: Any) -> Any:
    import matplotlib.pyplot as plt

    options = {"layout": "constrained", "squeeze": False} | options
    return plt.subplots(rows, columns, figsize=size, **options)
