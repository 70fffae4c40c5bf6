"""The packed file ``emoji.zip``: lossless WebP sheets and an index.

``index.json`` describes the classes in the order of the images; ``sheet-000.webp``, … hold 64
images each, eight in a row. Zip checks each entry by its CRC-32; the index has one of all pixels.
"""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from recallkit.data.archive import read_entry, zip_entry
from recallkit.data.cache import checksum
from recallkit.files import write_atomically

FILE = "emoji.zip"
FORMAT = "recallkit emoji 1"
SIDE = 64  # pixels

_COLUMNS, _SHEET = 8, 64  # images in a row, images of a sheet
_THREADS = 4


def write_packed(path: Path, index: dict[str, Any], images: np.ndarray) -> None:
    """Write ``emoji.zip``; the same data give the same bytes.

    Args:
        path: of the file.
        index: its classes, and what else shall be kept; format, number of images and checksum are
            added.
        images: (N, 4, 64, 64) uint8, in the order of the classes.

    Raises:
        RecallkitError: if it cannot be written.
    """
    index = {"format": FORMAT, "images": len(images), "crc32": checksum(images), **index}

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w") as archive:
            text = json.dumps(index, ensure_ascii=False, indent=1)
            archive.writestr(zip_entry("index.json"), text, zipfile.ZIP_DEFLATED)
            starts = range(0, len(images), _SHEET)
            for number, start in enumerate(tqdm(starts, desc="packing", unit="sheet")):
                sheet = to_webp(_to_sheet(images[start : start + _SHEET]))
                archive.writestr(zip_entry(_sheet_name(number)), sheet)

    write_atomically(path, write)


def read_images(archive: zipfile.ZipFile, index: dict[str, Any]) -> np.ndarray:
    """Decode all images, (N, 4, 64, 64) uint8, with a progress bar if it takes more than 2 s.

    Raises:
        ValueError: if they are not those that were packed.
    """
    images = np.empty((index["images"], 4, SIDE, SIDE), np.uint8)

    def decode(number: int) -> None:
        of_sheet = images[number * _SHEET : (number + 1) * _SHEET]
        of_sheet[:] = _from_sheet(read_entry(archive, _sheet_name(number)))[: len(of_sheet)]

    sheets = range(-(-len(images) // _SHEET))
    with ThreadPoolExecutor(_THREADS) as pool:  # decoding releases Python's lock
        for _ in tqdm(
            pool.map(decode, sheets), "decoding emoji", len(sheets), delay=2, leave=False
        ):
            pass
    if checksum(images) != index["crc32"]:
        raise ValueError("its pixels do not match their checksum")
    return images


def _sheet_name(number: int) -> str:
    return f"sheet-{number:03}.webp"


def _to_sheet(images: np.ndarray) -> np.ndarray:
    """(n, 4, 64, 64) → (rows · 64, 8 · 64, 4), empty places transparent."""
    rows = -(-len(images) // _COLUMNS)
    cells = np.zeros((rows * _COLUMNS, 4, SIDE, SIDE), np.uint8)
    cells[: len(images)] = images
    grid = cells.reshape(rows, _COLUMNS, 4, SIDE, SIDE).transpose(0, 3, 1, 4, 2)
    return grid.reshape(rows * SIDE, _COLUMNS * SIDE, 4)


def _from_sheet(webp: bytes) -> np.ndarray:
    """The bytes of a sheet → (rows · 8, 4, 64, 64)."""
    with Image.open(io.BytesIO(webp), formats=["WEBP"]) as image:
        sheet = np.asarray(image.convert("RGBA"))
    grid = sheet.reshape(-1, SIDE, _COLUMNS, SIDE, 4).transpose(0, 2, 4, 1, 3)
    return grid.reshape(-1, 4, SIDE, SIDE)


def to_webp(sheet: np.ndarray) -> bytes:
    """Compress a sheet as lossless WebP.

    ``exact`` keeps the colours of fully transparent pixels, which are all zero.
    """
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", lossless=True, exact=True, quality=80, method=4)
    return buffer.getvalue()
