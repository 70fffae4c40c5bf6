"""A picture of some classes: a row a class, a column a foundry."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageDraw, ImageFont, features
from tqdm import tqdm

from recallkit.data.emoji import FILE
from recallkit.data.emoji.archive import write_packed
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
from recallkit.files import replacing

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


VALIDATION_CLASSES = 100


SPLIT_SEED = 0


SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Drawing:
    """One foundry's icon of one emoji."""

    code: str
    foundry: str
    icon: str


def build(output: Path, sources: Path | None = None) -> Path:
    """Make the emoji set.

    Args:
        output: the folder to write ``emoji.zip``, ``classes.tsv`` and ``contact_sheet.webp`` to.
        sources: a folder with the packages as ``npm pack`` names them; by default npm gets them.

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
    """All drawings of emoji that four or more foundries draw, by code, then foundry."""
    by_code = defaultdict(list)
    for foundry, icons in sets.items():
        for code, icon in match(foundry, icons, names).items():
            if code in emoji:
                by_code[code].append(Drawing(code, foundry, icon))
    return [
        d for code in sorted(by_code) for d in by_code[code] if len(by_code[code]) >= MIN_DRAWINGS
    ]


def _render_all(sets: dict[str, IconSet], drawings: list[Drawing]) -> np.ndarray:
    """(N, 64, 64, 4) uint8 RGBA.

    Raises:
        RecallkitError: if there is nothing to render.
    """
    if not drawings:
        raise RecallkitError(f"no emoji has {MIN_DRAWINGS} drawings in the packages.")
    bar = tqdm(drawings, desc="rendering", unit="drawing")
    return np.stack([render(sets[d.foundry], d.icon) for d in bar])


def split_classes(codes: list[str]) -> dict[str, str]:
    """Code → split: half the classes test, of the others 100 validation, the rest train.

    The order that decides is that of a hash of code and seed, which no library version changes.
    """
    key = {c: hashlib.sha256(f"{SPLIT_SEED}:{c}".encode()).digest() for c in codes}
    shuffled = sorted(codes, key=key.__getitem__)
    test, validation = len(codes) // 2, min(VALIDATION_CLASSES, len(codes) // 4)
    parts = ["test"] * test + ["validation"] * validation
    parts += ["train"] * (len(codes) - len(parts))
    return dict(zip(shuffled, parts, strict=True))


def _arrange(drawings: list[Drawing], emoji: dict[str, Emoji]) -> tuple[list[dict], list[int]]:
    """The classes by split, then code, and the indices of their drawings in that order."""
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
    """The versions that decide the bytes."""
    packages = [f"{p.name} {p.version}" for p in (*FOUNDRIES.values(), CHARACTERS)]
    pillow = f"Pillow {PIL.__version__}, libwebp {features.version('webp')}"
    return [*packages, renderer, pillow]


def _write(folder: Path, index: dict, images: np.ndarray) -> Path:
    """Write the packed file and what people read beside it."""
    path = folder / FILE
    write_packed(path, index, images)
    with replacing(folder / "classes.tsv") as temporary:
        temporary.write_text(_table(index["classes"]), encoding="utf-8")
    write_contact_sheet(folder / "contact_sheet.webp", index["classes"], images)
    return path


def _table(classes: list[dict]) -> str:
    """The classes as tab-separated text."""
    rows = [("label", "name", "code", "category", "split", "foundries")]
    for label, c in enumerate(classes):
        foundries = " ".join(c["foundries"])
        rows.append((str(label), c["name"], c["code"], c["category"], c["split"], foundries))
    return "".join("\t".join(row) + "\n" for row in rows)
