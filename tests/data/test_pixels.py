"""Pixels of every mode: scaled by the stated rule, or refused by name."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image

from recallkit.data.image_files import fit_image, read_image, read_photograph
from recallkit.errors import RecallkitError
from tests.helpers.made_images import GREY, GREY_ALPHA, PALETTE, RGB, chunk, png, tiff

SIDE = 64
RAMP = np.linspace(0, 65535, SIDE * SIDE).round().astype(np.uint16).reshape(SIDE, SIDE)
RIGHT = torch.from_numpy((RAMP / 257).round().astype(np.uint8))  # 65,535 = 255 · 257
BIG = [row.astype(">u2").tobytes() for row in RAMP]  # big-endian rows


def grey_of(path):
    image = read_image(path, SIDE)
    assert (image[:3] == image[0]).all()
    assert (image[3] == 255).all()
    return image[0]


def saved(image, path, **options):
    image.save(path, **options)
    return path


def written(path, content):
    path.write_bytes(content)
    return path


SIXTEEN_BITS = {
    "png": lambda p: written(p / "x.png", png((SIDE, SIDE), BIG, 16)),
    "tiff": lambda p: saved(Image.fromarray(RAMP), p / "x.tif"),
    "compressed tiff": lambda p: saved(Image.fromarray(RAMP), p / "x.tif", compression="tiff_lzw"),
    "big-endian tiff": lambda p: saved(
        Image.frombytes("I;16B", (SIDE, SIDE), b"".join(BIG)), p / "x.tif"
    ),
    "pgm": lambda p: written(p / "x.pgm", b"P5 64 64 65535\n" + b"".join(BIG)),
    "text pgm": lambda p: written(
        p / "x.pgm", b"P2 64 64 65535\n" + " ".join(map(str, RAMP.ravel())).encode()
    ),
    "jpeg 2000": lambda p: saved(Image.fromarray(RAMP), p / "x.jp2"),
    "png named jpg": lambda p: written(p / "x.jpg", png((SIDE, SIDE), BIG, 16)),
}


@pytest.mark.parametrize("kind", SIXTEEN_BITS)
def test_16_bit_grey_is_divided_by_257(tmp_path, kind):
    path = SIXTEEN_BITS[kind](tmp_path)
    assert torch.equal(grey_of(path), RIGHT)
    assert torch.equal(read_photograph(path, SIDE)[0], RIGHT)


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I;16N"])
def test_16_bit_grey_of_any_byte_order(mode):
    order = {"I;16B": ">u2", "I;16N": "=u2"}.get(mode, "<u2")
    image = Image.frombytes(mode, (SIDE, SIDE), RAMP.astype(order).tobytes())
    assert torch.equal(fit_image(image, SIDE)[0], RIGHT)


def test_white_is_what_a_tiff_file_says(tmp_path):
    pixels = RAMP.astype("<u2").tobytes()
    content = tiff({256: SIDE, 257: SIDE, 258: 16, 262: 0}, pixels)  # 0 is white, as in X-rays
    assert torch.equal(grey_of(written(tmp_path / "inverted.tif", content)), 255 - RIGHT)
    content = tiff({256: SIDE, 257: SIDE, 262: 0}, RIGHT.numpy().tobytes())
    assert torch.equal(grey_of(written(tmp_path / "inverted8.tif", content)), 255 - RIGHT)


def test_12_bits_have_their_white_at_4095(tmp_path):
    values = np.arange(4096).reshape(SIDE, SIDE)
    pairs = values.reshape(-1, 2)  # two pixels in three bytes
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] << 4 | pairs[:, 1] >> 8) & 255, pairs[:, 1]])
    content = tiff({256: SIDE, 257: SIDE, 258: 12}, packed.T.astype(np.uint8).tobytes())
    right = torch.from_numpy((values * (255 / 4095)).round().astype(np.uint8))
    assert torch.equal(grey_of(written(tmp_path / "12.tif", content)), right)


def test_levels_of_a_pgm_file_are_those_that_it_states(tmp_path):
    values = (np.arange(SIDE * SIDE) % 1001).astype(">u2")
    path = written(tmp_path / "x.pgm", b"P5 64 64 1000\n" + values.tobytes())
    right = torch.from_numpy(values.astype(np.int32).reshape(SIDE, SIDE)) * 0.255
    assert (grey_of(path).float() - right).abs().max() <= 0.51


@pytest.mark.parametrize("suffix", ["tif", "pfm"])
def test_floats_from_0_to_1_are_black_to_white(tmp_path, suffix):
    path = saved(Image.fromarray((RAMP / 65535).astype(np.float32)), tmp_path / f"x.{suffix}")
    assert torch.equal(grey_of(path), RIGHT)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([0, 1.01], "floating-point values from 0 to 1.01"),
        ([-1, 1], "floating-point values from -1 to 1"),
        ([0, 200], "floating-point values from 0 to 200"),
        ([0, np.nan], "not finite"),
        ([0, np.inf], "not finite"),
        ([-np.inf, 0], "not finite"),
    ],
)
def test_other_floats_are_refused_by_name(tmp_path, values, problem):
    path = saved(Image.fromarray(np.float32([values])), tmp_path / "depth.tif")
    with pytest.raises(RecallkitError, match=rf"depth\.tif.*{problem}.*mode F"):
        read_image(path)


@pytest.mark.parametrize("dtype", [np.int32, np.int16])
def test_integers_without_a_known_white_are_refused_by_name(tmp_path, dtype):
    image = Image.fromarray(np.arange(16, dtype=np.int32).reshape(4, 4))
    path = saved(image, tmp_path / "labels.tif")
    if dtype is np.int16:
        tags = {256: 4, 257: 4, 258: 16, 339: 2}  # signed
        path = written(path, tiff(tags, np.arange(-8, 8, dtype="<i2").tobytes()))
    with pytest.raises(RecallkitError, match=r"labels\.tif.*mode I.*8 or 16 bits"):
        read_image(path)
    with pytest.raises(ValueError, match="mode I"):
        fit_image(image)


def colours():
    generator = np.random.default_rng(0)
    small = generator.integers(40, 216, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small.repeat(16, 0).repeat(16, 1))


@pytest.mark.parametrize(
    ("mode", "suffix", "most"),
    [
        *[("CMYK", "jpg", 6), ("CMYK", "tif", 0), ("YCbCr", "tif", 3), ("LAB", "tif", 4)],
        *[
            ("RGBX", "tif", 0),
            ("RGBA", "png", 0),
            ("P", "gif", 0),
            ("P", "bmp", 0),
            ("RGB", "sgi", 0),
        ],
        *[("RGB", "pcx", 0), ("RGB", "tga", 0), ("RGB", "qoi", 0), ("RGB", "dib", 0)],
    ],
)
def test_colours_stay_colours(tmp_path, mode, suffix, most):
    options = {"palette": Image.Palette.ADAPTIVE} if mode == "P" else {}
    options_of_jpeg = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    path = saved(colours().convert(mode, **options), tmp_path / f"x.{suffix}", **options_of_jpeg)
    read = read_image(path, SIDE)
    right = torch.from_numpy(np.array(colours())).permute(2, 0, 1)
    assert (read[:3].int() - right.int()).abs().max() <= most
    assert (read[3] == 255).all()


@pytest.mark.parametrize("mode", ["HSV", "YCbCr", "LAB", "CMYK", "RGBX", "RGBa"])
def test_modes_that_only_programs_make(mode):
    source = colours().convert("RGBA") if mode == "RGBa" else colours()
    right = torch.from_numpy(np.array(colours())).permute(2, 0, 1)
    assert (fit_image(source.convert(mode), SIDE)[:3].int() - right.int()).abs().max() <= 8


def test_a_mode_without_a_rule_is_refused():
    image = Image.new("L", (4, 4))
    image._mode = "XYZ"  # as a later Pillow might have it
    with pytest.raises(ValueError, match="mode XYZ has no rule"):
        fit_image(image)


@pytest.mark.parametrize("kind", [RGB, GREY_ALPHA])
def test_colours_of_16_bits_are_at_most_1_off(tmp_path, kind):
    columns = [RAMP] * 3 if kind == RGB else [RAMP, np.full_like(RAMP, 65535)]
    rows = [row.astype(">u2").tobytes() for row in np.stack(columns, axis=2)]
    read = grey_of(written(tmp_path / "x.png", png((SIDE, SIDE), rows, 16, kind)))
    assert (read.int() - RIGHT.int()).abs().max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_grey_of_a_png_file(tmp_path, depth):
    levels = 2**depth
    values = np.arange(SIDE) * (levels - 1) // (SIDE - 1)
    row = int("".join(f"{v:0{depth}b}" for v in values), 2).to_bytes(SIDE * depth // 8, "big")
    transparent = int(values[20])
    colour = chunk(b"tRNS", struct.pack(">H", transparent))
    path = written(tmp_path / "x.png", png((SIDE, SIDE), [row] * SIDE, depth, GREY, colour))
    read = read_image(path, SIDE)
    assert ((read[3] == 0) == torch.from_numpy(values == transparent)).all()
    shown = read[0][read[3] > 0].reshape(SIDE, -1)
    right = (values[values != transparent] * (255 / (levels - 1))).round()
    assert torch.equal(shown, torch.from_numpy(right).to(torch.uint8).expand_as(shown))


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_colour_of_a_png_file(tmp_path, depth):
    dtype = ">u1" if depth == 8 else ">u2"
    pixel = [np.array(c, dtype).tobytes() for c in [(200, 10, 10), (10, 200, 10)]]
    if depth == 16:
        pixel = [np.array(c, dtype).tobytes() for c in [(51400, 0, 0), (0, 51400, 0)]]
    values = (200, 10, 10) if depth == 8 else (51400, 0, 0)
    colour = chunk(b"tRNS", struct.pack(">HHH", *values))
    content = png((8, 8), [b"".join(pixel * 4)] * 8, depth, RGB, colour)
    read = read_image(written(tmp_path / "x.png", content), 8)
    assert (read[3, :, ::2] == 0).all()
    assert (read[3, :, 1::2] == 255).all()
    assert (read[1, :, 1::2] == 200).all()


@pytest.mark.parametrize("alphas", [b"\0", b"\xff\0", bytes([255, 100, 0]), b""])
def test_a_palette_with_transparent_colours(tmp_path, alphas):
    palette = chunk(b"PLTE", bytes([250, 0, 0, 0, 250, 0, 0, 0, 250]))
    if alphas:
        palette += chunk(b"tRNS", alphas)
    content = png((6, 6), [bytes([0, 1, 2] * 2)] * 6, 8, PALETTE, palette)
    read = read_image(written(tmp_path / "x.png", content), 6)
    expected = list(alphas) + [255] * (3 - len(alphas))
    assert read[3, 0].tolist() == expected * 2
    assert all(read[i, 0, i] == 250 for i in range(3) if expected[i])


def test_transparent_pixels_of_a_photograph_are_white(tmp_path):
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((0, 0, 200, 255), (10, 0, 20, 20))
    read = read_photograph(saved(image, tmp_path / "x.png"), 20)
    assert (read[:, :, :10] == 255).all()
    assert read[:, 5, 15].tolist() == [0, 0, 200]


def test_a_transparent_gif_and_its_first_frame(tmp_path):
    frames = [Image.new("P", (8, 8), i) for i in (1, 2)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 250, 0, 0, 0, 250, 0])
        frame.paste(0, (0, 0, 4, 8))
    options = {"save_all": True, "append_images": frames[1:], "transparency": 0, "disposal": 2}
    read = read_image(saved(frames[0], tmp_path / "x.gif", **options), 8)
    assert (read[3, :, :4] == 0).all()
    assert read[:, 0, 7].tolist() == [250, 0, 0, 255]


@pytest.mark.parametrize(
    ("suffix", "format_"), [("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"), ("mpo", "MPO")]
)
def test_the_first_of_several_frames_is_read(tmp_path, suffix, format_):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((200, 0, 0), (0, 0, 200))]
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"x.{suffix}"
    frames[0].save(path, format_, save_all=True, append_images=frames[1:], **options)
    assert (read_image(path, 8)[:3, 4, 4] - torch.tensor([200, 0, 0])).abs().max() <= 2


UPRIGHT = np.kron(np.array([[250, 0], [0, 120]], np.uint8), np.ones((20, 30), np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "16.png", "16.tif"])
def test_every_orientation_is_obeyed(tmp_path, orientation, suffix):
    flip, turns = {
        1: (0, 0),
        2: (1, 0),
        3: (0, 2),
        4: (1, 2),
        5: (1, 3),
        6: (0, 1),
        7: (1, 1),
        8: (0, 3),
    }[orientation]
    stored = np.rot90(UPRIGHT, turns)  # against the clock; the tag says how to turn it back
    stored = stored[:, ::-1] if flip else stored
    if suffix.startswith("16"):
        stored = stored.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(stored)), tmp_path / f"x.{suffix}", exif=exif)
    read = read_image(path, 60)[0, 10:50].float()
    assert (read - torch.from_numpy(UPRIGHT).float())[2:-2, 2:-2].abs().mean() < 3


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\xff\xff", b"nothing", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\1"],
)
def test_damaged_exif_data_are_no_damage_of_the_pixels(tmp_path, exif):
    path = saved(Image.new("RGB", (20, 20), (250, 0, 0)), tmp_path / "x.jpg", exif=exif)
    assert read_image(path, 10)[0, 5, 5] > 240
