"""A search with a drawing that follows its sliders: it needs a kernel, where the network is."""

from collections.abc import Callable, Mapping

import ipywidgets as widgets
from PIL.Image import Image
from torch import Tensor

from recallkit.course import figures
from recallkit.course.widgets.base import LivePlot, live_plot
from recallkit.data.image_files import fit_image
from recallkit.data.image_set import ImageSet


def explore_drawing(
    draw_image: Callable[..., Image],
    controls: Mapping[str, widgets.Widget],
    gallery: ImageSet,
    find: Callable[[Tensor], Mapping[str, Tensor]],
) -> LivePlot:
    """Search again whenever the drawing changes, for which a kernel must run.

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
