"""A picture of some classes: a row a class, a column a foundry."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recallkit.data.emoji_sources import FOUNDRIES
from recallkit.data.paths import replacing

_ROWS, _CELL, _NAME, _HEAD = 24, 72, 230, 28


def write_contact_sheet(path: Path, classes: list[dict], images: np.ndarray) -> None:
    """Draw training classes, those with most drawings first, spread evenly over the code points.

    Args:
        path: the WebP to write.
        classes: the index's classes, in the order of ``images``.
        images: (N, 4, 64, 64) uint8 RGBA.
    """
    rows = _some_rows(classes)
    size = (_NAME + _CELL * len(FOUNDRIES), _HEAD + _CELL * len(rows))
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for column, foundry in enumerate(FOUNDRIES):
        text = foundry.removesuffix("-flat")
        pen.text((_NAME + _CELL * column + 2, 8), text, "black", ImageFont.load_default(size=10))
    for row, (first, kind) in enumerate(rows):
        top = _HEAD + _CELL * row
        pen.text((8, top + 26), _short(kind["name"]), "black", font)
        _draw_row(sheet, top, kind["foundries"], images[first:])
    with replacing(path) as temporary:
        sheet.save(temporary, "WEBP", quality=85, method=6)


def _some_rows(classes: list[dict]) -> list[tuple[int, dict]]:
    """(index of the first image, class) of up to 24 training classes."""
    firsts = np.cumsum([0] + [len(c["foundries"]) for c in classes]).tolist()
    training = [(f, c) for f, c in zip(firsts, classes, strict=False) if c["split"] == "train"]
    most = max((len(c["foundries"]) for _, c in training), default=0)
    full = [(f, c) for f, c in training if len(c["foundries"]) == most]
    picks = np.linspace(0, len(full) - 1, min(_ROWS, len(full))).round().astype(int)
    return [full[i] for i in picks.tolist()]


def _draw_row(sheet: Image.Image, top: int, foundries: list[str], images: np.ndarray) -> None:
    """Paste one class's drawings into the columns of their foundries."""
    for foundry, image in zip(foundries, images, strict=False):
        drawing = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        left = _NAME + _CELL * list(FOUNDRIES).index(foundry)
        sheet.paste(drawing, (left + 4, top + 4), drawing)


def _short(name: str, limit: int = 32) -> str:
    """``name``, cut if it would reach into the pictures."""
    return name if len(name) <= limit else name[: limit - 1] + "…"
