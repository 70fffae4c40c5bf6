"""Build the emoji set: match, render and clean the drawings, split the classes, write the files."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, ImageDraw, ImageFont, features
from tqdm import tqdm

from recallkit.data.contact_sheet import classes_to_show
from recallkit.data.emoji.archive import FILE, write_packed
from recallkit.data.emoji.clean import MIN_DRAWINGS, clean
from recallkit.data.emoji.match import Emoji, Names, emoji_classes, match
from recallkit.data.emoji.render import render, renderer_version
from recallkit.data.emoji.sources import (
    CHARACTERS,
    FOUNDRIES,
    IconSet,
    archives,
    read_characters,
    read_icon_set,
)
from recallkit.errors import RecallkitError
from recallkit.files import write_atomically

VALIDATION_CLASSES = 100
SPLIT_SEED = 0
SPLITS = ("train", "validation", "test")

_ROWS, _CELL, _NAME, _HEAD = 24, 72, 230, 28  # of the contact sheet: classes, then pixels


@dataclass(frozen=True)
class Drawing:
    """One foundry's icon of one emoji."""

    code: str
    foundry: str
    icon: str


def build(output: Path, sources: Path | None = None) -> Path:
    """Build the emoji set.

    Args:
        output: the folder to write ``emoji.zip``, ``classes.tsv`` and ``contact_sheet.webp`` to.
        sources: a folder with the packages as ``npm pack`` names them; by default npm fetches them.

    Returns:
        The path of the packed file.

    Raises:
        RecallkitError: if resvg, npm or a package is missing, or ``output`` cannot be written.
    """
    renderer = renderer_version()  # first: better to fail before the download
    with archives(sources) as folder:
        characters = read_characters(folder)
        sets = {f: read_icon_set(folder, package) for f, package in FOUNDRIES.items()}
    emoji = emoji_classes(characters)
    drawings = _match_all(sets, Names(sets, characters), emoji)
    pixels = _render_all(sets, drawings)
    kept = clean([d.code for d in drawings], pixels)
    classes, order = _arrange([drawings[i] for i in kept], emoji)
    images = pixels[kept][order].transpose(0, 3, 1, 2)  # (N, 4, 64, 64)
    return _write(Path(output), {"made_with": _made_with(renderer), "classes": classes}, images)


def _match_all(sets: dict[str, IconSet], names: Names, emoji: dict[str, Emoji]) -> list[Drawing]:
    """List the drawings of emoji that four or more foundries draw, by code, then foundry."""
    by_code = defaultdict(list)
    for foundry, icons in sets.items():
        for code, icon in match(foundry, icons, names).items():
            if code in emoji:
                by_code[code].append(Drawing(code, foundry, icon))
    return [
        d for code in sorted(by_code) for d in by_code[code] if len(by_code[code]) >= MIN_DRAWINGS
    ]


def _render_all(sets: dict[str, IconSet], drawings: list[Drawing]) -> np.ndarray:
    """Render the drawings, (N, 64, 64, 4) uint8 RGBA.

    Raises:
        RecallkitError: if there is nothing to render.
    """
    if not drawings:
        raise RecallkitError(f"no emoji has {MIN_DRAWINGS} drawings in the packages.")
    bar = tqdm(drawings, desc="rendering", unit="drawing")
    return np.stack([render(sets[d.foundry], d.icon) for d in bar])


def split_classes(codes: list[str]) -> dict[str, str]:
    """Assign a split to each code: half are test, of the others 100 validation, the rest train.

    Classes are ordered by a hash of seed and code, which no library version changes.
    """
    key = {c: hashlib.sha256(f"{SPLIT_SEED}:{c}".encode()).digest() for c in codes}
    shuffled = sorted(codes, key=key.__getitem__)
    test, validation = len(codes) // 2, min(VALIDATION_CLASSES, len(codes) // 4)
    splits = ["test"] * test + ["validation"] * validation
    splits += ["train"] * (len(codes) - len(splits))
    return dict(zip(shuffled, splits, strict=True))


def _arrange(
    drawings: list[Drawing], emoji: dict[str, Emoji]
) -> tuple[list[dict[str, Any]], list[int]]:
    """List the classes by split, then code, and the indices of their drawings in that order."""
    members = defaultdict(list)
    for index, drawing in enumerate(drawings):
        members[drawing.code].append(index)
    split = split_classes(sorted(members))
    codes = sorted(members, key=lambda c: (SPLITS.index(split[c]), c))
    classes = [
        {
            "name": emoji[code].name,
            "code": code,
            "category": emoji[code].category,
            "split": split[code],
            "foundries": [drawings[i].foundry for i in members[code]],
        }
        for code in codes
    ]
    return classes, [i for code in codes for i in members[code]]


def _made_with(renderer: str) -> list[str]:
    """Name the versions that decide the bytes."""
    packages = [f"{p.name} {p.version}" for p in (*FOUNDRIES.values(), CHARACTERS)]
    pillow = f"Pillow {PIL.__version__}, libwebp {features.version('webp')}"
    return [*packages, renderer, pillow]


def _write(folder: Path, index: dict[str, Any], images: np.ndarray) -> Path:
    """Write the packed file, and beside it the table and the sheet that people look at."""
    path, classes = folder / FILE, index["classes"]
    write_packed(path, index, images)
    table, sheet = _table(classes), _contact_sheet(classes, images)
    write_atomically(folder / "classes.tsv", lambda file: file.write_text(table, encoding="utf-8"))
    write_atomically(
        folder / "contact_sheet.webp",
        lambda file: sheet.save(file, "WEBP", quality=85, method=6),
    )
    return path


def _table(classes: list[dict[str, Any]]) -> str:
    """Write the classes as tab-separated text."""
    rows = [("label", "name", "code", "category", "split", "foundries")]
    for label, c in enumerate(classes):
        foundries = " ".join(c["foundries"])
        rows.append((str(label), c["name"], c["code"], c["category"], c["split"], foundries))
    return "".join("\t".join(row) + "\n" for row in rows)


def _contact_sheet(classes: list[dict[str, Any]], images: np.ndarray) -> Image.Image:
    """Draw some training classes: a row a class, a column a foundry."""
    rows = classes_to_show(classes, "foundries", _ROWS)
    size = (_NAME + _CELL * len(FOUNDRIES), _HEAD + _CELL * len(rows))
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for column, foundry in enumerate(FOUNDRIES):
        text = foundry.removesuffix("-flat")
        pen.text((_NAME + _CELL * column + 2, 8), text, "black", ImageFont.load_default(size=10))
    for row, (first, shown) in enumerate(rows):
        top = _HEAD + _CELL * row
        pen.text((8, top + 26), _short(shown["name"]), "black", font)
        _draw_row(sheet, top, shown["foundries"], images[first:])
    return sheet


def _draw_row(sheet: Image.Image, top: int, foundries: list[str], images: np.ndarray) -> None:
    """Paste the drawings of one class into the columns of their foundries."""
    for foundry, image in zip(foundries, images, strict=False):
        drawing = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        left = _NAME + _CELL * list(FOUNDRIES).index(foundry)
        sheet.paste(drawing, (left + 4, top + 4), drawing)


def _short(name: str, limit: int = 32) -> str:
    """Cut a name that would reach into the drawings."""
    return name if len(name) <= limit else name[: limit - 1] + "…"
