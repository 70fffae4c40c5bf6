"""Queries with their neighbours, and a search with a drawing that follows its sliders."""

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
from PIL.Image import Image
from torch import Tensor

from recallkit.course import figures
from recallkit.course.widgets.base import LivePlot, live_plot
from recallkit.data.image_files import fit_image
from recallkit.data.image_set import ImageSet


def explore_neighbours(
    images: ImageSet, queries: Sequence[int], neighbours: Mapping[str, Tensor]
) -> LivePlot:
    """Choose a query by its name, and see its nearest images by each embedding.

    Args:
        images: the queries and the gallery.
        queries: indices to choose from.
        neighbours: name of the embedding → (N, K) int64, the neighbours of all images, nearest
            first.

    Returns:
        A widget with the controls "query" (the index) and "shown" (number of neighbours).
    """
    names = [(f"{place}  {images.name(query)}", query) for place, query in enumerate(queries)]
    most = min(nearest.shape[1] for nearest in neighbours.values())
    controls = {
        "query": widgets.Dropdown(options=names, description="query"),
        "shown": widgets.IntSlider(min(8, most), 1, most, description="neighbours shown"),
    }

    def draw(query: int, shown: int) -> tuple:
        return figures.plot_neighbours_by_embedding(images, [query], neighbours, shown)

    return live_plot(draw, controls, height=90 * len(neighbours) + 60)


def explore_drawing(
    draw_image: Callable[..., Image],
    controls: Mapping[str, widgets.Widget],
    gallery: ImageSet,
    find: Callable[[Tensor], Mapping[str, Tensor]],
) -> LivePlot:
    """Search again whenever the drawing changes.

    Args:
        draw_image: called with the controls' values by name.
        controls: name → slider, dropdown, …; each needs a ``description``.
        gallery: the searched images.
        find: (4, S, S) uint8, as large as the gallery's images → name of the embedding → (k,)
            int64, nearest first.

    Returns:
        A widget with these controls.
    """
    side = gallery.images.shape[-1]

    def draw(**values: object) -> tuple:
        image = fit_image(draw_image(**values), side)
        return figures.plot_image_search_by_embedding(image, gallery, find(image))

    return live_plot(draw, controls, height=320)
