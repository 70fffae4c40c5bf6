"""Comparisons of settings: the toy that misleads, what a batch holds, stored runs and one's own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.experiments.summary import Estimate
from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, MARKERS, VERMILION

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
) -> "tuple[Figure, Any]":
    """Stored runs with their intervals, and the reader's own points among them.

    Args:
        stored: name of a series → value of the setting → mean and interval of R@1, as shares.
        own: value of the setting → R@1 of one run.
        xlabel: what the setting is called.
        values: of the setting, in the order of the axis; spaced evenly.

    Returns:
        The figure, and its axis.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
    places = {value: place for place, value in enumerate(values)}
    for i, (name, points) in enumerate(stored.items()):
        ax.errorbar(
            [places[value] for value in points],
            [100 * point.mean for point in points.values()],
            yerr=[100 * point.margin if point.count > 1 else 0 for point in points.values()],
            label=name,
            capsize=3,
            **{"color": CYCLE[i], "linestyle": LINES[i], "marker": MARKERS[i]},
        )
    heights = [100 * value for value in own.values()]
    style = {"color": GREY, "marker": "*", "markersize": 13, "markerfacecolor": "white"}
    ax.plot(
        [places[v] for v in own], heights, linestyle="none", label="just now, one seed", **style
    )
    ax.set(xlabel=xlabel, ylabel="R@1 on test classes (%)")
    ax.set_xticks(range(len(values)), [str(value) for value in values])
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.margins(y=0.3)
    ax.grid(alpha=0.3, axis="y")
    ax.legend()
    return fig, ax


def _batch_axis(ax: "Axes", batch_sizes: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    shown = batch_sizes if len(batch_sizes) <= 6 else batch_sizes[::2]
    ax.set_xticks(shown, [f"{size:,}" for size in shown])
    ax.grid(alpha=0.3)
