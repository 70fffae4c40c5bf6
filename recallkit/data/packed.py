"""What the packed files of the embedded data sets share: zip archives with an index."""

import json
import zipfile


def read_index(archive: zipfile.ZipFile, expected: str) -> dict:
    """The index of a packed file.

    Args:
        archive: the file.
        expected: the format that the index must name.

    Raises:
        ValueError: if the archive is not of this format.
    """
    index = json.loads(archive.read("index.json"))
    if not isinstance(index, dict) or index.get("format") != expected:
        raise ValueError(f"its index does not say {expected!r}")
    return index


def entry(name: str) -> zipfile.ZipInfo:
    """A zip entry with a fixed date: the same data give the same bytes."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
