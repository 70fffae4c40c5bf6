"""The packed file: a zip of an index and of blocks of pixels, 4 bits each, compressed by LZMA.

``index.json`` describes the classes in the order of the splits; the pixels lie typeface by
typeface, which packs better, in blocks ``ink-00.xz``, … that threads unpack side by side. Two
pixels make a byte, the left one in its upper half: ink from 0 to 15.
"""

import json
import lzma
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recallkit.data.cache import checksum, entry
from recallkit.files import replacing

FORMAT = "recallkit glyphs 1"


SIDE = 32


_BYTES = SIDE * SIDE // 2  # of an image


_BLOCK = 16384  # images


_THREADS = 4


# Tuned on the glyphs: neither neighbouring bytes nor their place in a word tell much.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def to_grey(ink: np.ndarray) -> np.ndarray:
    """Ink from 0 to 15 as black on white: 255 to 0, uint8."""
    return 255 - 17 * ink


def file_order(classes: list[dict]) -> np.ndarray:
    """The images' places in the order of ``classes``, sorted as they lie in the file.

    That is by typeface; within one by class.
    """
    return np.argsort([face for c in classes for face in c["typefaces"]], kind="stable")


def write_packed(path: Path, index: dict, ink: np.ndarray) -> None:
    """Write ``ink``, (N, 32, 32) uint8 in 0 … 15 in the order of the classes, and ``index``.

    The index must have ``classes``, each with the numbers of its ``typefaces``; the format, the
    number of images and the checksum of the grey pixels are added.
    """
    index = {
        "format": FORMAT,
        "images": len(ink),
        "crc32": checksum(to_grey(ink)),
        **index,
    }
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    lying = ink[file_order(index["classes"])].reshape(-1, SIDE * SIDE)
    packed = lying[:, 0::2] << 4 | lying[:, 1::2]
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(entry("index.json"), text, zipfile.ZIP_DEFLATED)
        starts = range(0, len(packed), _BLOCK)
        for number, start in enumerate(tqdm(starts, desc="packing", unit="block")):
            block = packed[start : start + _BLOCK].tobytes()
            archive.writestr(entry(_name(number)), lzma.compress(block, filters=_FILTERS))


def read_images(archive: zipfile.ZipFile, index: dict) -> np.ndarray:
    """All images, (N, 32, 32) uint8, black on white, in the order of the classes.

    Raises:
        ValueError: if they are not those that were packed.
    """
    order = file_order(index["classes"])
    if len(order) != index["images"]:
        raise ValueError(f"its index tells of {len(order)} images, it has {index['images']}")
    images = np.empty((len(order), SIDE, SIDE), np.uint8)

    def unpack(number: int) -> None:
        places = order[number * _BLOCK : (number + 1) * _BLOCK]
        block = lzma.decompress(archive.read(_name(number)), lzma.FORMAT_XZ)
        packed = np.frombuffer(block, np.uint8).reshape(len(places), _BYTES)
        ink = np.stack([packed >> 4, packed & 15], axis=2)  # (n, 512, 2)
        images[places] = to_grey(ink).reshape(-1, SIDE, SIDE)

    with ThreadPoolExecutor(_THREADS) as pool:  # unpacking leaves Python's lock
        list(pool.map(unpack, range(-(-len(order) // _BLOCK))))
    if checksum(images) != index["crc32"]:
        raise ValueError("its pixels do not match their checksum")
    return images


def _name(number: int) -> str:
    return f"ink-{number:02}.xz"
