"""The packed file ``glyphs.zip``: an index, and blocks of pixels of 4 bits compressed by LZMA.

``index.json`` describes the classes in the order of the splits; the pixels lie typeface by
typeface, which packs better, in blocks ``ink-00.xz``, … that threads unpack side by side. Two
pixels make a byte, the left one in its upper half: ink from 0 to 15.
"""

import json
import lzma
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from recallkit.data.archive import read_entry, unpack_xz, zip_entry
from recallkit.data.cache import checksum
from recallkit.files import write_atomically

FILE = "glyphs.zip"
FORMAT = "recallkit glyphs 1"
SIDE = 32  # pixels
BLOCK = 16384  # images that are compressed together

_BYTES = SIDE * SIDE // 2  # of an image
_THREADS = 4

# Tuned on the glyphs: neither neighbouring bytes nor their place in a word tell much.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def to_grey(ink: np.ndarray) -> np.ndarray:
    """Turn ink from 0 to 15 into black on white: 255 to 0, uint8."""
    return 255 - 17 * ink


def file_order(classes: list[dict[str, Any]]) -> np.ndarray:
    """Return the places of the images in the order in which they lie in the file.

    Places count in the order of ``classes``. The file has them typeface by typeface, and within a
    typeface class by class.
    """
    return np.argsort([face for c in classes for face in c["typefaces"]], kind="stable")


def write_packed(path: Path, index: dict[str, Any], ink: np.ndarray) -> None:
    """Write ``glyphs.zip``; the same data give the same bytes.

    Args:
        path: of the file.
        index: its ``classes``, each with the numbers of its ``typefaces``, and what else shall be
            kept; format, number of images and checksum of the grey pixels are added.
        ink: (N, 32, 32) uint8 in 0 … 15, in the order of the classes.

    Raises:
        RecallkitError: if it cannot be written.
    """
    index = {"format": FORMAT, "images": len(ink), "crc32": checksum(to_grey(ink)), **index}
    ordered = ink[file_order(index["classes"])].reshape(-1, SIDE * SIDE)
    packed = ordered[:, 0::2] << 4 | ordered[:, 1::2]  # (N, 512), two pixels a byte

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w") as archive:
            text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
            archive.writestr(zip_entry("index.json"), text, zipfile.ZIP_DEFLATED)
            starts = range(0, len(packed), BLOCK)
            for number, start in enumerate(tqdm(starts, desc="packing", unit="block")):
                block = packed[start : start + BLOCK].tobytes()
                compressed = lzma.compress(block, filters=_FILTERS)
                archive.writestr(zip_entry(_block_name(number)), compressed)

    write_atomically(path, write)


def read_images(archive: zipfile.ZipFile, index: dict[str, Any]) -> np.ndarray:
    """Unpack all images, (N, 32, 32) uint8, black on white, in the order of the classes.

    Raises:
        ValueError: if they are not those that were packed.
    """
    order = file_order(index["classes"])
    images = np.empty((len(order), SIDE, SIDE), np.uint8)

    def unpack(number: int) -> None:
        places = order[number * BLOCK : (number + 1) * BLOCK]
        block = unpack_xz(read_entry(archive, _block_name(number)), len(places) * _BYTES)
        packed = np.frombuffer(block, np.uint8).reshape(len(places), _BYTES)
        ink = np.stack([packed >> 4, packed & 15], axis=2)  # (n, 512, 2)
        images[places] = to_grey(ink).reshape(-1, SIDE, SIDE)

    with ThreadPoolExecutor(_THREADS) as pool:  # unpacking releases Python's lock
        list(pool.map(unpack, range(-(-len(order) // BLOCK))))
    if checksum(images) != index["crc32"]:
        raise ValueError("its pixels do not match their checksum")
    return images


def _block_name(number: int) -> str:
    return f"ink-{number:02}.xz"
