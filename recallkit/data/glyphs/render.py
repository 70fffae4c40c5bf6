"""Pixels from a typeface, by FreeType through Pillow.

A glyph is drawn four times too large, so that neither hinting nor bitmaps made for small sizes
affect it. Its ink is centred, and averaged down to 32×32 pixels of 16 grey levels. All glyphs of a
typeface are drawn at one size: small ones stay small.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import PIL
from PIL import Image, ImageDraw, ImageFont, features

from recallkit.data.glyphs.archive import SIDE
from recallkit.errors import RecallkitError, needs_extra

LEVELS = 16  # grey levels: 4 bits a pixel

# Kana, Han (Unicode's first block and Extension A), Hangul: where there are thousands of classes.
BLOCKS = {
    "kana": (range(0x3041, 0x3097), range(0x30A1, 0x30FB)),
    "han-extension-a": (range(0x3400, 0x4DC0),),
    "han": (range(0x4E00, 0xA000),),
    "hangul": (range(0xAC00, 0xD7A4),),
}


_OVER = 4  # drawn this many times too large
_LARGE = SIDE * _OVER
_EXTENT, _LIMIT = 120, 124  # large pixels: of most glyphs, of every glyph
_SAMPLE = 200  # glyphs that decide a typeface's size


def made_with() -> str:
    """Name the versions that decide the pixels."""
    return f"Pillow {PIL.__version__}, FreeType {features.version('freetype2')}"


def block_of(code: int) -> str:
    """Name the block of Unicode that ``code`` is in."""
    return next(name for name, ranges in BLOCKS.items() if any(code in codes for codes in ranges))


def characters(path: Path) -> list[int]:
    """List the code points of :data:`BLOCKS` that the typeface claims to have, ascending.

    Raises:
        RecallkitError: if the file is not a typeface.
    """
    tables = _tables()
    try:
        with open(path, "rb") as file:  # fontNumber 0: the first face, or the only one
            mapped = tables.TTFont(file, fontNumber=0, lazy=True).getBestCmap() or {}
    except (tables.TTLibError, OSError, KeyError, AssertionError, ValueError) as error:
        raise RecallkitError(
            f"{path} cannot be read as a typeface ({error}). Replace or remove it."
        ) from error
    wanted = [code for ranges in BLOCKS.values() for codes in ranges for code in codes]
    return sorted(code for code in wanted if code in mapped)


def _tables() -> ModuleType:
    """Import fontTools.ttLib, which only the builder needs."""
    with needs_extra("reading which characters a typeface has"):
        from fontTools import ttLib
    return ttLib


class Renderer:
    """Draws the glyphs of one typeface, the first of a collection.

    Args:
        path: of the typeface.
        codes: the characters that decide its size: nearly all of a sample of them fill at most 30
            of the 32 pixels. The sample does not depend on their order.

    Raises:
        RecallkitError: if FreeType cannot read the file.
    """

    def __init__(self, path: Path, codes: Sequence[int]) -> None:
        self._path = path
        self._font = self._open(_EXTENT)
        sample = sorted(codes, key=lambda code: hashlib.sha256(str(code).encode()).digest())
        extents = [max(ink.shape) for code in sample[:_SAMPLE] if (ink := self._ink(code)).size]
        if extents:
            usual = float(np.percentile(extents, 95))
            self._font = self._open(max(1, round(_EXTENT * _EXTENT / usual)))

    def _open(self, size: int) -> ImageFont.FreeTypeFont:
        try:
            return ImageFont.truetype(self._path, size, layout_engine=ImageFont.Layout.BASIC)
        except OSError as error:
            raise RecallkitError(
                f"{self._path} cannot be read as a typeface ({error}). Replace or remove it."
            ) from error

    def __call__(self, code: int) -> np.ndarray | None:
        """Draw the ink of a character, (32, 32) uint8 in 0 … 15; None if nothing is visible."""
        ink = self._ink(code)
        if not ink.size:
            return None
        if max(ink.shape) > _LIMIT:
            height, width = (max(1, side * _LIMIT // max(ink.shape)) for side in ink.shape)
            ink = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX))
        large = np.zeros((_LARGE, _LARGE), np.uint32)
        top, left = ((_LARGE - side) // 2 for side in ink.shape)
        large[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
        sums = large.reshape(SIDE, _OVER, SIDE, _OVER).sum((1, 3))
        most = 255 * _OVER * _OVER
        levels = ((sums * (LEVELS - 1) + most // 2) // most).astype(np.uint8)
        return levels if levels.any() else None

    def _ink(self, code: int) -> np.ndarray:
        """Draw the glyph at the font's size, cut to its ink: (h, w) uint8, empty if it is blank."""
        size = int(self._font.size)
        canvas = Image.new("L", (3 * size, 3 * size))
        ImageDraw.Draw(canvas).text((size, 2 * size), chr(code), 255, self._font, anchor="ls")
        box = canvas.getbbox()
        return np.asarray(canvas.crop(box)) if box else np.zeros((0, 0), np.uint8)
