"""The user's own folder, and image files of all kinds."""

import pytest
import torch
from PIL import Image

from recallkit.data import load
from recallkit.data.folder import load_folder
from recallkit.data.image_files import read_image
from recallkit.errors import RecallkitError


@pytest.fixture
def photos(tmp_path):
    for c in range(14):
        (tmp_path / f"class{c:02}").mkdir()
        for i in range(2 + c % 3):
            Image.new("RGB", (10 + i, 12), (10 * c, 0, 0)).save(
                tmp_path / f"class{c:02}" / f"{i}.png"
            )
    return tmp_path


def test_splits_by_class(photos):
    (photos / "class00" / "notes.txt").write_text("not an image")
    (photos / "class00" / ".hidden.png").write_text("not an image either")
    (photos / "without images").mkdir()
    splits = load_folder(photos, side=16)
    names = [
        set(split.class_names.values()) for split in (splits.train, splits.validation, splits.test)
    ]
    assert [len(of_split) for of_split in names] == [6, 1, 7]
    assert set.union(*names) == {f"class{c:02}" for c in range(14)}
    for split in (splits.train, splits.validation, splits.test):
        assert split.images.shape[1:] == (4, 16, 16)
        for i in range(len(split)):
            name = split.class_names[int(split.labels[i])]
            assert split.images[i, 0, 8, 8] == 10 * int(name[5:])
            assert split.name(i).startswith(f"{name} (")


def test_split_is_fixed_by_names_and_seed(photos):
    once, again, other = (load_folder(photos, seed=seed).test for seed in (0, 0, 1))
    assert torch.equal(once.labels, again.labels)
    assert not torch.equal(once.labels.unique(), other.labels.unique())


@pytest.mark.parametrize(("image_size", "side"), [(32, 64), (100, 100)])
def test_images_are_kept_large_enough_for_the_network(photos, image_size, side):
    assert load(str(photos), image_size).test.images.shape[2:] == (side, side)


def test_all_damaged_images_are_named(photos):
    (photos / "class00" / "0.png").write_bytes(b"")
    whole = (photos / "class03" / "1.png").read_bytes()
    (photos / "class03" / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecallkitError, match=r"(?s)2 of \d+ images.*class00/0.png.*class03/1.png"):
        load_folder(photos)


def test_too_little_to_split(tmp_path):
    with pytest.raises(RecallkitError, match="there is no folder"):
        load_folder(tmp_path / "gone")
    with pytest.raises(RecallkitError, match=r"at least 6 sub-folders with images.*it has 0"):
        load_folder(tmp_path)
    for c in range(8):
        (tmp_path / str(c)).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / str(c) / "only.png")
    with pytest.raises(RecallkitError, match="no class of the train split has two images"):
        load_folder(tmp_path)


def test_an_image_is_fitted_not_stretched(tmp_path):
    Image.new("L", (40, 20), 200).save(tmp_path / "wide.png")
    image = read_image(tmp_path / "wide.png", side=16)
    assert image.dtype == torch.uint8
    assert image.shape == (4, 16, 16)
    assert (image[:3, 5:11] == 200).all()
    assert (image[3, :4] == 0).all()
    assert (image[3, 12:] == 0).all()
    assert (image[3, 5:11] == 255).all()


def test_the_orientation_of_a_photograph_is_obeyed(tmp_path):
    photograph = Image.new("RGB", (20, 20), "black")
    photograph.paste("white", (0, 0, 10, 20))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90° clockwise": the left half becomes the upper
    photograph.save(tmp_path / "turned.png", exif=exif)
    image = read_image(tmp_path / "turned.png", side=20)
    assert (image[:3, :9] == 255).all()
    assert (image[:3, 11:] == 0).all()


def test_duplicate_classes_are_named(photos):
    (photos / "Class03").mkdir()
    Image.new("RGB", (4, 4)).save(photos / "Class03" / "0.png")
    with pytest.raises(RecallkitError, match="duplicate classes: 'Class03' and 'class03'"):
        load_folder(photos)
