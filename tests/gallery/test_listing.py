"""Which images a folder holds, with classes or without."""

import os

import pytest
from PIL import Image

from recallkit.errors import RecallkitError
from recallkit.gallery import check_queries, expand, find_images


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def labels_of(root):
    found = find_images(root)
    return dict(zip(found.paths, found.labels, strict=True))


def test_a_class_is_the_first_folder(tmp_path):
    touch(tmp_path, "a.png", "cat/b.JPG", "cat/deep/c.webp", "dog/d.tif")
    assert labels_of(tmp_path) == {
        "a.png": "",
        "cat/b.JPG": "cat",
        "cat/deep/c.webp": "cat",
        "dog/d.tif": "dog",
    }


def test_folders_of_splits_are_no_classes(tmp_path):
    touch(tmp_path, "train/cat/a.png", "Test/dog/b.png", "test/c.png")
    assert labels_of(tmp_path) == {
        "Test/dog/b.png": "dog",
        "test/c.png": "",
        "train/cat/a.png": "cat",
    }


def test_what_stands_beside_the_splits_makes_no_classes_of_them(tmp_path):
    touch(
        tmp_path, "train/cat/a.png", "test/dog/b.png", "cover.png", "more/c.png", "more/elk/d.png"
    )
    assert labels_of(tmp_path) == {
        "cover.png": "",
        "more/c.png": "",
        "more/elk/d.png": "elk",
        "test/dog/b.png": "dog",
        "train/cat/a.png": "cat",
    }


@pytest.mark.parametrize(
    "names",
    [
        ("train/a.png", "cat/b.png"),
        ("test/a.png", "val/b.png"),
        ("train/deep/a.png", "cat/deep/b.png"),
    ],
)
def test_a_class_may_be_called_train(tmp_path, names):
    touch(tmp_path, *names)
    assert all(labels_of(tmp_path).values())


def test_what_is_left_out_is_told(tmp_path):
    touch(tmp_path, "a.png", ".hidden/b.png", "__MACOSX/c.png", "notes.txt", "d.heic", "Thumbs.db")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = find_images(tmp_path)
    assert found.paths == ("a.png",)
    text = found.describe()
    assert text.startswith(f"1 image without classes in {tmp_path}; left out: ")
    for part in ("1 .heic", "3 hidden", ".txt 1", "1 broken link", "1 link to a folder"):
        assert part in text, part


def test_names_of_classes_are_composed(tmp_path):
    touch(tmp_path, "cafe\u0301/a.png", "b/a.png")
    assert set(labels_of(tmp_path).values()) == {"caf\u00e9", "b"}


def test_a_folder_without_images_is_refused(tmp_path):
    touch(tmp_path, "a.txt")
    with pytest.raises(RecallkitError, match=r"holds no image; left out: 1 file .*\.txt 1"):
        find_images(tmp_path)
    with pytest.raises(RecallkitError, match="there is no folder"):
        find_images(tmp_path / "gone")


def test_queries_are_files_and_folders(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.png", "a/b/2.png", "noted.txt")
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in expand(["noted.txt", "a"])] == [
        "noted.txt",
        os.path.join("a", "1.png"),
        os.path.join("a", "b", "2.png"),
    ]
    assert expand("noted.txt") == expand(tmp_path.joinpath("noted.txt").relative_to(tmp_path))
    with pytest.raises(RecallkitError, match=r"there is no image gone\.png"):
        expand(["a", "gone.png"])


def test_a_query_that_is_no_image_is_named(tmp_path):
    Image.new("RGB", (3, 3)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("text")
    check_queries([tmp_path / "good.png"])
    with pytest.raises(RecallkitError, match=r"bad\.png cannot be read"):
        check_queries([tmp_path / "good.png", tmp_path / "bad.png"])
