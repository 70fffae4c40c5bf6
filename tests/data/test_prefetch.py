"""Images decoded by workers: the same as in memory, however many decode, within a bound."""

import pytest
import torch
from PIL import Image

from recallkit.data import image_files, load, prefetch
from recallkit.data.image_files import ImageFiles
from recallkit.data.prefetch import Reading, decoded_batches, host_bytes
from recallkit.errors import RecallkitError


@pytest.fixture
def photos(tmp_path):
    generator = torch.Generator().manual_seed(0)
    for c in range(12):
        folder = tmp_path / "photos" / f"class{c:02}"
        folder.mkdir(parents=True)
        for i in range(4):
            pixels = torch.randint(0, 256, (12, 14, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / f"{i}.png")
    return tmp_path / "photos"


def files_of(photos, **options):
    return ImageFiles(sorted(photos.rglob("*.png")), 16, "contain", reading=Reading(**options))


def batches_of(files, asked):
    return decoded_batches(files, asked, files.reading)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_the_files_asked_for_as_uint8(photos, workers, monkeypatch):
    monkeypatch.setattr(prefetch, "TASK", 3)
    files = files_of(photos, workers=workers)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    asked = [[5, 1, 40, 7, 2, 9, 11], [0, 47], [3] * 6]
    for expected, (indices, images) in zip(asked, batches_of(files, asked), strict=True):
        assert indices == expected
        assert images.dtype == torch.uint8
        assert torch.equal(images, torch.stack([files[i] for i in indices]))
    assert torch.equal(before, torch.get_rng_state())  # workers take nothing from the generator


@pytest.mark.parametrize("workers", [0, 2])
def test_files_stand_for_a_tensor(photos, workers):
    files = files_of(photos, workers=workers)
    whole = torch.stack([files[i] for i in range(48)])
    assert files.shape == whole.shape
    assert len(files) == 48
    for size in (5, 48, 100):
        chunks = list(files.split(size))
        assert len(chunks) == len(files.split(size))
        assert all(map(torch.equal, chunks, whole.split(size)))
    chosen = files[torch.tensor([3, 40])]
    assert torch.equal(chosen[1], whole[40])


def test_batches_are_decoded_one_ahead_and_no_further(photos, monkeypatch):
    """What bounds host memory: one batch in use, one being filled."""
    decoded = []
    original = image_files.read_image
    monkeypatch.setattr(image_files, "read_image", lambda *a: decoded.append(a) or original(*a))
    batches = batches_of(files_of(photos), [[i] * 8 for i in range(6)])
    for number, _ in enumerate(batches, start=1):
        assert len(decoded) <= 8 * (number + 1)


def test_the_stated_bound():
    assert host_bytes(16_384, 224, workers=16) == pytest.approx(5.16e9, rel=0.01)
    assert pytest.approx(2.47e9, rel=0.01) == 16_384 * 3 * 224**2


def damage(photos):
    (photos / "class03" / "2.png").write_bytes(b"not an image")
    return sorted(photos.rglob("*.png")).index(photos / "class03" / "2.png")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_image_is_named_or_skipped(photos, workers):
    bad = damage(photos)
    asked = [[1, bad, 5], [bad + 1, 2]]
    with pytest.raises(RecallkitError, match=r"class03/2\.png cannot be read.*--on-bad-image skip"):
        list(batches_of(files_of(photos, workers=workers), asked))
    files = files_of(photos, workers=workers, on_bad_image="skip")
    batches = list(batches_of(files, asked))
    assert [indices for indices, _ in batches] == [[1, 5], [bad + 1, 2]]
    assert [len(images) for _, images in batches] == [2, 2]
    [problem] = files.reading.bad
    assert "class03/2.png" in problem
    white = torch.cat(list(files.split(10)))[bad]
    assert (white == 255).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_folder_with_a_bad_image(photos, workers):
    damage(photos)
    reading = Reading(workers, "skip")
    splits = load(str(photos), 16, reading=reading)
    sets = (splits.train, splits.validation, splits.test)
    for images in sets:
        list(images.images.split(10))
    [problem] = reading.bad
    assert "class03/2.png" in problem
    assert sum(map(len, sets)) == (48 if workers else 47)
