"""Many small images in one file, which a page shows parts of."""

import base64
import io
import math

from PIL import Image

from recallkit.data.image_set import Images
from recallkit.data.transforms import over_white

SIDE = 40
"""Pixels of an image in a sprite: a page shows it as large, or up to twice."""
COLUMNS = 12
QUALITY = 60  # of 100; emoji show no blocks at it, and 45 kB hold 140 of them


def sprite(images: Images) -> bytes:
    """Put images side by side, 12 a row, each 40 × 40 pixels, over white.

    Args:
        images: (N, C, S, S) uint8, RGB or RGBA.

    Returns:
        A file in the format WebP.
    """
    rows = math.ceil(len(images) / COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, max(1, rows) * SIDE), "white")
    for place in range(len(images)):
        white = (255 * over_white(images[place][None])[0]).round().byte()
        image = Image.fromarray(white.permute(1, 2, 0).numpy())
        small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet.paste(small, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


def data_url(sprite: bytes) -> str:
    """Return a sprite as an address that holds the file itself."""
    return f"data:image/webp;base64,{base64.b64encode(sprite).decode()}"
