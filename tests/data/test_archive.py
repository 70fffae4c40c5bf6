"""Packed files: what is made up or damaged is an error that names the file."""

import json
import lzma
import struct
import tracemalloc
import zipfile

import pytest

from recallkit.data import archive
from recallkit.data.archive import open_packed, read_entry, unpack_xz
from recallkit.errors import RecallkitError


def packed(path, **entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def test_an_entry_is_read(tmp_path):
    with zipfile.ZipFile(packed(tmp_path / "x.zip", a=b"abc" * 1000, b=b"")) as file:
        assert read_entry(file, "a") == b"abc" * 1000
        assert read_entry(file, "b") == b""
        with pytest.raises(KeyError):
            read_entry(file, "c")


def index_of(path):
    with open_packed(path, "glyphs", "glyphs-1") as opened:
        return opened.index


def test_the_index_is_read(tmp_path):
    index = {"format": "glyphs-1", "images": 3}
    assert index_of(packed(tmp_path / "x.zip", **{"index.json": json.dumps(index)})) == index


def test_a_bomb_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_UNPACKED", 2**20)
    bomb = packed(tmp_path / "glyphs.zip", **{"index.json": b" " * (2**20 + 1)})
    assert bomb.stat().st_size < 2**12
    with pytest.raises(RecallkitError, match=r"glyphs\.zip is damaged.*1,048,577 bytes"):
        index_of(bomb)


def test_an_entry_that_says_to_be_small_is_unpacked_no_further(tmp_path):
    path, size = tmp_path / "glyphs.zip", 200_000_000
    deflated = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", deflated) as file, file.open("index.json", "w") as entry:
        for _ in range(200):
            entry.write(b" " * 1_000_000)
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 100)))
    tracemalloc.start()
    with pytest.raises(RecallkitError, match=r"glyphs\.zip is damaged"):
        index_of(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b'{"format": "other"}'])
def test_an_index_of_another_kind(tmp_path, content):
    with pytest.raises(RecallkitError, match=r"x\.zip is damaged or is not the glyphs data"):
        index_of(packed(tmp_path / "x.zip", **{"index.json": content}))


def test_xz_is_unpacked_up_to_a_size():
    content = bytes(range(256)) * 100
    stream = lzma.compress(content)
    assert unpack_xz(stream, len(content)) == content
    assert unpack_xz(stream, 300) == content[:300]
    assert len(unpack_xz(stream[: len(stream) // 2], len(content))) < len(content)
    with pytest.raises(lzma.LZMAError):
        unpack_xz(b"not packed" * 10, 10)
