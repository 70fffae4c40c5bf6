"""Browse queries and what is found for them; search with a drawing that follows its sliders."""

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
from PIL.Image import Image
from torch import Tensor

from recallkit.course.figures.retrieval import plot_answers, plot_searches
from recallkit.course.widgets.base import LivePlot, live_plot
from recallkit.data.image_files import fit_image
from recallkit.data.image_set import ImageSet


def browse_searches(
    images: ImageSet, queries: Sequence[int], found: Mapping[str, Tensor]
) -> LivePlot:
    """Choose a query by its name; see what each embedding finds.

    Args:
        images: the queries and the gallery.
        queries: indices to choose from.
        found: name of the embedding → (N, K) int64, the neighbours of all images, nearest first.

    Returns:
        A widget with the controls "query" (the index) and "shown" (how many neighbours).
    """
    names = [(f"{place}  {images.name(query)}", query) for place, query in enumerate(queries)]
    most = min(neighbours.shape[1] for neighbours in found.values())
    controls = {
        "query": widgets.Dropdown(options=names, description="query"),
        "shown": widgets.IntSlider(min(8, most), 1, most, description="neighbours shown"),
    }

    def draw(query: int, shown: int):
        return plot_searches(images, [query], found, shown)

    return live_plot(draw, controls, height=90 * len(found) + 60)


def search_drawing(
    draw_picture: Callable[..., Image],
    controls: Mapping[str, widgets.Widget],
    gallery: ImageSet,
    find: Callable[[Tensor], Mapping[str, Tensor]],
) -> LivePlot:
    """Search again whenever the drawing changes.

    Args:
        draw_picture: called with the controls' values by name.
        controls: name → slider, dropdown, …; each needs a ``description``.
        gallery: what is searched.
        find: (4, S, S) uint8, as large as the gallery's images → name of the embedding → (k,)
            int64, nearest first.

    Returns:
        A widget with these controls.
    """
    side = gallery.images.shape[-1]

    def draw(**values):
        picture = fit_image(draw_picture(**values), side)
        return plot_answers(picture, gallery, find(picture))

    return live_plot(draw, dict(controls), height=320)
