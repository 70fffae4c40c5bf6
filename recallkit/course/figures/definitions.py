"""Figures of what each definition of a query's database rewards, item by item."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from recallkit.plots.style import BLUE, GREEN, GREY, LINES, MARKERS, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


DEFINITIONS = ("query left out", "query in database")

STYLES: tuple[dict[str, Any], ...] = (  # of the two definitions, everywhere in this module
    {"color": BLUE, "linestyle": LINES[0]},
    {"color": VERMILION, "linestyle": LINES[1]},
)


def plot_loss_by_k(
    ks: Sequence[int], by_definition: Mapping[str, Mapping[str, Sequence[float]]]
) -> "tuple[Figure, Any]":
    """The loss at each k, a panel for each definition, a line for each kind of batch.

    Args:
        ks: K cut-offs.
        by_definition: title of a panel → name of a batch → its K losses; two batches a panel.

    Returns:
        The figure, and its axes, one for each panel.
    """
    size = (4.2 * len(by_definition), 3.2)
    fig, [axes] = panels(1, len(by_definition), size, sharey=True)
    styles = list(zip((GREY, GREEN), ("-", "--"), ("o", "^"), strict=True))
    for ax, (title, batches) in zip(axes, by_definition.items(), strict=True):
        for (name, losses), (colour, line, marker) in zip(batches.items(), styles, strict=True):
            ax.plot(range(len(ks)), losses, color=colour, ls=line, marker=marker, label=name)
        ax.set(title=title, xlabel="k", xticks=range(len(ks)), xticklabels=ks)
    axes[0].set(ylabel="loss at this k", ylim=(0, None))
    axes[0].legend()
    return fig, axes


def plot_arc(
    embeddings: Tensor,
    widths: Sequence[float],
    losses: Sequence[Sequence[float]],
    width: float,
) -> "tuple[Figure, Any]":
    """One class on its arc, and the loss of both definitions against the width of the arc.

    Args:
        embeddings: (n, 2) of the class.
        widths: W widths in degrees.
        losses: (2, W), in the order of ``DEFINITIONS``.
        width: the width that is marked on the curves.

    Returns:
        The figure, and its two axes.
    """
    margins = {"left": 0.01, "bottom": 0.14, "right": 0.99, "top": 0.88, "wspace": 0.14}
    fig, [axes] = panels(1, 2, (8.5, 3.4), margins, width_ratios=(1, 1.7))
    _draw_class(axes[0], embeddings)
    axes[0].set_title(f"a class of {len(embeddings)}, {width:g}° wide")
    _draw_curves(axes[1], widths, losses, mark=width)
    axes[1].set(xlabel="width of each class (degrees)", ylabel="loss")
    axes[1].locator_params(nbins=4)  # each tick takes a slider 2 ms
    axes[1].legend(loc="upper left", bbox_to_anchor=(0, 1.17), ncols=2, frameon=False)
    return fig, axes


def plot_arc_losses(
    widths: Sequence[float], curves: Mapping[str, Sequence[Sequence[float]]]
) -> "tuple[Figure, Any]":
    """Small multiples of the losses against the width, the lowest point of each curve marked.

    A flat curve has no such point.

    Args:
        widths: W widths in degrees.
        curves: title of a panel → (2, W) losses, in the order of ``DEFINITIONS``.

    Returns:
        The figure, and its axes, one for each panel.
    """
    fig, [axes] = panels(1, len(curves), (9, 3.1), sharex=True, sharey=True)
    for ax, (title, losses) in zip(axes, curves.items(), strict=True):
        _draw_curves(ax, widths, losses)
        for curve, style, marker in zip(losses, STYLES, MARKERS, strict=False):
            lowest = int(np.argmin(curve))
            if max(curve) - curve[lowest] > 1e-3:
                ax.plot(widths[lowest], curve[lowest], marker=marker, color=style["color"])
        ax.set(title=title, xlabel="width (degrees)")
    axes[0].set(ylabel="loss", ylim=(0, None))  # shared, so only when all curves are drawn
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig, axes


def _draw_class(ax: "Axes", embeddings: Tensor) -> None:
    angle = np.linspace(0, np.pi / 2, 100)
    ax.plot(np.cos(angle), np.sin(angle), color=GREY, linewidth=0.8)
    for x, y in embeddings.tolist():
        ax.plot([0, x], [0, y], color=GREEN, linewidth=0.6)
    ax.plot(*embeddings.T.numpy(), ls="", marker="o", color=GREEN, markersize=8, alpha=0.7)
    ax.set(xlim=(0, 1.08), ylim=(-0.06, 1.08), aspect="equal", xticks=[], yticks=[])
    ax.spines[["top", "right"]].set_visible(False)


def _draw_curves(
    ax: "Axes",
    widths: Sequence[float],
    losses: Sequence[Sequence[float]],
    mark: float | None = None,
) -> None:
    for name, curve, style, marker in zip(DEFINITIONS, losses, STYLES, MARKERS, strict=False):
        ax.plot(widths, curve, label=name, **style)
        if mark is not None:
            here = float(np.interp(mark, widths, curve))
            ax.plot(mark, here, marker=marker, color=style["color"], markersize=8, ls="")
            ax.annotate(f"{here:.3f}", (mark, here), (6, 6), textcoords="offset points")
    if mark is not None:
        ax.axvline(mark, color=GREY, linewidth=0.8, linestyle=":")
        ax.set(ylim=(0, 1.15 * max(max(curve) for curve in losses)), xlim=(None, 1.1 * widths[-1]))


def plot_lone_pair(
    similarities: Sequence[float],
    losses: Sequence[Sequence[float]],
    pulls: Sequence[Sequence[float]],
) -> "tuple[Figure, Any]":
    """The loss of a query whose one positive is ranked first, and the pull on that positive.

    Args:
        similarities: (S,) of the positive to the query.
        losses: (2, S), in the order of ``DEFINITIONS``.
        pulls: (2, S), minus the derivative of the loss in the similarity.

    Returns:
        The figure, and its two axes.
    """
    fig, [axes] = panels(1, 2, (8.5, 3.1), sharex=True)
    for ax, curves, label in zip(axes, (losses, pulls), ("loss", "pull: −dL/ds"), strict=True):
        for name, curve, style in zip(DEFINITIONS, curves, STYLES, strict=True):
            ax.plot(similarities, curve, label=name, **style)
        ax.set(xlabel="similarity of query and positive", ylabel=label)
    axes[0].legend()
    return fig, axes


def plot_item_pulls(
    positive: Sequence[bool],
    similarities: Sequence[float],
    pulls_of: Mapping[str, Sequence[float]],
) -> "tuple[Figure, Any]":
    """The pull on each item of one query's gallery, under several ways to write the loss.

    Args:
        positive: (N,) whether the item is of the query's class.
        similarities: (N,) to the query; they name the items.
        pulls_of: title of a panel → (N,) minus the derivative of the loss: above 0 the item is
            pulled nearer.

    Returns:
        The figure, and its axes, one for each panel.
    """
    fig, [axes] = panels(1, len(pulls_of), (9, 3.1), sharey=True)
    colours = [GREEN if same else GREY for same in positive]
    hatches = ["" if same else "///" for same in positive]
    signs = ["+" if same else "−" for same in positive]
    names = [f"{s:.2f}\n{sign}" for s, sign in zip(similarities, signs, strict=True)]
    for ax, (title, pulls) in zip(axes, pulls_of.items(), strict=True):
        heights = [float(pull) for pull in pulls]
        ax.bar(range(len(pulls)), heights, color=colours, hatch=hatches, edgecolor="white")
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set_title(title, fontsize=10)
        ax.set_xticks(range(len(pulls)), names, fontsize=9)
        ax.set_xlabel("similarity; + positive", fontsize=9)
    axes[0].set_ylabel("pull: −dL/ds")
    return fig, axes


def plot_paired_seeds(
    measures: Mapping[str, Mapping[str, Sequence[float]]],
) -> "tuple[Figure, Any]":
    """Two ways to train side by side; a line joins the two runs of one seed.

    Args:
        measures: name of a measure, with its unit → name of a way → its value for each seed, in
            the same order; two ways.

    Returns:
        The figure, with a marker for each seed and a legend of them, and its axes, one for each
        measure.
    """
    fig, [axes] = panels(1, len(measures), (2.9 * len(measures), 3.5))
    for ax, (title, ways) in zip(axes, measures.items(), strict=True):
        for seed, values in enumerate(zip(*ways.values(), strict=True)):
            marker = MARKERS[seed % len(MARKERS)]
            ax.plot([0, 1], values, color=GREY, linewidth=1, marker=marker, label=f"seed {seed}")
            for at, value in enumerate(values):
                ax.plot(at, value, marker=marker, linestyle="", color=STYLES[at]["color"])
        ax.set_xticks([0, 1], [name.replace(" in ", "\nin ") for name in ways])
        ax.set_xlim(-0.4, 1.4)
        ax.set_title(title, fontsize=10)
    seeds = axes[0].get_legend_handles_labels()
    fig.legend(*seeds, loc="outside lower center", ncols=len(seeds[0]), fontsize=9)
    return fig, axes
