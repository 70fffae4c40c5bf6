"""The learning curve of a training, and queries with their nearest images."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.plots.names import fitted, name_style
from recallkit.plots.style import BLUE, GREY, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION, HEAD = 7.0, 9.0  # sizes of letters, in points
CELL, IMAGE, GAP = 84.0, 76.0, 6.0  # sides of a cell and of its image, and white between cells
MOST_COLUMNS = 8  # results a row


def plot_learning_curve(
    history: Sequence[dict[str, Any]], floor: float | None = None
) -> "tuple[Figure, Any]":
    """Loss, and R@1 and mAP@R on validation classes, against images seen.

    Args:
        history: the lines of ``metrics.jsonl``.
        floor: the loss of a perfect ranking, drawn as a line. None: the "floor" of the last line,
            and nothing where it has none.

    Returns:
        The figure, and its two axes.
    """
    fig, grid = panels(2, 1, (6, 5), sharex=True)
    axes = grid[:, 0]
    images = [line["images"] / 1000 for line in history]
    axes[0].plot(images, [line["loss"] for line in history], color=GREY, marker=".")
    axes[0].set(ylabel="training loss", title="Learning curve")
    floor = history[-1].get("floor") if floor is None else floor
    if floor is not None and not math.isnan(floor):
        _draw_floor(axes[0], floor)
    for name, colour, marker in (("R@1", BLUE, "o"), ("mAP@R", VERMILION, "s")):
        values = [100 * line[name] for line in history]
        axes[1].plot(images, values, color=colour, marker=marker, markersize=4, label=name)
    axes[1].set(xlabel="images seen (thousands)", ylabel="validation classes (%)")
    axes[1].set_ylim(0, 100)
    axes[1].legend(loc="lower right")
    return fig, axes


def _draw_floor(ax: "Axes", floor: float) -> None:
    """Draw the loss of a perfect ranking as a dotted line with its name, at the curve's start."""
    ax.axhline(floor, color="black", linestyle=":", linewidth=1)
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    ax.annotate(f"perfect ranking {floor:.3f}", (0.01, floor), (0, 2), fontsize=9, **place)


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
    rows, k = neighbours.shape
    captions = [_names(queries, query) for query in chosen]
    fig, axes = _grid(rows, k, _most_lines(captions))
    for row, query in enumerate(chosen):
        _show(axes[row, 0], queries.images[query], captions[row], GREY)
        for rank, item in enumerate(neighbours[row].tolist()):
            right = bool(gallery.labels[item] == queries.labels[query])
            sign, colour, style = ("✓", BLUE, "-") if right else ("✗", VERMILION, "--")
            caption = f"{sign} {similarities[row, rank]:.2f}"
            _show(axes[row, rank + 1], gallery.images[int(item)], caption, colour, style)
    for column, ax in enumerate(axes[0]):
        ax.set_title(f"{column}" if column else "query", fontsize=HEAD)
    return fig, axes


def plot_image_search(
    query: Tensor, name: str, gallery: ImageSet, neighbours: Tensor, similarities: Tensor
) -> "tuple[Figure, Any]":
    """An image without a label, and its nearest images with their names.

    Names that are longer than their place are cut in the middle.

    Args:
        query: (C, H, W) uint8.
        name: its caption.
        gallery: the searched images.
        neighbours: (k,) indices into the gallery.
        similarities: (k,).

    Returns:
        The figure, and its axes (rows, columns): the query first, and at most 8 images a row.
    """
    items = neighbours.tolist()
    captions = [
        f"{_names(gallery, item)}\n{value:.2f}"
        for item, value in zip(items, similarities.tolist(), strict=True)
    ]
    caption = fitted(name, CELL, lines=2, size=CAPTION)
    columns = max(1, min(len(items), MOST_COLUMNS))
    rows = max(1, math.ceil(len(items) / columns))
    fig, axes = _grid(rows, columns, _most_lines([caption, *captions]), rows)
    _show(axes[0, 0], query, caption, GREY)
    for ax in axes[1:, 0]:
        ax.set_axis_off()
    for rank, ax in enumerate(axes[:, 1:].flat):
        if rank < len(items):
            _show(ax, gallery.images[items[rank]], captions[rank], GREY)
            ax.set_title(f"{rank + 1}", fontsize=HEAD)
        else:
            ax.set_axis_off()
    axes[0, 0].set_title("query", fontsize=HEAD)
    return fig, axes


def _names(images: ImageSet, index: int) -> str:
    """The class of an image, and its source on a line of its own."""
    name = images.class_names[int(images.labels[index])]
    lines = [fitted(name, CELL, lines=2, size=CAPTION)]
    if images.sources:
        lines.append(fitted(images.sources[index], CELL, size=CAPTION))
    return "\n".join(lines)


def _most_lines(captions: Sequence[str]) -> int:
    return max((caption.count("\n") + 1 for caption in captions), default=1)


def _grid(rows: int, k: int, lines: int, numbered: int = 1) -> "tuple[Figure, Any]":
    """Axes (rows, k + 1) with room for ``lines`` below each, and numbers above ``numbered`` rows.

    Sizes are in points. All margins are set here, so no caption can move or shrink an image.
    """
    above, below = 1.9 * HEAD, 1.2 * CAPTION * (lines + 1)
    between = below + (above if numbered > 1 else GAP)
    wide = (CELL + GAP) * (k + 1) + GAP
    high = above + rows * IMAGE + (rows - 1) * between + below
    side = GAP + (CELL - IMAGE) / 2
    margins = {
        **{"left": side / wide, "right": 1 - side / wide},
        **{"top": 1 - above / high, "bottom": below / high},
        **{"wspace": (CELL + GAP - IMAGE) / IMAGE, "hspace": between / IMAGE},
    }
    return panels(rows, k + 1, (wide / 72, high / 72), margins)


def _show(ax: "Axes", image: Tensor, caption: str, colour: str, style: str = "-") -> None:
    ax.imshow(over_white(image[None])[0].permute(1, 2, 0).numpy(), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(color=colour, linestyle=style, linewidth=2)
    ax.set_xlabel(caption, fontsize=CAPTION, color=colour, **name_style(caption))


def random_queries(images: ImageSet, count: int, seed: int = 0) -> list[int]:
    """Draw the indices of ``count`` queries, so that nobody picks by hand what a figure shows.

    Args:
        images: the data set of the queries.
        count: at most all of them.
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(len(images), generator=generator)[:count].tolist()
