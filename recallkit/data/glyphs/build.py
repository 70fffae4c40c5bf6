"""A picture of some classes: a row a class, its glyphs as they are and distorted."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from recallkit.data.cache import checksum
from recallkit.data.glyphs import FILE, seeds
from recallkit.data.glyphs.archive import SIDE, to_grey, write_packed
from recallkit.data.glyphs.clean import MIN_TYPEFACES, clean
from recallkit.data.glyphs.distortion import distort
from recallkit.data.glyphs.render import Renderer, characters, made_with
from recallkit.data.glyphs.sources import Typeface, copy_licences, find, find_own, unpacked
from recallkit.errors import RecallkitError
from recallkit.files import replacing

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


CLASSES = 22_634  # as many as Stanford Online Products has, which has 120,053 images


TRAIN_IMAGES, TEST_IMAGES = 60_379, 60_265  # at most; those of validation count as train


MOST_IMAGES = 6  # of a class


VALIDATION_CLASSES = 1000


FEWEST_CLASSES = 6


SEED = 0


SPLITS = ("train", "validation", "test")


def build(output: Path, sources: Path | None = None, fonts: Path | None = None) -> Path:
    """Make the glyphs.

    Args:
        output: the folder to write ``glyphs.zip``, ``typefaces.tsv``, ``contact_sheet.png`` and,
            unless ``fonts`` is given, ``licences/`` to.
        sources: a folder with the packages as ``apt-get download`` names them; by default apt
            gets them.
        fonts: a folder with typefaces of one's own to take instead.

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
    """All glyphs: codes (N,), numbers of typefaces (N,), ink (N, 32, 32) uint8 in 0 … 15."""
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
    """Code → split of at most :data:`CLASSES` characters; the others are left out.

    Half are test, of the other half 1,000 (at most a quarter) validation, the rest train. The
    order that decides is that of a hash of seed and code point, which no library version changes.
    """
    chosen = sorted(codes, key=lambda code: _hash(code))[:CLASSES]
    test = len(chosen) // 2
    validation = min(VALIDATION_CLASSES, max(1, (len(chosen) - test) // 4))
    parts = ["test"] * test + ["validation"] * validation
    parts += ["train"] * (len(chosen) - len(parts))
    return dict(zip(chosen, parts, strict=True))


def _hash(*parts: int) -> bytes:
    return hashlib.sha256(":".join(map(str, (SEED, *parts))).encode()).digest()


def arrange(places: dict[int, list[int]], faces: np.ndarray) -> tuple[list[dict], list[int]]:
    """Choose classes and images.

    Args:
        places: code → indices of its images.
        faces: the number of the typeface of each image.

    Returns:
        The classes by split, then code; the indices of their images in that order.
    """
    split = split_classes(list(places))
    sizes = {}
    for part, images in ((("test",), TEST_IMAGES), (("train", "validation"), TRAIN_IMAGES)):
        sizes |= _sizes({c: len(places[c]) for c in split if split[c] in part}, images)
    classes, order = [], []
    for code in sorted(split, key=lambda c: (SPLITS.index(split[c]), c)):
        by_chance = sorted(places[code], key=lambda i, code=code: _hash(code, int(faces[i])))
        chosen = sorted(by_chance[: sizes[code]])
        order += chosen
        classes.append(
            {"code": f"{code:04x}", "split": split[code], "typefaces": faces[chosen].tolist()}
        )
    return classes, order


def _sizes(available: dict[int, int], images: int) -> dict[int, int]:
    """Images of each class: five, and a sixth for the first that have one until all are dealt."""
    spare, sizes = images - MIN_TYPEFACES * len(available), {}
    for code, count in available.items():
        more = min(max(spare, 0), min(count, MOST_IMAGES) - MIN_TYPEFACES)
        sizes[code], spare = MIN_TYPEFACES + more, spare - more
    return sizes


def _write(folder: Path, index: dict, ink: np.ndarray) -> Path:
    """Write the packed file and what people read beside it."""
    path = folder / FILE
    grey = to_grey(ink)
    distorted = distort(grey, seeds(index))
    write_packed(path, index | {"distorted_crc32": checksum(distorted)}, ink)
    with replacing(folder / "typefaces.tsv") as temporary:
        temporary.write_text(_table(index), encoding="utf-8")
    write_contact_sheet(folder / "contact_sheet.png", index["classes"], grey, distorted)
    return path


def _table(index: dict) -> str:
    """The typefaces as tab-separated text, with the number of images of each."""
    used = np.bincount([t for c in index["classes"] for t in c["typefaces"]])
    used = np.pad(used, (0, len(index["typefaces"]) - len(used)))
    rows = [(*index["sources"][0], "images")]
    rows += [(*s.values(), str(n)) for s, n in zip(index["sources"], used.tolist(), strict=True)]
    return "".join("\t".join(row) + "\n" for row in rows)
