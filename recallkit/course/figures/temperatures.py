"""The loss and its pull under several temperatures and cut-offs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.plots.style import CYCLE, GREY, LINES, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_rank_pull(
    ranks: Tensor, pulls: Mapping[str, Mapping[str, Tensor]]
) -> "tuple[Figure, Any]":
    """The fall of the loss when a positive moves up one place, at each rank.

    Args:
        ranks: (M,).
        pulls: title of a panel → name of a curve → (M,) the fall of the loss for each place up.

    Returns:
        The figure, and its axes, one for each panel.
    """
    fig, [axes] = panels(1, len(pulls), (9, 3.2), sharey=True)
    for ax, (title, curves) in zip(axes, pulls.items(), strict=True):
        for (name, pull), colour, line in zip(curves.items(), CYCLE, LINES, strict=False):
            ax.plot(ranks, pull, color=colour, linestyle=line, label=name)
        ax.set(title=title, xlabel="rank of the positive", ylim=(1e-4, 5))
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("fall of the loss for a place")
    axes[-1].legend(fontsize=9, loc="lower left")
    return fig, axes


def plot_slices(
    places: Tensor, losses: Mapping[float, Tensor], pulls: Mapping[float, Tensor], negatives: Tensor
) -> "tuple[Figure, Any]":
    """The loss and the pull of one positive that moves along the line of similarities.

    Args:
        places: (M,) similarities of the positive.
        losses: temperature → (M,).
        pulls: temperature → (M,).
        negatives: (N,) similarities, drawn as ticks along the bottom.

    Returns:
        The figure, and its two axes.
    """
    fig, [axes] = panels(1, 2, (9, 3.4))
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
        ax.legend(fontsize=9)
    return fig, axes


def plot_surfaces(
    grid: Tensor, surfaces: Mapping[str, tuple[Tensor, Tensor]], columns: int = 3
) -> "tuple[Figure, Any]":
    """The loss over the similarities of two positives, and the direction in which it pulls them.

    Args:
        grid: (G,) similarities of each positive.
        surfaces: title → (G, G) loss, second positive along the columns, and (G, G, 2) pull. At
            least one; they fill the rows.
        columns: panels in a row.

    Returns:
        The figure, and its axes (rows, columns).
    """
    rows = -(-len(surfaces) // columns)
    size = (min(9, 1 + 2.9 * columns), 0.4 + 2.7 * rows)
    fig, axes = panels(rows, columns, size, sharex=True, sharey=True)
    filled: Any = None
    for ax, (title, (loss, pull)) in zip(axes.flat, surfaces.items(), strict=True):
        filled = _draw_surface(ax, grid, loss, pull)
        ax.set_title(title, fontsize=9)
        ax.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    for ax in axes[:, 0]:
        ax.set_ylabel("similarity of positive 1")
    for ax in axes[-1]:
        ax.set_xlabel("similarity of positive 2")
    fig.colorbar(filled, ax=axes, label="loss", ticks=[0, 0.25, 0.5, 0.75, 1])
    return fig, axes


def _draw_surface(ax: "Axes", grid: Tensor, loss: Tensor, pull: Tensor) -> Any:
    """Filled contours of the same levels in all panels; arrows at some places of the grid."""
    levels = [level / 17 for level in range(18)]  # without ½, the loss of whole areas
    filled = ax.contourf(grid, grid, loss, levels=levels, cmap="cividis")
    sparse = slice(2, None, max(1, len(grid) // 9))
    ups = pull[sparse, sparse]  # (A, A, 2), for positive 1 and positive 2
    length = ups.norm(dim=2)
    shown = ups / length.clamp(min=1e-9)[..., None] * (length / length.max()).sqrt()[..., None]
    place = grid[sparse]
    style: dict[str, Any] = {"color": "white", "scale": 11, "width": 0.012, "pivot": "mid"}
    ax.quiver(place, place, shown[..., 1], shown[..., 0], **style)
    ax.set_aspect("equal")
    return filled
