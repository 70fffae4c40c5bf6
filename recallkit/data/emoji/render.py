"""Pixels from SVG, by resvg."""

import io
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from recallkit.data.emoji.archive import SIDE
from recallkit.data.emoji.sources import IconSet
from recallkit.errors import needs_extra


def renderer_version() -> str:
    """Name what renders, with its version.

    Raises:
        RecallkitError: if resvg is not installed.
    """
    _resvg()
    return f"resvg-py {version('resvg-py')}"


def _resvg() -> ModuleType:
    """Import resvg_py, which only the builder needs."""
    with needs_extra("rendering the drawings"):
        import resvg_py
    return resvg_py


def render(icons: IconSet, name: str) -> np.ndarray:
    """Render the drawing ``name``, (64, 64, 4) uint8 RGBA; black where it is fully transparent."""
    change = icons.aliases.get(name, {})
    icon = icons.icons[name] if name in icons.icons else icons.icons[change["parent"]]
    png = _resvg().svg_to_bytes(svg_string=_svg(icon, icons.size), skip_system_fonts=True)
    pixels = np.array(Image.open(io.BytesIO(bytes(png)), formats=["PNG"]).convert("RGBA"))
    pixels[pixels[..., 3] == 0] = 0
    return _turned(pixels, change)


def _svg(icon: dict[str, Any], size: tuple[float, float]) -> str:
    """Make an SVG document of an icon's body, 64 units wide and high, its proportions kept."""
    left, top = icon.get("left", 0), icon.get("top", 0)
    width, height = icon.get("width", size[0]), icon.get("height", size[1])
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{SIDE}" height="{SIDE}" viewBox="{left} {top} {width} {height}">'
        f"{icon['body']}</svg>"
    )


def _turned(pixels: np.ndarray, change: dict[str, Any]) -> np.ndarray:
    """Flip and turn ``pixels`` as an alias of a drawing may ask."""
    if change.get("hFlip"):
        pixels = pixels[:, ::-1]
    if change.get("vFlip"):
        pixels = pixels[::-1]
    return np.ascontiguousarray(np.rot90(pixels, -change.get("rotate", 0)))
