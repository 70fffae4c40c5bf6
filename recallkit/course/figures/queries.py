"""Figures of what a batch offers its queries while a network learns: rivals, and gradient."""

from typing import TYPE_CHECKING, Any

from recallkit.plots.style import CYCLE, LINES, MARKERS, panels, scale_colours

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Styles = dict[Any, dict[str, Any]]

NEAR = "negatives within 5τ₂ of a positive"
GRADIENT = "gradient of a query"


def plot_rivals(measured: "pd.DataFrame") -> "tuple[Figure, Any]":
    """Near negatives and gradient of a query over a training, for batches of several sizes.

    Args:
        measured: rows of :func:`.stored_gradients`, of one kind of query and one kind of training.

    Returns:
        The figure, and its two axes. Lines are means over the seeds, bands all of the seeds.
    """
    sizes = sorted(measured["batch size"].unique())
    colours = scale_colours(len(sizes))
    looks = zip(sizes, colours, LINES, MARKERS, strict=False)
    styles: Styles = {n: {"color": c, "linestyle": s, "marker": m} for n, c, s, m in looks}
    labels = {size: f"batch of {size:,}" for size in sizes}
    fig, [axes] = panels(1, 2, (9, 3.6))
    for ax, name, title in zip(axes, ("near", "gradient"), (NEAR, GRADIENT), strict=True):
        _draw_courses(ax, measured, name, "batch size", styles, labels)
        ax.set(title=f"{title[0].upper()}{title[1:]}", xlabel="images seen")
    axes[0].set_yscale("log")
    axes[1].set_ylim(bottom=0)
    axes[1].legend()
    return fig, axes


def plot_query_gradients(measured: "pd.DataFrame") -> "tuple[Figure, Axes]":
    """Gradient of real and virtual queries over trainings without and with SiMix.

    Args:
        measured: rows of :func:`.stored_gradients`, of one batch size, with a column "label": the
            name of the line that a row belongs to.

    Returns:
        The figure, and its axes. Lines are means over the seeds, bands all of the seeds.
    """
    labels = {label: label for label in dict.fromkeys(measured["label"])}
    looks = zip(labels, CYCLE, LINES, MARKERS, strict=False)
    styles: Styles = {n: {"color": c, "linestyle": s, "marker": m} for n, c, s, m in looks}
    fig, [[ax]] = panels(1, 1, (7, 3.8))
    _draw_courses(ax, measured, "gradient", "label", styles, labels)
    ax.set(xlabel="images seen", ylabel=GRADIENT, ylim=(0, None))
    ax.legend()
    return fig, ax


def _draw_courses(
    ax: "Axes",
    measured: "pd.DataFrame",
    name: str,
    by: str,
    styles: "Styles",
    labels: dict[Any, str],
) -> None:
    """Draw the mean and the range over the seeds against the images seen, a line a group."""
    for group, rows in measured.groupby(by, sort=False):
        seeds = rows.groupby("images")[name]
        mean, low, high = seeds.mean(), seeds.min(), seeds.max()
        ax.plot(mean.index, mean, label=labels[group], markersize=4, **styles[group])
        ax.fill_between(mean.index, low, high, color=styles[group]["color"], alpha=0.2, linewidth=0)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.grid(alpha=0.3)
