"""The user's own folder, and image files of all kinds."""

import pytest
import torch
from PIL import Image

from recallkit.data import Reading, load
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
    assert min(map(len, names)) >= 1
    assert len(names[2]) >= 3
    assert sum(map(len, names)) == 14
    assert set.union(*names) == {f"class{c:02}" for c in range(14)}
    for split in (splits.train, splits.validation, splits.test):
        assert split.images.shape[1:] == (3, 16, 16)
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
    with pytest.raises(RecallkitError, match=r"2 of \d+ images") as error:
        load_folder(photos)
    assert "class00/0.png" in str(error.value)
    assert "class03/1.png" in str(error.value)


def test_too_little_to_split(tmp_path):
    with pytest.raises(RecallkitError, match="there is no folder"):
        load_folder(tmp_path / "gone")
    with pytest.raises(
        RecallkitError, match=r"must hold sub-folders with images.*it has none, nothing is left out"
    ):
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


def test_the_api_says_what_was_used_and_what_was_left_out(photos):
    (photos / "class00" / "scan.heic").write_bytes(b"x")
    (photos / "empty").mkdir()
    splits = load_folder(photos, side=8)
    text = splits.describe()
    assert text.startswith(f"used 41 images of 14 classes from {photos} (train: ")
    assert "1 .heic (not a format that is read: convert to .jpg or .png)" in text
    assert "1 class without images ('empty')" in text
    assert len(splits.left_out) == 2
    assert "\n" not in text


def test_skipped_images_are_left_out_and_counted(photos):
    (photos / "class00" / "0.png").write_bytes(b"<html>403</html>")
    reading = Reading(on_bad_image="skip")
    splits = load_folder(photos, side=8, reading=reading)
    assert sum(len(splits.part(part)) for part in ("train", "validation", "test")) == 40
    assert "1 that cannot be read" in splits.left_out
    assert len(reading.bad) == 1


def test_the_splits_share_one_tensor(photos):
    """Images are decoded into one tensor, of which each split is a view: no copy is made."""
    splits = load_folder(photos, side=8)
    parts = (splits.train, splits.validation, splits.test)
    assert len({part.images.untyped_storage().data_ptr() for part in parts}) == 1
    assert parts[0].images.untyped_storage().nbytes() == 41 * 4 * 8 * 8


def own_splits(root, classes, parts=("train", "test")):
    for part in parts:
        for c in range(classes):
            (root / part / f"class{c}").mkdir(parents=True)
            for i in range(2):
                Image.new("RGB", (8, 8), (20 * c, 9 * i, 0)).save(
                    root / part / f"class{c}" / f"{i}.png"
                )


@pytest.mark.parametrize(
    "names",
    [("train", "test"), ("Train", "TEST"), ("train", "val", "test"), ("training", "testing")],
)
def test_splits_of_the_users_own_are_kept(tmp_path, names):
    own_splits(tmp_path, 5, names)
    splits = load_folder(tmp_path, side=8)
    assert len(splits.test) == 10
    if "val" in names:
        assert (len(splits.train), len(splits.validation)) == (10, 10)
    else:
        assert len(splits.train) + len(splits.validation) == 10
        trained, validated = (
            set(s.class_names.values()) for s in (splits.train, splits.validation)
        )
        assert not trained & validated
        assert len(validated) >= 1
    assert "test classes are training classes, too" in splits.describe()
    known = splits.test.class_names
    assert all(known[c] == name for c, name in splits.train.class_names.items())


def test_without_a_test_folder_validation_is_the_test(tmp_path):
    own_splits(tmp_path, 4, ("train", "val"))
    splits = load_folder(tmp_path, side=8)
    assert len(splits.test) == 8
    assert "there is no test folder: val is the test" in splits.describe()


def test_train_and_test_may_be_names_of_classes(photos):
    for name in ("train", "test"):
        (photos / name).mkdir()
        for i in range(2):
            Image.new("RGB", (8, 8)).save(photos / name / f"{i}.png")
    splits = load_folder(photos, side=8)
    parts = (splits.train, splits.validation, splits.test)
    names = {name for part in parts for name in part.class_names.values()}
    assert {"train", "test"} < names
    assert len(names) == 16


def test_a_folder_around_the_folder_is_named(photos, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    photos.rename(outer / "inner")
    with pytest.raises(RecallkitError, match=r"it has 1,.*inner holds more: give that one"):
        load_folder(outer)


def list_of(root, rows, header="path,label,split,is_query,group"):
    (root / "list.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return root / "list.csv"


def test_a_list_file_gives_splits_queries_and_groups(photos):
    rows = [f"class0{c}/{i}.png,{c},train,," for c in range(4) for i in range(2)]
    rows += [
        f"class{c:02}/{i}.png,{c},test,{int(i == 0)},cam{i}" for c in range(5, 9) for i in range(2)
    ]
    splits = load_folder(list_of(photos, rows), side=8)
    assert (len(splits.train) + len(splits.validation), len(splits.test)) == (8, 8)
    [(queries, gallery)] = splits.test.protocol.searches.values()
    assert queries.tolist() == [0, 2, 4, 6]
    assert gallery.tolist() == [1, 3, 5, 7]
    assert splits.test.groups.tolist() == [0, 1] * 4
    assert len(set(splits.train.groups.tolist())) == len(splits.train)  # without a group: alone
    assert splits.test.of_classes(splits.test.labels[:1]).groups.tolist() == [0, 1]


def test_a_list_file_without_splits_is_split_by_class(photos):
    rows = [f"class{c:02}/{i}.png,{c}" for c in range(14) for i in range(2)]
    splits = load(str(list_of(photos, rows, "path,label")))
    assert sum(len(splits.part(part)) for part in ("train", "validation", "test")) == 28
    trained, tested = (set(s.class_names.values()) for s in (splits.train, splits.test))
    assert not trained & tested


def test_an_archive_is_no_data_set(photos):
    (photos / "all.zip").write_bytes(b"PK")
    with pytest.raises(RecallkitError, match="no folder and no list file"):
        load(str(photos / "all.zip"))


def test_a_root_is_for_benchmarks_alone(photos):
    with pytest.raises(ValueError, match="leave out --root"):
        load(str(photos), root="somewhere")


def test_duplicate_classes_are_named(photos):
    (photos / "Class03").mkdir()
    Image.new("RGB", (4, 4)).save(photos / "Class03" / "0.png")
    with pytest.raises(RecallkitError, match="duplicate classes: 'Class03' and 'class03'"):
        load_folder(photos)
