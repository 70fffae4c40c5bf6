"""Pixels of every mode as 8 bits a colour.

| mode of Pillow | what it holds | rule |
|---|---|---|
| 1, L, RGB, RGBX, CMYK, YCbCr, HSV, LAB | 8 bits a colour | as Pillow converts it to RGB |
| LA, La, PA, RGBA, RGBa, P | likewise, with alpha or a palette | likewise; alpha is kept |
| I;16, I;16L, I;16B, I;16N | 16-bit grey | v / 257, rounded: 65,535 is white |
| I of a PNG or PPM file | 16-bit grey | likewise |
| F | floating-point grey | 255 v, rounded, if all values are in 0 … 1 |
| I of another file | integers without a stated white | refused |
| all others | | refused |

A TIFF file with 12 bits a pixel has its white at 4,095; one that says that white is 0 is inverted.
Pillow reads colours of 16 bits by their upper byte, at most 1 of 255 from v / 257. A transparent
colour (tRNS) becomes alpha. Colour profiles are not applied: the numbers in the file are used.
"""

import contextlib

import numpy as np
from PIL import ExifTags, Image

__all__ = ["PixelError", "decoded", "over_white"]

_COLOURS = {
    *("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"),
    *("LA", "La", "PA", "RGBA", "RGBa"),
}
_SIXTEEN = {"I;16", "I;16L", "I;16B", "I;16N"}
_SIXTEEN_AS_INTEGERS = {"PNG", "PPM"}  # whose mode I holds 0 … 65,535

_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PixelError(ValueError):
    """The pixels of an image have no stated scale."""


def decoded(image: Image.Image) -> Image.Image:
    """Decode an open image by the rules stated above, and turn it upright: L, LA, RGB or RGBA.

    The orientation is that of its EXIF or XMP data; where these are damaged, it is not turned.

    Raises:
        PixelError: if the rules refuse it.
    """
    pixels = _eight_bit(image)
    turn = None
    with contextlib.suppress(Exception):  # damaged EXIF data fail in many ways; pixels are whole
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return pixels if turn is None else pixels.transpose(turn)


def _eight_bit(image: Image.Image) -> Image.Image:
    mode = image.mode
    if mode in _SIXTEEN or (mode == "I" and image.format in _SIXTEEN_AS_INTEGERS):
        return _grey_of_16_bits(image)
    if mode == "F":
        return _grey_of_floats(image)
    if mode == "I":
        raise PixelError(
            "integers of 32 bits (mode I) have no known white. Save it as grey of 8 or 16 bits."
        )
    if mode not in _COLOURS:
        raise PixelError(f"the mode {mode} has no rule. Save it as RGB of 8 bits a colour.")
    return _colours(image)


def _colours(image: Image.Image) -> Image.Image:
    _scale_transparent_colour(image)
    image.load()
    if image.has_transparency_data:
        return _of_mode(image, "RGBA")
    return _of_mode(image, "L" if image.mode in {"1", "L"} else "RGB")


def _of_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert an image, without a copy if it is of this mode and nothing is to be done."""
    same = image.mode == mode and "transparency" not in image.info
    return image if same else image.convert(mode)


def _scale_transparent_colour(image: Image.Image) -> None:
    """Bring the transparent colour of a PNG file to 8 bits, as Pillow brings its pixels."""
    tiles = getattr(image, "tile", None)  # how an open file will be decoded
    if image.format != "PNG" or not tiles:
        return
    colour = image.info.get("transparency")
    match tiles[0][3], colour:
        case "L;2" | "L;4" as raw, int():
            image.info["transparency"] = colour * (85 if raw == "L;2" else 17)
        case "RGB;16B", tuple():
            image.info["transparency"] = tuple(value >> 8 for value in colour)


def _grey_of_16_bits(image: Image.Image) -> Image.Image:
    transparent = image.info.get("transparency")
    white = 4095 if _tiff_tag(image, _BITS_PER_SAMPLE) == 12 else 65535
    values = [min(round(255 * v / white), 255) for v in range(65536)]
    if _tiff_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = [255 - value for value in values]
    integers = image.convert("I")
    grey = integers.point(values, "L")
    if not isinstance(transparent, int):
        return grey
    opaque = np.asarray(integers) != transparent
    return Image.merge("LA", [grey, Image.fromarray(opaque.astype(np.uint8) * 255)])


def _grey_of_floats(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise PixelError("some values are not finite (mode F). Replace them.")
    least, most = values.min(), values.max()
    if least < 0 or most > 1:
        raise PixelError(
            f"floating-point values from {least:.6g} to {most:.6g} (mode F) have no known white; "
            f"only 0 … 1 have. Scale them to 0 … 1, or save it as grey of 8 bits."
        )
    if _tiff_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 1 - values
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def _tiff_tag(image: Image.Image, number: int) -> int | None:
    value = getattr(image, "tag_v2", {}).get(number)
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else None


def over_white(image: Image.Image) -> Image.Image:
    """Composite an image of mode L, LA, RGB or RGBA over white: RGB."""
    if image.mode in {"L", "RGB"}:
        return _of_mode(image, "RGB")
    rgba = _of_mode(image, "RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(rgba, mask=rgba)
    return white
