"""Digits of two domains: printed and handwritten, on a plain ground and on textures.

The handwritten digits are scikit-learn's (Alpaydin and Kaynak, UCI, CC BY 4.0): 1,797 bitmaps of
32 × 32 pixels, whose blocks of 4 × 4 were counted to 8 × 8 numbers from 0 to 16. The printed digits
are drawn from the typefaces that matplotlib brings, distorted, and counted in the same way, so that
the domains differ in shape and not in sharpness. All images are 32 × 32 pixels, light on dark.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from recallkit.data.domain_pair import DomainPair
from recallkit.data.glyphs.distortion import distort
from recallkit.data.image_set import ImageSet
from recallkit.data.textures import draw_texture
from recallkit.errors import needs_extra

__all__ = ["load_printed_to_handwritten", "load_textured_digits"]

SIDE = 32  # pixels
TYPEFACES = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmtt10"),
)
VALIDATION_TYPEFACES = ("DejaVuSansMono-BoldOblique", "DejaVuSerif-Italic", "STIXGeneralItalic")

_BLOCK = 4  # pixels: blocks in which the ink of a bitmap is counted
_COUNTS = _BLOCK * _BLOCK  # of a block full of ink
_HEIGHT = 30  # pixels of a printed digit before it is distorted
_DARK = 128  # grey below which a pixel of a distorted digit is ink
_DARK_COLOURS = (20, 130)  # mean greys of textures: most digits stay lighter than their ground
_TEXTURES = 3  # that each digit of the target's training images lies on
# Handwritten digits lie in the order of their writers: slices share few of them.
_PRINTED_SLICES = {"target": (0, 1000), "target_validation": (1000, 1297), "test": (1297, 1797)}
_TEXTURED_SLICES = {
    "source": (0, 850),
    "source_validation": (850, 1000),
    "target": (1000, 1400),
    "target_validation": (1400, 1497),
    "test": (1497, 1797),
}


def load_printed_to_handwritten(copies: int = 12, seed: int = 0) -> DomainPair:
    """Make the pair: printed digits, labelled for free, to handwritten ones.

    The validation images of the source are of typefaces that are not trained on. Of the target,
    1,000 digits are for training, 297 for validation, 500 for the test.

    Args:
        copies: distorted copies of each digit of each of the 16 training typefaces.
        seed: decides the distortions.

    Returns:
        The pair, with images (N, 3, 32, 32) uint8 and labels 0 to 9.

    Raises:
        ValueError: if ``copies`` is below 1.
        MissingExtraError: if scikit-learn is not installed.
    """
    if copies < 1:
        raise ValueError(f"copies must be at least 1, not {copies}")
    digits, labels = _handwritten()
    parts = {
        name: _image_set(digits[first:end], labels[first:end], "handwritten")
        for name, (first, end) in _PRINTED_SLICES.items()
    }
    return DomainPair(
        source=_printed(TYPEFACES, copies, seed),
        source_validation=_printed(VALIDATION_TYPEFACES, copies, seed),
        target=_images_of(parts["target"]),
        target_validation=parts["target_validation"],
        test=parts["test"],
    )


def load_textured_digits(seed: int = 0) -> DomainPair:
    """Make the pair: handwritten digits on black, to other handwritten digits on textures.

    The target is made as MNIST-M is (Ganin et al., JMLR 2016): the absolute difference of a texture
    and a digit in each colour, with textures drawn from random numbers. 850 digits of the source
    are for training and 150 for validation; 400 of the target, on three textures each, for
    training, 97 for validation, and 300 for the test.

    Args:
        seed: decides the textures.

    Returns:
        The pair, with images (N, 3, 32, 32) uint8 and labels 0 to 9.

    Raises:
        ValueError: if ``seed`` is below 0.
        MissingExtraError: if scikit-learn is not installed.
    """
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    digits, labels = _handwritten()
    parts = {}
    for number, (name, (first, end)) in enumerate(_TEXTURED_SLICES.items()):
        images, classes = digits[first:end], labels[first:end]
        if name == "target":
            images, classes = (np.repeat(array, _TEXTURES, axis=0) for array in (images, classes))
        if not name.startswith("source"):
            images = _textured(images, np.random.default_rng([seed, number]))
        ground = "plain" if name.startswith("source") else "textured"
        parts[name] = _image_set(images, classes, ground)
    return DomainPair(**{**parts, "target": _images_of(parts["target"])})


def draw_digit(digit: int, path: Path) -> np.ndarray:
    """Draw a printed digit of a typeface in the middle, (32, 32) uint8, black on white."""
    font = ImageFont.truetype(path, 4 * SIDE, layout_engine=ImageFont.Layout.BASIC)
    canvas = Image.new("L", (8 * SIDE, 8 * SIDE), 255)
    ImageDraw.Draw(canvas).text((2 * SIDE, 5 * SIDE), str(digit), 0, font, anchor="ls")
    ink = canvas.crop(Image.eval(canvas, lambda grey: 255 - grey).getbbox())
    width = max(1, min(SIDE, round(ink.width * _HEIGHT / ink.height)))
    result = Image.new("L", (SIDE, SIDE), 255)
    small = ink.resize((width, _HEIGHT), Image.Resampling.BOX)
    result.paste(small, ((SIDE - width) // 2, (SIDE - _HEIGHT) // 2))
    return np.asarray(result)


def count_ink(bitmaps: np.ndarray) -> np.ndarray:
    """Count the ink in blocks of 4 × 4: (N, 32, 32) bool → (N, 8, 8) from 0 to 16."""
    blocks = bitmaps.reshape(len(bitmaps), SIDE // _BLOCK, _BLOCK, SIDE // _BLOCK, _BLOCK)
    return blocks.sum(axis=(2, 4))


def _printed(typefaces: Sequence[str], copies: int, seed: int) -> ImageSet:
    drawn, seeds, labels, names = [], [], [], []
    for name in typefaces:
        for digit in range(10):
            drawn += [draw_digit(digit, _path_of(name))] * copies
            seeds += [_seed_of(seed, name, digit, copy) for copy in range(copies)]
            labels += [digit] * copies
            names += [name] * copies
    bitmaps = distort(np.stack(drawn), seeds) < _DARK
    return _image_set(_enlarged(count_ink(bitmaps)), np.array(labels), names)


def _path_of(typeface: str) -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{typeface}.ttf"


def _seed_of(seed: int, typeface: str, digit: int, copy: int) -> int:
    """Return the seed of one copy: it does not depend on how many there are."""
    digest = hashlib.sha256(f"{seed}:{typeface}:{digit}:{copy}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def _handwritten() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: images (1797, 32, 32, 3) uint8, and labels (1797,)."""
    with needs_extra("the handwritten digits", "course"):
        from sklearn.datasets import load_digits
    counts, labels = load_digits(return_X_y=True)  # (1797, 64), (1797,)
    return _enlarged(np.asarray(counts).reshape(-1, 8, 8)), np.asarray(labels)


def _enlarged(counts: np.ndarray) -> np.ndarray:
    """Enlarge (N, 8, 8) counts of 0 … 16 smoothly to grey images (N, 32, 32, 3) uint8."""
    grey = np.rint(np.asarray(counts) * (255 / _COUNTS)).astype(np.uint8)
    size, smooth = (SIDE, SIDE), Image.Resampling.BILINEAR
    large = np.stack([np.asarray(Image.fromarray(image).resize(size, smooth)) for image in grey])
    return np.repeat(large[..., None], 3, axis=-1)


def _textured(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay each image (N, 32, 32, 3) on a texture of its own: the absolute difference."""
    textures = np.stack([draw_texture(rng, SIDE, _DARK_COLOURS) for _ in images])
    return np.maximum(textures, images) - np.minimum(textures, images)


def _image_set(images: np.ndarray, labels: np.ndarray, sources: str | Sequence[str]) -> ImageSet:
    names = [sources] * len(images) if isinstance(sources, str) else sources
    return ImageSet(
        images=torch.from_numpy(images).movedim(-1, 1).contiguous(),
        labels=torch.from_numpy(labels.astype(np.int64)),
        class_names={digit: str(digit) for digit in range(10)},
        sources=tuple(names),
    )


def _images_of(part: ImageSet) -> Tensor:
    return part.images[:]
