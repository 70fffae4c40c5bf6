"""Ranks: the step and its relaxation, one query's gallery on a line, the limits of τ."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recallkit.data.transforms import over_white
from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGINS = {"left": 0.09, "right": 0.98, "bottom": 0.16, "top": 0.9, "wspace": 0.22, "hspace": 0.42}


def plot_steps(temperatures: Sequence[float], reach: float = 0.5) -> "tuple[Figure, Any]":
    """The step, the sigmoids that stand in for it, and the slope of each.

    Args:
        temperatures: one sigmoid each; at most seven.
        reach: differences of similarity from −reach to reach are drawn.

    Returns:
        The figure, and its two axes: values, slopes.
    """
    fig, [axes] = panels(1, 2, (8, 3), MARGINS)
    difference = torch.linspace(-reach, reach, 2001, dtype=torch.float64)
    axes[0].plot(difference, difference > 0, color=GREY, linewidth=3, alpha=0.5, label="step")
    for tau, colour, line in zip(temperatures, CYCLE, LINES, strict=False):
        value = torch.sigmoid(difference / tau)
        style = {"color": colour, "linestyle": line, "label": f"τ = {tau:.3g}"}
        axes[0].plot(difference, value, **style)
        axes[1].plot(difference, value * (1 - value) / tau, **style)
    axes[0].set(title="does z come before p?", ylabel="counted as")
    axes[1].set(title="and its slope", ylabel="per unit of similarity")
    axes[0].set_yticks([0, 0.5, 1])
    axes[1].locator_params(axis="y", nbins=4)  # each tick takes a slider 2 ms
    for ax in axes:
        ax.set(xlabel="s(z) − s(p)", xticks=[-reach, 0, reach])
        ax.legend(fontsize=9, loc="upper left")
    return fig, axes


def plot_moved_item(
    place: Tensor, true_rank: Tensor, relaxed: Mapping[float, Tensor], others: Tensor
) -> "tuple[Figure, Any]":
    """The rank of one item while it moves along the line of similarities.

    Args:
        place: (M,) similarities that the item is given.
        true_rank: (M,).
        relaxed: temperature → (M,) relaxed ranks.
        others: (N,) similarities of the items that stay.

    Returns:
        The figure, and its axes, one for each temperature.
    """
    fig, [axes] = panels(1, len(relaxed), (9, 3), MARGINS | {"wspace": 0.05}, sharey=True)
    for ax, (tau, rank) in zip(axes, relaxed.items(), strict=True):
        ax.plot(place, true_rank, color=GREY, linewidth=3, alpha=0.5, label="true")
        ax.plot(place, rank, color=BLUE, label="relaxed")
        ax.plot(others, torch.full_like(others, 0.6), "|", color=VERMILION, markersize=10)
        ax.set(title=f"τ₂ = {tau:g}", xlabel="similarity of the moved item")
    axes[0].set(ylabel="its rank", ylim=(len(others) + 1.5, 0.3))
    axes[0].legend(fontsize=9, loc="center left")
    return fig, axes


def plot_line(
    similarity: Tensor,
    positives: Tensor,
    true_ranks: Tensor,
    ranks: Tensor,
    k: int,
    k_temperature: float,
    recall: float,
) -> "tuple[Figure, Any]":
    """One query's gallery on the line of similarities; below, the count of each positive at k.

    Args:
        similarity: (N,) to the query.
        positives: (P,) which items are of the query's class.
        true_ranks: (P,).
        ranks: (P,) relaxed.
        k: the cut-off.
        k_temperature: τ₁.
        recall: the relaxed recall, as the loss counts it; for the title.

    Returns:
        The figure, and its two axes: line, membership.
    """
    fig, axes = panels(2, 1, (8, 4.6), MARGINS)
    line, membership = axes.ravel()
    _draw_items(line, similarity, positives, true_ranks, ranks)
    _draw_membership(membership, len(similarity), true_ranks, ranks, k, k_temperature)
    among = int((true_ranks <= k).sum())
    line.set_title(
        f"k = {k}: {among} of {len(positives)} positives among the first {k} "
        f"({among / len(positives):.0%});  relaxed recall {recall:.2f}",
        fontsize=10,
    )
    return fig, axes.ravel()


def _draw_items(
    ax: "Axes", similarity: Tensor, positives: Tensor, true_ranks: Tensor, ranks: Tensor
) -> None:
    other = torch.ones_like(similarity, dtype=torch.bool).index_fill(0, positives, False)
    ax.axhline(0, color=GREY, linewidth=0.8)
    negatives, places = similarity[other], similarity[positives]
    ax.plot(negatives, 0 * negatives, "s", color=VERMILION, markersize=8, label="other class")
    ax.plot(places, 0 * places, "o", color=BLUE, markersize=11, label="positive")
    for i, place in enumerate(places.tolist()):
        text = f"{chr(97 + i)}\ntrue {true_ranks[i]:.0f}\nrelaxed {ranks[i]:.2f}"
        # Above and below in turn, so that texts do not meet.
        height, edge = (0.35, "bottom") if i % 2 == 0 else (-0.35, "top")
        ax.vlines(place, 0, height, color="black", linewidth=1, zorder=0)
        ax.text(place, height, text, ha="center", va=edge, fontsize=9)
    ax.set(xlim=(-0.1, 1.05), ylim=(-1.7, 1.7), xticks=[0, 0.5, 1], yticks=[])
    ax.set_xlabel("similarity to the query")
    _legend_below(ax)


def _draw_membership(
    ax: "Axes", items: int, true_ranks: Tensor, ranks: Tensor, k: int, k_temperature: float
) -> None:
    rank = torch.linspace(0.5, items + 0.5, 500, dtype=torch.float64)
    count = torch.sigmoid((k - ranks.double()) / k_temperature)
    ax.plot(rank, rank <= k, color=GREY, linewidth=3, alpha=0.5, label="rank ≤ k")
    ax.plot(rank, torch.sigmoid((k - rank) / k_temperature), color=BLUE, label="relaxed")
    ax.plot(ranks, count, "o", color=BLUE, markersize=9)
    ax.plot(true_ranks, (true_ranks <= k).double(), "D", color=GREY, markersize=6)
    for i in range(len(ranks)):
        ax.annotate(
            f"{chr(97 + i)} {count[i]:.2f}",
            (float(ranks[i]), float(count[i])),
            (7, 5),
            textcoords="offset points",
            fontsize=9,
        )
    ax.set(xlabel="rank", ylabel="counts as found", ylim=(-0.15, 1.25), xlim=(0.4, items + 0.9))
    ax.locator_params(axis="x", nbins=5, integer=True)
    ax.set_yticks([0, 1])
    _legend_below(ax)


def _legend_below(ax: "Axes") -> None:
    """Draw the legend beside the name of the axis: markers may be anywhere inside the panel."""
    place: dict[str, Any] = {"loc": "upper right", "bbox_to_anchor": (1.01, -0.13)}
    place["frameon"] = False
    ax.legend(fontsize=9, ncols=2, **place)


def plot_limits(
    temperature: Sequence[float], loss: Mapping[str, Sequence[float]], slope: Sequence[float]
) -> "tuple[Figure, Any]":
    """Loss and length of its gradient against the rank temperature.

    Args:
        temperature: T values of τ₂.
        loss: name → T values, or one value drawn as a level.
        slope: T lengths of the gradient.

    Returns:
        The figure, and its two axes.
    """
    fig, [axes] = panels(1, 2, (9, 3.2), MARGINS)
    for (name, values), colour, line in zip(loss.items(), CYCLE, LINES, strict=False):
        level = list(values) if len(values) > 1 else list(values) * len(temperature)
        axes[0].plot(temperature, level, color=colour, linestyle=line, label=name)
    axes[1].plot(temperature, slope, color=BLUE, marker=".")
    axes[0].set(ylabel="loss", ylim=(0, 1))
    axes[1].set(ylabel="length of the gradient", yscale="log")
    for ax in axes:
        ax.set(xlabel="rank temperature τ₂", xscale="log")
    axes[0].legend(fontsize=9)
    return fig, axes


def plot_images_on_line(
    query: Tensor, images: Tensor, similarity: Tensor, positive: Tensor, captions: Sequence[str]
) -> "tuple[Figure, Any]":
    """The images of a gallery placed by their similarity to the query, positives in a row above.

    Args:
        query: (C, H, W) uint8.
        images: (N, C, H, W) uint8.
        similarity: (N,) of the query to each.
        positive: (N,) bool.
        captions: (N,), shown with the positives.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (9, 5), MARGINS)
    for row, chosen, colour in ((1, positive, BLUE), (0, ~positive, GREY)):
        items = chosen.nonzero().squeeze(1)
        ordered = items[similarity[items].argsort()].tolist()
        for place, item in enumerate(ordered):  # neighbours on the line are on three levels
            at = (float(similarity[item]), row + (0.36 if row else 0.28) * (place % 3 - 1))
            _place_image(ax, images[item], at, colour)
            if row:
                below = (at[0], at[1] - 0.14)
                ax.annotate(captions[item], below, ha="center", va="top", fontsize=9)
    _place_image(ax, query, (1.0, 1.0), VERMILION)
    ax.annotate("query", (1.0, 0.88), ha="center", va="top", fontsize=9)
    low = min(float(similarity.min()), 0.0)
    ax.set(xlim=(low - 0.08, 1.08), ylim=(-0.5, 1.6), yticks=[0.0, 1.0])
    ax.set_yticklabels(["other\nclasses", "its\nclass"])
    ax.set_xlabel("similarity to the query")
    return fig, ax


def _place_image(ax: "Axes", image: Tensor, at: tuple[float, float], colour: str) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    pixels = over_white(image[None])[0].permute(1, 2, 0).numpy()
    box = OffsetImage(pixels, zoom=26 / len(pixels))
    ax.add_artist(AnnotationBbox(box, at, pad=0.1, bboxprops={"edgecolor": colour}))
