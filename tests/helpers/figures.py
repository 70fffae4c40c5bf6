"""Whether a still figure can be read where it is shown."""

from contextlib import contextmanager

import matplotlib.text
from matplotlib.figure import Figure

COLUMN = 832  # pixels between the margins of a page of the book, on a desktop
LEAST = 11  # pixels


def small_texts(fig):
    """The texts of a figure that are lower than :data:`LEAST` pixels on a page, with their size."""
    inch = min(100, COLUMN / fig.get_figwidth())
    texts = [t for t in fig.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()]
    sizes = {text.get_text(): text.get_fontsize() / 72 * inch for text in texts}
    return {text: round(size, 1) for text, size in sizes.items() if size < LEAST - 0.05}


def legends_cut_off(fig):
    """The legends of a figure that reach beyond it."""
    fig.draw_without_rendering()
    boxes = [legend.get_window_extent() for legend in fig.legends]
    return [box for box in boxes if box.x0 < fig.bbox.x0 or box.x1 > fig.bbox.x1]


@contextmanager
def drawn_figures():
    """All figures that are made meanwhile, closed or not."""
    made, original = [], Figure.__init__

    def remember(fig, *arguments, **options):
        original(fig, *arguments, **options)
        made.append(fig)

    Figure.__init__ = remember
    try:
        yield made
    finally:
        Figure.__init__ = original
