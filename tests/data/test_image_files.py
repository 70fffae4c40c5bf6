"""Files in the place of a tensor of images."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from recallkit.data import image_files
from recallkit.data.image_files import (
    ImageFiles,
    fit_image,
    read_image,
    read_images,
    read_photograph,
    read_whole_photograph,
)
from recallkit.data.image_set import ImageSet
from recallkit.data.prefetch import BadImageError, Reading
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import embed, embed_pixels
from recallkit.networks import SmallConvNet


@pytest.fixture
def files(tmp_path):
    for i in range(7):
        Image.new("RGB", (30, 20), (30 * i, 0, 0)).save(tmp_path / f"{i}.png")
    return ImageFiles([tmp_path / f"{i}.png" for i in range(7)], side=16)


@pytest.mark.parametrize(
    "index", [slice(None), slice(2, 5), [5, 1], torch.tensor([6, 0, 0]), slice(3, 3)]
)
def test_indices_are_those_of_a_tensor(files, index):
    whole = torch.stack([files[i] for i in range(7)])
    assert files.shape == whole.shape
    assert torch.equal(files[index].to("cpu"), whole[index])


def test_chunks_cover_all(files):
    chunks = files.split(3)
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert torch.equal(torch.cat([chunk.to("cpu") for chunk in chunks]), files.to("cpu"))
    with pytest.raises(IndexError):
        files[7]


def test_the_middle_square_is_kept(tmp_path):
    wide = Image.new("RGB", (60, 20), "red")
    wide.paste("blue", (20, 0, 40, 20))
    wide.save(tmp_path / "wide.png")
    square = ImageFiles([tmp_path / "wide.png"], side=10)[0]
    assert (square[2, :, 1:-1] == 255).all()
    assert (square[0, :, 1:-1] == 0).all()


def test_the_test_of_the_benchmarks_is_resize_256_and_centre_crop_224(tmp_path):
    from torchvision.transforms import v2

    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 256, (3, 12, 16), generator=generator, dtype=torch.uint8)
    photograph = v2.functional.to_pil_image(v2.functional.resize(coarse, [384, 576]))
    photograph.save(tmp_path / "photograph.png")
    theirs = v2.functional.center_crop(v2.functional.resize(photograph, 256), [224, 224])
    ours = ImageFiles([tmp_path / "photograph.png"], side=224, margin=1 / 16)[0]
    difference = (v2.functional.pil_to_tensor(theirs).float() - ours.float()).abs()
    assert difference.max() <= 2  # of 255: they round twice


def test_networks_and_pixels_take_them_like_tensors(files):
    network = SmallConvNet(8)
    by_chunks, whole = (
        embed(network, images, 16, batch_size=3) for images in (files, files.to("cpu"))
    )
    assert torch.equal(by_chunks, whole)
    assert torch.equal(embed_pixels(files, 8), embed_pixels(files.to("cpu"), 8))
    images = ImageSet(files, torch.arange(7) // 2, {i: str(i) for i in range(4)})
    chosen = images.of_classes(torch.tensor([1, 3]))
    assert torch.equal(chosen.images.to("cpu"), files[[2, 3, 6]].to("cpu"))


def test_a_damaged_or_missing_image_is_named(files, tmp_path):
    content = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(content[:40])
    (tmp_path / "4.png").unlink()
    with pytest.raises(RecallkitError, match=r"3\.png cannot be read as an image"):
        files[3]
    with pytest.raises(RecallkitError, match=r"there is no image .*4\.png"):
        files[[4]].to("cpu")
    with pytest.raises(ValueError, match="side must be at least 1"):
        ImageFiles([], 0)


@pytest.mark.parametrize(
    "size", [(1000, 7), (7, 1000), (10000, 1), (1, 10000), (3000, 1), (640, 5)]
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_strip_stays_visible(tmp_path, size, suffix):
    Image.new("RGB", size, (200, 100, 50)).save(tmp_path / f"strip.{suffix}")
    read = read_image(tmp_path / f"strip.{suffix}", 64)
    inside = read[:, read[3] == 255]
    assert inside.shape == (4, 64)  # one pixel thick, from edge to edge
    assert (inside[:3].T - torch.tensor([200, 100, 50])).abs().max() <= 2
    whole = read_whole_photograph(tmp_path / f"strip.{suffix}", 64)
    assert sorted(whole.shape[1:]) == [1, 64]
    square = read_photograph(tmp_path / f"strip.{suffix}", 16, 1 / 16)
    assert (square.float().mean((1, 2)) - torch.tensor([200.0, 100, 50])).abs().max() <= 2


def test_a_strip_is_averaged(tmp_path):
    pixels = torch.zeros(7, 1400, 3, dtype=torch.uint8)
    pixels[3:] = 210
    Image.fromarray(pixels.numpy()).save(tmp_path / "strip.png")
    read = read_image(tmp_path / "strip.png", 64)
    assert (read[0, read[3] > 0].float() - 210 * 4 / 7).abs().max() < 15


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """12 megapixels with detail at every scale."""
    generator = torch.Generator().manual_seed(0)
    values = torch.zeros(1, 3, 750, 1000)
    for side in (6, 24, 96, 375):
        noise = torch.rand(1, 3, side, side * 4 // 3, generator=generator) - 0.5
        values += torch.nn.functional.interpolate(noise, (750, 1000), mode="bilinear") / side**0.5
    values = (values - values.min()) / (values.max() - values.min())
    pixels = (values[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    path = tmp_path_factory.mktemp("photograph") / "x.jpg"
    Image.fromarray(np.tile(pixels, (4, 4, 1))).save(path, quality=90)
    return path


@pytest.mark.parametrize("side", [64, 224, 500])
def test_a_jpeg_decoded_at_a_reduced_scale_is_as_good(photograph, side):
    with Image.open(photograph) as image:
        full = image.convert("RGB")
    pairs = [
        (read_image(photograph, side)[:3], fit_image(full, side)[:3]),
        (
            read_photograph(photograph, side, 1 / 16),
            torch.from_numpy(
                np.array(ImageOps.fit(full, (side, side), Image.Resampling.BILINEAR, 1 / 16))
            ).permute(2, 0, 1),
        ),
    ]
    for reduced, expected in pairs:
        difference = (reduced.float() - expected.float()).abs()
        assert difference.mean() < 1
        assert difference.max() <= 8


@pytest.mark.parametrize(
    ("read", "largest"),
    [(lambda path: read_image(path, 64), 500), (lambda path: read_photograph(path, 224), 1000)],
)
def test_a_jpeg_of_12_megapixels_is_not_decoded_whole(photograph, monkeypatch, read, largest):
    decoded, load = [], JpegImageFile.load

    def record(image):
        decoded.append(image.size)
        return load(image)

    monkeypatch.setattr(JpegImageFile, "load", record)
    read(photograph)
    assert decoded
    assert all(max(size) <= largest for size in decoded)


@pytest.mark.parametrize("kind", ["L", "CMYK", "MPO", "progressive", "turned"])
def test_every_kind_of_jpeg_is_decoded_at_a_reduced_scale(tmp_path, kind):
    pixels = np.linspace(20, 230, 900 * 1203).reshape(900, 1203).astype(np.uint8)
    image = Image.fromarray(pixels).convert(kind if kind in {"L", "CMYK"} else "RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {
        "MPO": {"format": "MPO", "save_all": True, "append_images": [image]},
        "progressive": {"progressive": True},
        "turned": {"exif": exif},
    }
    image.save(tmp_path / "x.jpg", quality=95, **options.get(kind, {}))
    with Image.open(tmp_path / "x.jpg") as opened:
        expected = fit_image(ImageOps.exif_transpose(opened).convert("RGB"), 64)
    difference = (read_image(tmp_path / "x.jpg", 64).float() - expected.float()).abs()
    assert difference.mean() < 1
    assert difference.max() <= 4


@pytest.mark.parametrize("side", [64, 100, 200, 400, 600])
def test_a_jpeg_is_decoded_twice_as_large_as_it_is_needed(tmp_path, monkeypatch, side):
    Image.new("RGB", (1600, 1200)).save(tmp_path / "x.jpg")
    sizes = []
    original = image_files.decoded

    def noting(image):
        result = original(image)
        sizes.append(result.size)
        return result

    monkeypatch.setattr(image_files, "decoded", noting)
    read_image(tmp_path / "x.jpg", side)
    read_photograph(tmp_path / "x.jpg", side, 1 / 16)
    assert min(1600, 2 * side) <= sizes[0][0]
    assert min(1200, 2 * side * 8 / 7) <= sizes[1][1]
    assert side != 64 or sizes == [(200, 150), (200, 150)]


class TestReadImages:
    """Many images for a data set."""

    def test_are_those_of_read_image_over_white(self, files):
        images, kept = read_images(files.paths, 16)
        assert kept == list(range(7))
        assert images.shape == (7, 3, 16, 16)
        alone = torch.stack([read_image(path, 16) for path in files.paths])
        assert torch.equal(images, flattened(alone))

    def test_keep_alpha_if_one_is_transparent(self, files, tmp_path):
        Image.new("RGBA", (9, 30), (5, 200, 5, 100)).save(tmp_path / "glass.png")
        paths = [*files.paths[:3], tmp_path / "glass.png", *files.paths[3:]]
        images, _ = read_images(paths, 16)
        assert torch.equal(images, torch.stack([read_image(path, 16) for path in paths]))

    def test_skip_or_name_the_bad_ones(self, files, tmp_path):
        (tmp_path / "2.png").write_bytes(b"")
        (tmp_path / "5.png").write_bytes(b"not an image")
        with pytest.raises(BadImageError, match=r"(?s)2 of 7 images.*skip.*2\.png.*5\.png"):
            read_images(files.paths, 16)
        reading = Reading(on_bad_image="skip")
        images, kept = read_images(files.paths, 16, reading)
        assert kept == [0, 1, 3, 4, 6]
        assert [int(image[0, 8, 8]) for image in images] == [30 * i for i in kept]
        assert len(reading.bad) == 2

    def test_stay_files_with_workers_or_where_they_do_not_fit(self, files, monkeypatch, capsys):
        images, kept = read_images(files.paths, 16, Reading(workers=1))
        assert isinstance(images, ImageFiles)
        assert not capsys.readouterr().err
        monkeypatch.setattr("recallkit.data.memory.available_memory", lambda: 100)
        files_of_disk, _ = read_images(files.paths, 16)
        assert isinstance(files_of_disk, ImageFiles)
        assert "from the disk" in capsys.readouterr().err
        assert kept == list(range(7))
        monkeypatch.undo()
        assert torch.equal(files_of_disk.to("cpu"), read_images(files.paths, 16)[0])

    @pytest.mark.parametrize("skipped", [range(7), [0]])
    def test_none_left(self, files, tmp_path, skipped):
        for i in skipped:
            (tmp_path / f"{i}.png").unlink()
        images, kept = read_images(files.paths, 16, Reading(on_bad_image="skip"))
        assert len(images) == len(kept) == 7 - len(skipped)

    @pytest.mark.skipif(sys.platform == "win32", reason="resource is of Unix")
    def test_are_filled_in_place(self, tmp_path):
        Image.new("RGB", (40, 60), "red").save(tmp_path / "x.png")
        done = subprocess.run(
            [sys.executable, "-c", PEAK, tmp_path / "x.png"],
            capture_output=True,
            check=True,
            text=True,
        )
        assert float(done.stdout) < 1.3


PEAK = """
import resource, sys
from pathlib import Path
from recallkit.data.image_files import read_images
paths = [Path(sys.argv[1])] * 1500
read_images(paths[:2], 224)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
images, _ = read_images(paths, 224)
print((peak() - before) / images.numel())
"""
