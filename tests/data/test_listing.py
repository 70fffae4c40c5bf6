"""What a folder holds: used, left out and why."""

import os
import unicodedata

import pytest

from recallkit.data.image_files import SUFFIXES
from recallkit.data.listing import list_folder
from recallkit.errors import RecallkitError


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def root(tmp_path):
    for c in range(3):
        for i in range(2):
            image(tmp_path / f"class{c}" / f"{i}.jpg")
    return tmp_path


def left(root):
    return "; ".join(list_folder(root).left_out)


def test_a_tidy_folder(root):
    images = list_folder(root)
    assert images.left_out == images.notes == images.parts == ()
    assert images.classes == tuple(f"class{c}" for c in (0, 0, 1, 1, 2, 2))
    assert images.names == ("0.jpg", "1.jpg") * 3
    assert images.sizes() == {f"class{c}": 2 for c in range(3)}


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_that_is_opened_is_used_in_upper_case_too(root, suffix):
    image(root / "class0" / f"a{suffix}")
    image(root / "class0" / f"B{suffix.upper()}")
    images = list_folder(root)
    assert len(images) == 8
    assert not images.left_out


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints",
        ".thumbnails",
        ".hidden",
        "__MACOSX",
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "System Volume Information",
        "lost+found",
    ],
)
@pytest.mark.parametrize("inside", ["", "class0"])
def test_hidden_folders_are_no_classes_and_not_read(root, name, inside):
    image(root / inside / name / "x.jpg")
    images = list_folder(root)
    assert len(images) == 6
    assert "1 hidden file or folder (" in "".join(images.left_out)
    assert name in "".join(images.left_out)


@pytest.mark.parametrize("name", [".DS_Store", "._0.jpg", "Thumbs.db", "desktop.ini", ".0.jpg"])
def test_hidden_files(root, name):
    image(root / "class0" / name)
    assert "1 hidden file or folder" in left(root)
    assert len(list_folder(root)) == 6


def test_files_that_are_no_images_are_counted_by_suffix(root):
    for name in ("a.heic", "b.HEIC", "c.nef", "notes.txt", "more.txt", "labels.json", "README"):
        image(root / "class0" / name)
    image(root / "photos.zip")
    said = left(root)
    assert "2 .heic (not a format that is read: convert to .jpg or .png)" in said
    assert "1 .nef (not a format" in said
    assert "1 .zip (an archive: unpack it)" in said
    assert "3 files of no image format (.json 1, .txt 2)" in said
    assert "1 file without a suffix ('class0/README'" in said


def test_images_outside_of_classes_and_empty_classes(root):
    image(root / "cover.png")
    (root / "empty").mkdir()
    image(root / "notes" / "only.txt")
    said = left(root)
    assert "1 image outside of a class folder ('cover.png')" in said
    assert "2 classes without images ('empty', 'notes')" in said


def test_nested_images_belong_to_the_outermost_class(root):
    image(root / "class0" / "front" / "left" / "a.jpg")
    image(root / "deep" / "er" / "b.jpg")
    images = list_folder(root)
    assert images.sizes() == {"class0": 3, "class1": 2, "class2": 2, "deep": 1}
    assert "front/left/a.jpg" in images.names
    [note] = images.notes
    assert "2 images lie deeper than" in note


def test_links_in_circles_and_to_other_classes(root, tmp_path_factory):
    (root / "class0" / "again").symlink_to(root)  # a circle
    (root / "twin").symlink_to(root / "class1")  # the same images under another name
    (root / "self").symlink_to(root / "self")
    (root / "class2" / "gone.jpg").symlink_to(root / "nowhere.jpg")
    outside = tmp_path_factory.mktemp("disk")
    image(outside / "x.jpg")
    (outside / "back").symlink_to(root.parent)
    (root / "linked").symlink_to(outside)  # images on another disk are used
    images = list_folder(root)
    sizes = images.sizes()
    assert {name: sizes[name] for name in ("class0", "class1", "class2")} == dict.fromkeys(
        ("class0", "class1", "class2"), 2
    )
    assert sizes["linked"] == 1
    assert len(set(map(os.path.realpath, images.paths))) == len(images)
    said = "; ".join(images.left_out)
    assert (
        "3 links to a folder that is read already ('twin', 'class0/again', 'linked/back')" in said
    )
    assert "2 broken links or special files ('self', 'class2/gone.jpg')" in said


def test_a_folder_that_cannot_be_opened_is_named(root, monkeypatch):
    whole = os.scandir

    def scandir(path):
        if str(path).endswith("class1"):
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    images = list_folder(root)
    assert len(images) == 4
    assert "1 folder that cannot be opened, for want of rights ('class1')" in images.left_out


def test_names_are_composed_and_two_spellings_refused(root):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    image(root / decomposed / "0.jpg")
    assert composed in list_folder(root).classes
    image(root / composed / "0.jpg")
    with pytest.raises(RecallkitError, match="duplicate classes"):
        list_folder(root)


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes")
def test_a_name_that_is_no_text(root):
    folder = os.fsencode(root) + b"/caf\xe9"
    os.mkdir(folder)
    open(folder + b"/0.jpg", "w").close()
    images = list_folder(root)
    assert "caf?" in images.classes
    "; ".join([*images.classes, *images.left_out]).encode()  # all of it can be printed


def test_splits_of_the_folder(root):
    for part in ("train", "test", "val"):
        for c in range(2):
            image(root / "data" / part / f"class{c}" / "0.jpg")
    image(root / "data" / "train" / "stray.jpg")
    image(root / "data" / "more" / "class9" / "0.jpg")
    (root / "data" / "test" / "none").mkdir()
    images = list_folder(root / "data")
    assert images.parts == ("train",) * 2 + ("validation",) * 2 + ("test",) * 2
    said = "; ".join(images.left_out)
    assert "1 image outside of a class folder ('train/stray.jpg')" in said
    assert "1 folder beside train and test ('more')" in said
    assert "1 class without images ('test/none')" in said
    assert images.sizes("train") == {"class0": 1, "class1": 1}


def test_train_and_test_that_hold_images_directly_are_classes(root):
    for name in ("train", "test"):
        image(root / name / "0.jpg")
    assert set(list_folder(root).classes) == {"class0", "class1", "class2", "train", "test"}


def test_nothing_to_use_names_what_there_is(tmp_path):
    image(tmp_path / "class0" / "a.heic")
    with pytest.raises(RecallkitError, match=r"it has none, left out: 1 \.heic .*1 class without"):
        list_folder(tmp_path)
    with pytest.raises(RecallkitError, match="there is no folder"):
        list_folder(tmp_path / "class0" / "a.heic")
