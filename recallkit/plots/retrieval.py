"""The learning curve of a training, and queries with their nearest images."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.plots.style import BLUE, GREY, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_learning_curve(history: Sequence[dict[str, Any]]) -> "tuple[Figure, Any]":
    """Loss, and R@1 and mAP@R on validation classes, against images seen.

    Args:
        history: the lines of ``metrics.jsonl``.

    Returns:
        The figure, and its two axes.
    """
    fig, grid = panels(2, 1, (6, 5), sharex=True)
    axes = grid[:, 0]
    images = [line["images"] / 1000 for line in history]
    axes[0].plot(images, [line["loss"] for line in history], color=GREY, marker=".")
    axes[0].set(ylabel="training loss", title="Learning curve")
    for name, colour, marker in (("R@1", BLUE, "o"), ("mAP@R", VERMILION, "s")):
        values = [100 * line[name] for line in history]
        axes[1].plot(images, values, color=colour, marker=marker, markersize=4, label=name)
    axes[1].set(xlabel="images seen (thousands)", ylabel="validation classes (%)")
    axes[1].set_ylim(0, 100)
    axes[1].legend(loc="lower right")
    return fig, axes


def plot_neighbours(
    queries: ImageSet,
    chosen: Sequence[int],
    gallery: ImageSet,
    neighbours: Tensor,
    similarities: Tensor,
) -> "tuple[Figure, Any]":
    """A row for each query: the query, then its nearest images, right and wrong ones marked.

    Right images have a solid blue frame and ✓, wrong ones a dashed vermilion frame and ✗.

    Args:
        queries: the data set of the queries. An image with the query's label is right.
        chosen: indices of R queries to show.
        gallery: the searched images.
        neighbours: (R, k) indices into the gallery.
        similarities: (R, k), printed under the images.

    Returns:
        The figure, and its axes (R, k + 1).
    """
    fig, axes = _grid(*neighbours.shape)
    for row, query in enumerate(chosen):
        _show(axes[row, 0], queries.images[query], queries.name(query), GREY)
        for rank, item in enumerate(neighbours[row].tolist()):
            right = bool(gallery.labels[item] == queries.labels[query])
            sign, colour, style = ("✓", BLUE, "-") if right else ("✗", VERMILION, "--")
            caption = f"{sign} {similarities[row, rank]:.2f}"
            _show(axes[row, rank + 1], gallery.images[int(item)], caption, colour, style)
    return fig, axes


def plot_image_search(
    query: Tensor, name: str, gallery: ImageSet, neighbours: Tensor, similarities: Tensor
) -> "tuple[Figure, Any]":
    """An image without a label, and its nearest images with their names.

    Args:
        query: (C, H, W) uint8.
        name: its caption.
        gallery: the searched images.
        neighbours: (k,) indices into the gallery.
        similarities: (k,).

    Returns:
        The figure, and its axes (1, k + 1).
    """
    fig, axes = _grid(1, len(neighbours))
    _show(axes[0, 0], query, name, GREY)
    for rank, item in enumerate(neighbours.tolist()):
        caption = f"{gallery.name(item)}\n{similarities[rank]:.2f}"
        _show(axes[0, rank + 1], gallery.images[int(item)], caption, GREY)
    return fig, axes


def _grid(rows: int, k: int) -> "tuple[Figure, Any]":
    fig, axes = panels(rows, k + 1, (1.15 * (k + 1), 1.4 * rows))
    for column, ax in enumerate(axes[0]):
        ax.set_title(f"{column}" if column else "query", fontsize=9)
    return fig, axes


def _show(ax: "Axes", image: Tensor, caption: str, colour: str, style: str = "-") -> None:
    ax.imshow(over_white(image[None])[0].permute(1, 2, 0).numpy(), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(color=colour, linestyle=style, linewidth=2)
    ax.set_xlabel(textwrap.shorten(caption, 40) if "\n" not in caption else caption, fontsize=7)
    ax.xaxis.label.set(color=colour, wrap=True)


def random_queries(images: ImageSet, count: int, seed: int = 0) -> list[int]:
    """Draw the indices of ``count`` queries, so that nobody picks by hand what a figure shows.

    Args:
        images: the data set of the queries.
        count: at most all of them.
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(len(images), generator=generator)[:count].tolist()
