"""Grids of images: classes, queries with their neighbours, and searches with an image."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.plots.names import fitted, name_style
from recallkit.plots.style import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAP = 0.08  # of white around an image, as a share of its side
_LEFT, _RIGHT, _TOP, _BOTTOM = 1.35, 0.1, 0.45, 0.1  # inches around the images, for names
_BELOW = 0.35  # room for a name under an image, as a share of its side
ROW_NAME, COLUMN_NAME, IMAGE_NAME = 8.5, 8.5, 8.5  # sizes of letters, in points


def plot_classes(images: ImageSet, classes: Sequence[int], most: int = 8) -> "tuple[Figure, Axes]":
    """A row for each class, a column for each source; blank where a source has no image.

    Without sources, the images of a class are in the order of the set.

    Args:
        images: the data set.
        classes: R labels to show.
        most: number of images of a class to show, the first ones.

    Returns:
        The figure, and its axes.
    """
    members = [(images.labels == label).nonzero()[:most, 0].tolist() for label in classes]
    sources = sorted({images.sources[i] for row in members for i in row}) if images.sources else []
    width = len(sources) or max(len(row) for row in members)
    shown = {
        (row, sources.index(images.sources[item]) if sources else place): images.images[int(item)]
        for row, items in enumerate(members)
        for place, item in enumerate(items)
    }
    fig, ax = _mosaic(shown, rows=len(classes), columns=width)
    _name_rows(ax, range(len(classes)), [images.class_names[label] for label in classes])
    _name_columns(ax, sources)
    return fig, ax


def plot_neighbours_by_embedding(
    images: ImageSet, queries: Sequence[int], neighbours: Mapping[str, Tensor], k: int = 8
) -> "tuple[Figure, Axes]":
    """Each query with its nearest images by several embeddings, a row for each embedding.

    Right images have a solid blue frame and ✓, wrong ones a dashed vermilion frame and ✗.

    Args:
        images: the queries and the gallery.
        queries: indices to show.
        neighbours: name of the embedding → (N, K) int64, the neighbours of all images, nearest
            first.
        k: number of neighbours to show, at most K.

    Returns:
        The figure, and its axes. Query q and embedding e of E have the row q·E + e. Rows are named
        after the embeddings or, if there is only one, after the queries.
    """
    rows = [(query, name) for query in queries for name in neighbours]
    nearest = torch.stack([neighbours[name][query, :k] for query, name in rows])  # (rows, k)
    shown = {
        (row, place + 1): images.images[int(item)]
        for row, items in enumerate(nearest.tolist())
        for place, item in enumerate(items)
    }
    shown |= {(q * len(neighbours), 0): images.images[query] for q, query in enumerate(queries)}
    fig, ax = _mosaic(shown, rows=len(rows), columns=k + 1)
    wanted = images.labels[[query for query, _ in rows]]  # (rows,)
    _mark(ax, images.labels[nearest] == wanted[:, None])
    names = [images.name(query) for query in queries]
    if len(neighbours) == 1:  # no room under the query
        _name_rows(ax, range(len(rows)), names)
    else:
        _name_rows(ax, range(len(rows)), [name for _, name in rows])
        for q, name in enumerate(names):
            _name_image(ax, 0, q * len(neighbours) + 0.5, name, room=0.9)
    ax.set_xticks(range(k + 1), ["query", *map(str, range(1, k + 1))], fontsize=9)
    for row in range(len(neighbours), len(rows), len(neighbours)):
        ax.axhline(row - 0.5, color=GREY, linewidth=0.5)
    return fig, ax


def plot_image_search_by_embedding(
    query: Tensor, gallery: ImageSet, neighbours: Mapping[str, Tensor]
) -> "tuple[Figure, Axes]":
    """An image without a label, with its nearest images by several embeddings and their names.

    Args:
        query: (C, S, S) uint8.
        gallery: the searched images.
        neighbours: name of the embedding → (k,) int64 indices into the gallery, nearest first.

    Returns:
        The figure, and its axes. The row of embedding e is at the height e·1.35.
    """
    shown = {(0, 0): query}
    for row, items in enumerate(neighbours.values()):
        shown |= {(row, p + 1): gallery.images[int(item)] for p, item in enumerate(items.tolist())}
    k = max(len(items) for items in neighbours.values())
    fig, ax = _mosaic(shown, rows=len(neighbours), columns=k + 1, below=_BELOW)
    heights = [row * (1 + _BELOW) for row in range(len(neighbours))]
    for height, items in zip(heights, neighbours.values(), strict=True):
        for place, item in enumerate(items.tolist(), start=1):
            name = gallery.class_names[int(gallery.labels[item])]
            _name_image(ax, place, height + 0.48, name, room=0.5 + _BELOW - 0.46)
    _name_rows(ax, heights, list(neighbours))
    ax.set_xticks(range(k + 1), ["query", *map(str, range(1, k + 1))], fontsize=9)
    return fig, ax


def _mosaic(
    images: Mapping[tuple[int, int], Tensor], rows: int, columns: int, below: float = 0.0
) -> "tuple[Figure, Axes]":
    """Images (C, S, S) at their (row, column), the centre of each a unit from the next.

    ``below`` leaves room under each image, a share of its side; rows are then 1 + below apart.
    """
    inch = min(0.8, max(0.45, 7.6 / columns))
    fig, ax = _bordered_axes(inch * columns, inch * (1 + below) * rows)
    canvas = _canvas(images, rows, columns, below)
    extent = (-0.5, columns - 0.5, rows * (1 + below) - 0.5, -0.5)
    ax.imshow(canvas.permute(1, 2, 0).numpy(), extent=extent, aspect="auto")
    ax.autoscale(False)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig, ax


def _canvas(
    images: Mapping[tuple[int, int], Tensor], rows: int, columns: int, below: float
) -> Tensor:
    """All images on one white image (3, H, W), 0 … 1."""
    side = next(iter(images.values())).shape[-1]
    gap = round(_GAP * side)
    width, height = side + 2 * gap, round((side + 2 * gap) * (1 + below))
    canvas = torch.ones(3, rows * height, columns * width)
    for (row, column), image in images.items():
        top, left = row * height + gap, column * width + gap
        canvas[:, top : top + side, left : left + side] = over_white(image[None])[0]
    return canvas


def _bordered_axes(wide: float, high: float) -> "tuple[Figure, Axes]":
    """Axes of this size in inches, in a figure with room for names around them."""
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(_LEFT + wide + _RIGHT, _TOP + high + _BOTTOM))
    size = fig.get_size_inches()
    place = (_LEFT / size[0], _BOTTOM / size[1], wide / size[0], high / size[1])
    return fig, fig.add_axes(place)


def _mark(ax: "Axes", rights: Tensor) -> None:
    """Draw a frame and a sign at (column + 1, row) for each entry of ``rights`` (rows, k) bool.

    All frames of a kind are one collection and all signs one line, which draws faster.
    """
    from matplotlib.collections import PolyCollection

    corners = 0.46 * torch.tensor([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    for right, sign, colour, style in ((True, "✓", BLUE, "-"), (False, "✗", VERMILION, "--")):
        row, column = (rights == right).nonzero().T
        centres = torch.stack([column + 1, row], dim=1)  # (n, 2)
        line: dict[str, Any] = {"edgecolor": colour, "linestyle": style, "linewidth": 2}
        frames = list((centres[:, None] + corners).numpy())  # n of (4, 2)
        ax.add_collection(PolyCollection(frames, facecolor="none", **line))
        where = (centres + 0.31).T.tolist()
        ax.plot(*where, marker="s", color="white", alpha=0.85, markersize=11, linestyle="none")
        ax.plot(*where, marker=f"${sign}$", color=colour, markersize=8, linestyle="none")


def _name_rows(ax: "Axes", heights: Iterable[float], names: Sequence[str]) -> None:
    """Write a name beside each row."""
    lines = _lines(ax, 0.9, ROW_NAME)
    shown = [fitted(name, 72 * _LEFT - 8, lines, ROW_NAME) for name in names]
    ax.set_yticks([*heights], shown, fontsize=ROW_NAME, **name_style(*shown))


def _name_columns(ax: "Axes", names: Sequence[str]) -> None:
    """Write a name above each column, on two lines at most."""
    shown = [fitted(name, 72 * _inch(ax) - 2, 2, COLUMN_NAME) for name in names]
    ax.set_xticks(range(len(names)), shown, fontsize=COLUMN_NAME, **name_style(*shown))


def _name_image(ax: "Axes", column: float, top: float, name: str, room: float) -> None:
    """Write a name under the image of a column, in ``room`` sides of an image."""
    lines = min(4, _lines(ax, room, IMAGE_NAME))
    shown = fitted(name, 72 * _inch(ax) - 2, lines, IMAGE_NAME)
    style = {"fontsize": IMAGE_NAME, "va": "top", "ha": "center"}
    ax.text(column, top, shown, **style, **name_style(shown))


def _lines(ax: "Axes", room: float, size: float) -> int:
    """The number of lines that fit into ``room`` sides of an image."""
    return max(1, int(room * 72 * _inch(ax) / (1.2 * size)))


def _inch(ax: "Axes") -> float:
    """The width of a column, in inches."""
    fig: Any = ax.figure
    left, right = ax.get_xlim()
    return ax.get_position().width * fig.get_size_inches()[0] / (right - left)
