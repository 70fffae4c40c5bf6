"""Image files that are large, damaged, or say that they are larger than any memory."""

import io
import json
import os
import struct
import subprocess
import sys
import warnings
import zlib

import pytest
from PIL import Image

from recallkit.data.image_files import ImageFiles, read_image, read_photograph
from recallkit.data.opening import MOST_BYTES, MOST_PIXELS
from recallkit.errors import RecallkitError
from tests.helpers.made_images import RGB, chunk, png, tiff


def jpeg(width, height):
    sizes = b"\xff\xc0\0\x11\x08" + struct.pack(">HH", height, width)
    scan = b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0"
    head = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    return head + sizes + b"\3\1\x22\0\2\x11\1\3\x11\1" + scan


def gif(width, height):
    frame = b",\0\0\0\0" + struct.pack("<HHB", width, height, 0)
    return b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0) + frame + b"\x08\x01\x00\x00;"


def bmp(width, height):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)
    return b"BM" + struct.pack("<IHHI", 2**32 - 1, 0, 0, 54) + header


def webp():
    frame = b"VP8L" + struct.pack("<I", 255) + b"\x2f" + b"\xff" * 20
    head = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xff" * 6  # 2²⁴ × 2²⁴ pixels
    return b"RIFF" + struct.pack("<I", 0xFFFFFFF0) + head + frame


def ico():
    inside = png((50_000, 50_000), [], 8, RGB)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inside), 22) + inside


SGI = struct.pack(">hBBHHHH", 474, 0, 1, 3, 65535, 65535, 3)
PSD = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 300_000, 300_000, 8, 3) + b"\0" * 14
J2K = b"\xff\x4f\xff\x51" + struct.pack(">HHIIIIIIIIH", 41, 0, *[2**31, 2**31, 0, 0] * 2, 1)
TILE = {256: 1000, 257: 1000, 259: 8, 322: 2**15, 323: 2**15, 324: 400, 325: 100}
LARGE = {
    "50000.png": png((50_000, 50_000), [], 8, RGB),
    "largest.png": png((2**31 - 1, 2**31 - 1), [], 16, RGB),
    "largest.jpg": jpeg(65_500, 65_500),
    "frame.gif": gif(65_535, 65_535),
    "strips.tif": tiff({256: 2**32 - 1, 257: 2**32 - 1}, b""),
    "tiles.tif": tiff(TILE, b"\0" * 100),
    "vp8x.webp": webp(),
    "largest.bmp": bmp(2**31 - 1, 2**31 - 1),
    "from below.bmp": bmp(100, -(2**31)),
    "text.ppm": b"P6 9999999999 9999999999 255\n",
    "x.tga": struct.pack("<BBBHHBHHHHBB", 0, 0, 2, *[0] * 5, 65535, 65535, 24, 0),
    "x.psd": PSD,
    "x.qoi": b"qoif" + struct.pack(">IIBB", 2**32 - 1, 2**32 - 1, 3, 0),
    "x.sgi": SGI + b"\0" * 600,
    "icon.ico": ico(),
    "x.j2k": J2K + b"\7\1\1",
    "x.xbm": b"#define x_width 999999\n#define x_height 999999\nstatic char x_bits[] = {\n0x00",
    "x.ras": struct.pack(">8I", 0x59A66A95, 2**31, 2**31, 24, 0, 1, 0, 0),
}
STRIP = {256: 1000, 257: 1000, 279: 2**32 - 1}
DAMAGED = {
    "empty.png": b"",
    "words.jpg": b"this is not an image" * 20,
    "zeros.png": b"\0" * 2000,
    "no pixels.png": png((0, 10), []),
    "no pixels.ppm": b"P6 0 10 255\n",
    "without end.png": png((40, 40), [bytes(range(40))] * 40)[:-40],
    "one strip.tif": tiff(STRIP, b"\0" * 50),
    "packed strip.tif": tiff(STRIP | {259: 8}, b"\0" * 50),
    "bare.png": b"\x89PNG\r\n\x1a\n",
    "page.html.png": b"<!DOCTYPE html><html>not found</html>",
}
READ_ALL = """
import json, resource, sys, time, warnings
from pathlib import Path
from recallkit.data.image_files import read_image, read_photograph
from recallkit.errors import RecallkitError
warnings.simplefilter("ignore")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before, messages, begun = peak(), {}, time.process_time()
for path in sorted(Path(sys.argv[1]).iterdir()):
    for read in (read_image, lambda path: read_photograph(path, 16)):
        try:
            read(path)
            messages[path.name] = "read"
        except RecallkitError as error:
            messages[path.name] = str(error)
print(json.dumps([peak() - before, time.process_time() - begun, messages]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is of Unix")
def test_what_a_header_says_takes_neither_memory_nor_time(tmp_path):
    for name, content in (LARGE | DAMAGED).items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, tmp_path], capture_output=True, check=True, text=True
    )
    megabytes, seconds, messages = json.loads(done.stdout)
    assert megabytes < 100
    assert seconds < 30  # pixels unpacked by the gigabyte would take minutes
    assert set(messages) == {*LARGE, *DAMAGED}
    for name, message in messages.items():
        assert message.startswith(str(tmp_path / name))
        assert ("is too large to be read" in message) == (name in LARGE)
        assert ("It is damaged or" in message) == (name in DAMAGED)


def whole(width, height):
    """A PNG file of white pixels, one bit each, made without the pixels."""
    packing = zlib.compressobj(1)
    rows = b"\0" + b"\xff" * (width // 8)
    block = rows * 100
    pixels = b"".join(packing.compress(block) for _ in range(height // 100)) + packing.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_large_image_is_read_without_a_warning(tmp_path):
    width, height = 16_000, 12_000  # 192 megapixels: more than Pillow allows by itself
    (tmp_path / "large.png").write_bytes(whole(width, height))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = read_image(tmp_path / "large.png", 16)
    assert (read[:3, 2:14] == 255).all()


def test_an_image_beyond_the_limit_is_not_called_damaged(tmp_path):
    (tmp_path / "huge.png").write_bytes(whole(24_000, 12_000))
    assert MOST_PIXELS < 24_000 * 12_000
    remedy = r"huge\.png is too large.*24,000 × 12,000 pixels, the limit is 268,435,456.*smaller"
    with pytest.raises(RecallkitError, match=remedy) as raised:
        read_image(tmp_path / "huge.png")
    assert "damaged" not in str(raised.value)


def test_a_file_beyond_the_limit_is_not_opened(tmp_path):
    with open(tmp_path / "huge.webp", "wb") as file:
        file.write(webp())
        file.truncate(MOST_BYTES + 1)  # takes no room on the disk
    with pytest.raises(RecallkitError, match=r"huge\.webp is too large.*2,147,483,649 bytes"):
        read_image(tmp_path / "huge.webp")


FORMATS_TO_CUT = [
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "PPM",
    "TGA",
    "JPEG2000",
    "PCX",
    "SGI",
]


@pytest.mark.parametrize("name", FORMATS_TO_CUT)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_named(tmp_path, name, share):
    content = io.BytesIO()
    Image.effect_noise((60, 60), 90).convert("RGB").save(content, name)
    path = tmp_path / f"cut.{name.lower()}"
    path.write_bytes(content.getvalue()[: int(share * len(content.getvalue()))])
    with pytest.raises(RecallkitError, match=rf"cut\.{name.lower()} cannot be read as an image"):
        read_image(path)


def test_an_upload_is_read_like_a_file(tmp_path):
    Image.effect_noise((20, 30), 90).save(tmp_path / "x.png")
    upload = io.BytesIO((tmp_path / "x.png").read_bytes())
    assert read_image(upload, 16).tolist() == read_image(tmp_path / "x.png", 16).tolist()
    with pytest.raises(RecallkitError, match="the image cannot be read as an image"):
        read_image(io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0"))


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(RecallkitError, match=r"folder\.png is not a file"):
        read_image(tmp_path / "folder.png")
    with pytest.raises(RecallkitError, match=r"there is no image .*gone\.png"):
        read_photograph(tmp_path / "gone.png", 16)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(RecallkitError, match=r"pipe\.png is not a file"):
        read_image(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "does not fit into memory"),
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
    ],
)
def test_what_is_no_fault_of_the_image_is_not_called_damage(tmp_path, monkeypatch, error, text):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")

    def fail(*_):
        raise error

    monkeypatch.setattr("recallkit.data.image_files.decoded", fail)
    with pytest.raises(RecallkitError, match=rf"x\.png {text}") as raised:
        ImageFiles([tmp_path / "x.png"], 4).to("cpu")
    assert "damaged" not in str(raised.value)
