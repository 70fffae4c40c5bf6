"""The packed file: a zip of lossless WebP sheets and an index.

``index.json`` describes the classes in the order of the images; ``sheet-000.webp``, … hold 64
images each, eight in a row. Zip checks each part by its CRC-32; the index has one of all pixels.
"""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from recallkit.data.cache import checksum, entry
from recallkit.files import replacing

FORMAT = "recallkit emoji 1"


_COLUMNS, _SHEET, _SIDE = 8, 64, 64


_THREADS = 4


def write_packed(path: Path, index: dict, images: np.ndarray) -> None:
    """Write ``images``, (N, 4, 64, 64) uint8, and ``index``, to which the format is added."""
    index = {"format": FORMAT, "images": len(images), "crc32": checksum(images), **index}
    text = json.dumps(index, ensure_ascii=False, indent=1)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(entry("index.json"), text, zipfile.ZIP_DEFLATED)
        starts = range(0, len(images), _SHEET)
        for number, start in enumerate(tqdm(starts, desc="packing", unit="sheet")):
            sheet = _webp(_to_sheet(images[start : start + _SHEET]))
            archive.writestr(entry(_sheet_name(number)), sheet)


def read_images(archive: zipfile.ZipFile, index: dict) -> np.ndarray:
    """All images, (N, 4, 64, 64) uint8; shows progress if it takes more than 2 s.

    Raises:
        ValueError: if they are not those that were packed.
    """
    images = np.empty((index["images"], 4, _SIDE, _SIDE), np.uint8)

    def decode(number: int) -> None:
        part = images[number * _SHEET : (number + 1) * _SHEET]
        part[:] = _from_sheet(archive.read(_sheet_name(number)))[: len(part)]

    sheets = range(-(-len(images) // _SHEET))
    with ThreadPoolExecutor(_THREADS) as pool:  # decoding leaves Python's lock
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
    cells = np.zeros((rows * _COLUMNS, 4, _SIDE, _SIDE), np.uint8)
    cells[: len(images)] = images
    grid = cells.reshape(rows, _COLUMNS, 4, _SIDE, _SIDE).transpose(0, 3, 1, 4, 2)
    return grid.reshape(rows * _SIDE, _COLUMNS * _SIDE, 4)


def _from_sheet(webp: bytes) -> np.ndarray:
    """The bytes of a sheet → (rows · 8, 4, 64, 64)."""
    with Image.open(io.BytesIO(webp), formats=["WEBP"]) as image:
        sheet = np.asarray(image.convert("RGBA"))
    grid = sheet.reshape(-1, _SIDE, _COLUMNS, _SIDE, 4).transpose(0, 2, 4, 1, 3)
    return grid.reshape(-1, 4, _SIDE, _SIDE)


def _webp(sheet: np.ndarray) -> bytes:
    """A sheet as lossless WebP; ``exact`` keeps the colours under full transparency, all zero."""
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", lossless=True, exact=True, quality=80, method=4)
    return buffer.getvalue()
