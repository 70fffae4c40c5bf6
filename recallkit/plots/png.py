"""Figures as files: sharp on every screen, and small."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from recallkit.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

DOTS = 220  # an inch: a figure of 6 inches has 1.6 dots for each of the 832 pixels of a page


def write_png(fig: "Figure", path: Path, *, few_colours: bool = False) -> None:
    """Write a figure as PNG with :data:`DOTS` dots an inch, and close it.

    Args:
        fig: the figure.
        path: of the file.
        few_colours: reduce it to 256 colours, half of the bytes. Photographs would suffer.
    """
    import matplotlib.pyplot as plt
    from PIL import Image

    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=DOTS)
    plt.close(fig)
    content = file.getvalue()
    if few_colours:
        content = reduced_png(Image.open(io.BytesIO(content)).convert("RGB"))
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def reduced_png(image: "Image") -> bytes:
    """Return an RGB image as PNG of at most 256 colours: a third of the bytes."""
    from PIL import Image

    reduced = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    file = io.BytesIO()
    reduced.save(file, "PNG", optimize=True)
    return file.getvalue()
