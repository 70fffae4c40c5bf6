"""A picture of some classes: a row a class, its glyphs as they are and distorted."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recallkit.data.paths import replacing

_ROWS, _CELL, _NAME, _GAP = 20, 68, 90, 24


def write_contact_sheet(
    path: Path, classes: list[dict], grey: np.ndarray, distorted: np.ndarray
) -> None:
    """Draw training classes, those with most images first, spread evenly over the code points.

    Args:
        path: the PNG to write.
        classes: the index's classes, in the order of the images.
        grey: (N, 32, 32) uint8, the images.
        distorted: (N, 32, 32) uint8, the same ones distorted.
    """
    rows = _some_rows(classes)
    most = max(len(c["typefaces"]) for _, c in rows)
    sheet = Image.new("L", (_NAME + 2 * _CELL * most + _GAP, _CELL * len(rows) + 8), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for row, (first, kind) in enumerate(rows):
        top = 4 + _CELL * row
        pen.text((8, top + 24), f"U+{kind['code'].upper()}", 0, font)
        for i in range(len(kind["typefaces"])):
            sheet.paste(_cell(grey[first + i]), (_NAME + _CELL * i, top))
            sheet.paste(_cell(distorted[first + i]), (_NAME + _GAP + _CELL * (most + i), top))
    with replacing(path) as temporary:
        sheet.save(temporary, "PNG", optimize=True)


def _some_rows(classes: list[dict]) -> list[tuple[int, dict]]:
    """(index of the first image, class) of up to 20 training classes."""
    firsts = np.cumsum([0] + [len(c["typefaces"]) for c in classes]).tolist()
    training = [(f, c) for f, c in zip(firsts, classes, strict=False) if c["split"] == "train"]
    most = max(len(c["typefaces"]) for _, c in training)
    full = [(f, c) for f, c in training if len(c["typefaces"]) == most]
    picks = np.linspace(0, len(full) - 1, min(_ROWS, len(full))).round().astype(int)
    return [full[i] for i in picks.tolist()]


def _cell(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image).resize((64, 64), Image.Resampling.NEAREST)
