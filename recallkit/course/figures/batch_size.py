"""Batch sizes compared where the answer is known, and the task that a batch sets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.plots.style import BLUE, CYCLE, LINES, MARKERS, VERMILION, batch_axis, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_three_views(
    batch_sizes: Sequence[int], views: Mapping[str, Tensor]
) -> "tuple[Figure, Any]":
    """The same batch sizes, compared in several ways.

    Args:
        batch_sizes: B of them.
        views: title of a panel → (B,) errors.

    Returns:
        The figure, and its axes, one for each way.
    """
    margins = {"left": 0.09, "bottom": 0.16, "right": 0.99, "top": 0.9, "wspace": 0.06}
    fig, [axes] = panels(1, len(views), (9, 3.2), margins, sharey=True)
    for i, (ax, (title, errors)) in enumerate(zip(axes, views.items(), strict=True)):
        ax.plot(batch_sizes, errors, color=CYCLE[i], linestyle=LINES[i], marker=MARKERS[i])
        ax.set_title(title, fontsize=10)
        batch_axis(ax, batch_sizes)
        ax.set(yscale="log", ylim=(1e-3, 1.2))
        ax.minorticks_off()
    axes[0].set_ylabel("squared error of the guess")
    axes[0].set_yticks([1e-3, 1e-2, 1e-1, 1], ["0.001", "0.01", "0.1", "1"])
    return fig, axes


def plot_competition(
    batch_sizes: Sequence[int], recall: Sequence[float], loss: Sequence[float]
) -> "tuple[Figure, Axes]":
    """The difficulty of the task within a batch, against the size of the batch.

    Args:
        batch_sizes: B of them.
        recall: (B,) share of queries whose nearest image in the batch is right.
        loss: (B,) RS@k.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (6, 3.4))
    ax.plot(batch_sizes, recall, color=BLUE, marker="o", label="R@1 within the batch")
    ax.plot(batch_sizes, loss, color=VERMILION, marker="s", linestyle="--", label="RS@k loss")
    batch_axis(ax, batch_sizes)
    ax.set(ylim=(0, 1), title="The same images, in batches of any size")
    ax.legend(loc="lower left")
    return fig, ax
