"""Build the glyphs: render and clean them, choose classes and images, write the files."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from recallkit.data.cache import checksum
from recallkit.data.contact_sheet import classes_to_show
from recallkit.data.glyphs.archive import FILE, SIDE, to_grey, write_packed
from recallkit.data.glyphs.clean import MIN_TYPEFACES, clean
from recallkit.data.glyphs.distortion import distort
from recallkit.data.glyphs.render import Renderer, characters, made_with
from recallkit.data.glyphs.sources import Typeface, copy_licences, find, find_own, unpacked
from recallkit.data.glyphs.splits import seeds
from recallkit.errors import RecallkitError
from recallkit.files import write_atomically

CLASSES = 22_634  # as many as Stanford Online Products has, which has 120,053 images
TRAIN_IMAGES, TEST_IMAGES = 60_379, 60_265  # at most; those of validation count as train
MOST_IMAGES = 6  # of a class
VALIDATION_CLASSES = 1000
FEWEST_CLASSES = 6
SEED = 0
SPLITS = ("train", "validation", "test")

_ROWS, _CELL, _NAME, _GAP = 20, 68, 90, 24  # of the contact sheet: classes, then pixels


def build(output: Path, sources: Path | None = None, fonts: Path | None = None) -> Path:
    """Build the glyphs.

    Args:
        output: the folder to write ``glyphs.zip``, ``typefaces.tsv``, ``contact_sheet.png`` and,
            unless ``fonts`` is given, ``licences/`` to.
        sources: a folder with the packages as ``apt-get download`` names them; by default apt
            fetches them.
        fonts: a folder with the user's typefaces, to be taken instead.

    Returns:
        The path of the packed file.

    Raises:
        RecallkitError: if a tool, a package or a typeface is missing or damaged, too few characters
            are left, or ``output`` cannot be written.
    """
    if fonts is not None:
        return _build(Path(output), find_own(Path(fonts)))
    with unpacked(sources) as folder:
        path = _build(Path(output), find(folder))
        copy_licences(folder, Path(output) / "licences")
    return path


def _build(output: Path, files: dict[Typeface, Path]) -> Path:
    codes, faces, ink = draw_all(files)
    kept = clean(codes, faces, ink)
    codes, faces, ink = codes[kept], faces[kept], ink[kept]
    places: dict[int, list[int]] = {}  # code → indices
    for place, code in enumerate(codes.tolist()):
        places.setdefault(code, []).append(place)
    if len(places) < FEWEST_CLASSES:
        raise RecallkitError(
            f"only {len(places)} characters are in {MIN_TYPEFACES} or more of the {len(files)} "
            f"typefaces; at least {FEWEST_CLASSES} must be. Add typefaces of kana, Han or Hangul."
        )
    classes, order = arrange(places, faces)
    index = {
        "made_with": made_with(),
        "sources": [asdict(t) for t in files],
        "typefaces": [t.name for t in files],
        "classes": classes,
    }
    return _write(output, index, ink[order])


def draw_all(files: dict[Typeface, Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw all glyphs: codes (N,), numbers of typefaces (N,), ink (N, 32, 32) uint8 in 0 … 15."""
    codes, faces, ink = [], [], []
    listed = [(face, path, characters(path)) for face, path in enumerate(files.values())]
    with tqdm(total=sum(len(c) for _, _, c in listed), desc="drawing", unit=" glyphs") as bar:
        for face, path, present in listed:
            render = Renderer(path, present)
            drawn = {code: image for code in present if (image := render(code)) is not None}
            bar.update(len(present))
            codes += drawn
            faces += [face] * len(drawn)
            ink.append(np.array(list(drawn.values()), np.uint8).reshape(-1, SIDE, SIDE))
    return np.array(codes, np.int64), np.array(faces, np.int64), np.concatenate(ink)


def split_classes(codes: list[int]) -> dict[int, str]:
    """Assign a split to at most :data:`CLASSES` characters; the others are left out.

    Half are test, of the other half 1,000 (at most a quarter) validation, the rest train.
    Characters are ordered by a hash of seed and code point, which no library version changes.
    """
    chosen = sorted(codes, key=lambda code: _hash(code))[:CLASSES]
    test = len(chosen) // 2
    validation = min(VALIDATION_CLASSES, max(1, (len(chosen) - test) // 4))
    splits = ["test"] * test + ["validation"] * validation
    splits += ["train"] * (len(chosen) - len(splits))
    return dict(zip(chosen, splits, strict=True))


def _hash(*numbers: int) -> bytes:
    return hashlib.sha256(":".join(map(str, (SEED, *numbers))).encode()).digest()


def arrange(
    places: dict[int, list[int]], faces: np.ndarray
) -> tuple[list[dict[str, Any]], list[int]]:
    """Choose classes and images.

    Args:
        places: code → indices of its images.
        faces: the number of the typeface of each image.

    Returns:
        The classes by split, then code; the indices of their images in that order.
    """
    split = split_classes(list(places))
    sizes = {}
    for names, images in ((("test",), TEST_IMAGES), (("train", "validation"), TRAIN_IMAGES)):
        sizes |= _sizes({c: len(places[c]) for c in split if split[c] in names}, images)
    classes, order = [], []
    for code in sorted(split, key=lambda c: (SPLITS.index(split[c]), c)):
        shuffled = sorted(places[code], key=lambda i, code=code: _hash(code, int(faces[i])))
        chosen = sorted(shuffled[: sizes[code]])
        order += chosen
        classes.append(
            {"code": f"{code:04x}", "split": split[code], "typefaces": faces[chosen].tolist()}
        )
    return classes, order


def _sizes(available: dict[int, int], images: int) -> dict[int, int]:
    """Give each class five images, and a sixth to the first that have one, up to ``images``."""
    spare, sizes = images - MIN_TYPEFACES * len(available), {}
    for code, count in available.items():
        more = min(max(spare, 0), min(count, MOST_IMAGES) - MIN_TYPEFACES)
        sizes[code], spare = MIN_TYPEFACES + more, spare - more
    return sizes


def _write(folder: Path, index: dict[str, Any], ink: np.ndarray) -> Path:
    """Write the packed file, and beside it the table and the sheet that people look at."""
    path = folder / FILE
    grey = to_grey(ink)
    distorted = distort(grey, seeds(index))
    write_packed(path, index | {"distorted_crc32": checksum(distorted)}, ink)
    table, sheet = _table(index), _contact_sheet(index["classes"], grey, distorted)
    write_atomically(
        folder / "typefaces.tsv", lambda file: file.write_text(table, encoding="utf-8")
    )
    write_atomically(
        folder / "contact_sheet.png", lambda file: sheet.save(file, "PNG", optimize=True)
    )
    return path


def _table(index: dict[str, Any]) -> str:
    """Write the typefaces as tab-separated text, with the number of images of each."""
    used = np.bincount([t for c in index["classes"] for t in c["typefaces"]])
    used = np.pad(used, (0, len(index["typefaces"]) - len(used)))
    rows = [(*index["sources"][0], "images")]
    rows += [(*s.values(), str(n)) for s, n in zip(index["sources"], used.tolist(), strict=True)]
    return "".join("\t".join(row) + "\n" for row in rows)


def _contact_sheet(
    classes: list[dict[str, Any]], grey: np.ndarray, distorted: np.ndarray
) -> Image.Image:
    """Draw some training classes: a row a class, its glyphs as they are and distorted."""
    rows = classes_to_show(classes, "typefaces", _ROWS)
    most = max(len(c["typefaces"]) for _, c in rows)
    sheet = Image.new("L", (_NAME + 2 * _CELL * most + _GAP, _CELL * len(rows) + 8), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for row, (first, shown) in enumerate(rows):
        top = 4 + _CELL * row
        pen.text((8, top + 24), f"U+{shown['code'].upper()}", 0, font)
        for i in range(len(shown["typefaces"])):
            sheet.paste(_cell(grey[first + i]), (_NAME + _CELL * i, top))
            sheet.paste(_cell(distorted[first + i]), (_NAME + _GAP + _CELL * (most + i), top))
    return sheet


def _cell(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image).resize((64, 64), Image.Resampling.NEAREST)
