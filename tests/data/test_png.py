"""PNG files with long texts and profiles: the pixels are whole."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from recallkit.data.image_files import read_image
from recallkit.data.png import is_png, without_text
from recallkit.errors import RecallkitError
from tests.helpers.made_images import RGB, chunk, png

ROWS = [bytes([10 * y, 100, 200] * 12) for y in range(8)]
LONG = b"a" * 2_000_000


def text(kind, content, keyword=b"workflow"):
    """A chunk of text of a kind: plain, packed, international, international and packed."""
    packed = zlib.compress(content)
    return {
        "tEXt": lambda: chunk(b"tEXt", keyword + b"\0" + content),
        "zTXt": lambda: chunk(b"zTXt", keyword + b"\0\0" + packed),
        "iTXt": lambda: chunk(b"iTXt", keyword + b"\0\0\0\0\0" + content),
        "iTXt, packed": lambda: chunk(b"iTXt", keyword + b"\0\1\0\0\0" + packed),
        "iCCP": lambda: chunk(b"iCCP", b"profile\0\0" + packed),
    }[kind]()


RIGHT = torch.tensor([[[10 * y] * 12, [100] * 12, [200] * 12, [255] * 12] for y in range(8)])
RIGHT = torch.nn.functional.pad(RIGHT.permute(1, 0, 2), (0, 0, 2, 2)).to(torch.uint8)


def read(content, folder):
    (folder / "x.png").write_bytes(content)
    return read_image(folder / "x.png", 12)


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "iTXt, packed", "iCCP"])
@pytest.mark.parametrize("keyword", [b"workflow", b"XML:com.adobe.xmp", b"Raw profile type exif"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_long_text_does_not_matter(tmp_path, kind, keyword, place):
    content = png((12, 8), ROWS, 8, RGB, **{place: text(kind, LONG, keyword)})
    assert torch.equal(read(content, tmp_path), RIGHT)


def test_many_texts_do_not_matter(tmp_path):
    many = b"".join(text("zTXt", b"b" * 1_000_000, b"k%d" % i) for i in range(80))  # 80 MB in all
    assert torch.equal(read(png((12, 8), ROWS, 8, RGB, before=many), tmp_path), RIGHT)


@pytest.mark.parametrize("damage", [b"zTXt", b"iCCP", b"tEXt"])
def test_a_damaged_text_does_not_matter(tmp_path, damage):
    broken = bytearray(chunk(damage, b"key\0\7 not packed"))
    broken[-1] ^= 255  # the checksum
    assert torch.equal(read(png((12, 8), ROWS, 8, RGB, before=bytes(broken)), tmp_path), RIGHT)


ORIENTED = {
    "xmp": text("iTXt", b'<x tiff:Orientation="6"/>', b"XML:com.adobe.xmp"),
    "packed xmp": text("iTXt, packed", b'<x tiff:Orientation="6"/>', b"XML:com.adobe.xmp"),
    "exif": chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"),
}


@pytest.mark.parametrize("kind", ORIENTED)
def test_a_short_text_may_say_how_the_image_is_turned(tmp_path, kind):
    content = png((12, 8), ROWS, 8, RGB, before=text("tEXt", LONG) + ORIENTED[kind])
    assert torch.equal(read(content, tmp_path), torch.rot90(RIGHT, -1, (1, 2)))


def test_what_is_kept():
    plain = png((12, 8), ROWS, 8, RGB)
    file = io.BytesIO(plain)
    assert without_text(file) is file
    assert (
        without_text(io.BytesIO(png((12, 8), ROWS, 8, RGB, before=text("tEXt", LONG)))).getvalue()
        == plain
    )
    assert is_png(plain[:16])
    assert not is_png(b"GIF89a")


class Counted(io.BytesIO):
    """A file that counts the bytes read from it."""

    bytes_read = 0

    def read(self, size=-1, /):
        content = super().read(size)
        self.bytes_read += len(content)
        return content


def test_what_is_dropped_is_not_read():
    file = Counted(png((12, 8), ROWS, 8, RGB, before=text("tEXt", LONG)))
    without_text(file)
    assert file.bytes_read < 2_000


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", struct.pack(">I4s", 2**32 - 1, b"tEXt"), struct.pack(">I4s", 2**31, b"IDAT")],
)
def test_a_chunk_that_is_longer_than_the_file(tmp_path, content):
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(RecallkitError, match=r"x\.png cannot be read as an image"):
        read_image(tmp_path / "x.png")


def test_threads_do_not_disturb_each_other(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(16)]
    for path in paths:
        path.write_bytes(png((12, 8), ROWS, 8, RGB, before=text("zTXt", LONG)))
    with ThreadPoolExecutor(4) as threads:
        images = list(threads.map(lambda path: read_image(path, 12), paths))
    assert all(torch.equal(image, RIGHT) for image in images)
