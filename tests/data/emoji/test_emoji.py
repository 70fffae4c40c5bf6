import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from recallkit.data import load
from recallkit.data.archive import read_index
from recallkit.data.emoji import archive as emoji_file
from recallkit.data.emoji import load_emoji
from recallkit.data.emoji.archive import FILE
from recallkit.data.emoji.build import split_classes
from recallkit.data.emoji.sources import FOUNDRIES
from recallkit.errors import RecallkitError
from recallkit.files import embedded

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def emoji(shared_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECALLKIT_CACHE", str(shared_cache))
        return load("emoji")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("RECALLKIT_CACHE", str(folder))
    return folder


def make_index(sizes=(4, 5, 4, 6)):
    splits = ["train", "train", "validation", "test"]
    return {
        "classes": [
            {"name": f"thing {i}", "split": split, "foundries": [f"foundry {j}" for j in range(n)]}
            for i, (n, split) in enumerate(zip(sizes, splits, strict=True))
        ]
    }


@pytest.fixture
def small(tmp_path):
    """A folder with a packed file of 19 random images, and the images."""
    images = np.random.default_rng(0).integers(0, 256, (19, 4, 64, 64), dtype=np.uint8)
    images[:, 3, :20] = 0  # transparent, with colours beneath
    emoji_file.write_packed(tmp_path / "small" / FILE, make_index(), images)
    return tmp_path / "small", images


class TestEmbedded:
    def test_counts(self, emoji):
        sizes = {s: len(getattr(emoji, s)) for s in SPLITS}
        classes = {s: len(getattr(emoji, s).class_names) for s in SPLITS}
        total = sum(classes.values())
        assert sum(sizes.values()) > 9000
        assert total > 1350
        assert classes["test"] == total // 2
        assert classes["validation"] == 100

    @pytest.mark.parametrize("split", SPLITS)
    def test_types_and_shapes(self, emoji, split):
        part = getattr(emoji, split)
        assert part.images.dtype == torch.uint8
        assert part.images.shape == (len(part), 4, 64, 64)
        assert part.labels.dtype == torch.int64
        assert len(part.sources) == len(part)
        assert set(part.sources) == set(FOUNDRIES)

    @pytest.mark.parametrize("split", SPLITS)
    def test_every_class_has_four_drawings_by_different_foundries(self, emoji, split):
        part = getattr(emoji, split)
        labels, counts = part.labels.unique(return_counts=True)
        assert counts.min() >= 4
        assert set(labels.tolist()) == set(part.class_names)
        assert len(set(zip(part.labels.tolist(), part.sources, strict=True))) == len(part)

    def test_no_class_is_in_two_splits(self, emoji):
        labels = [set(getattr(emoji, s).labels.tolist()) for s in SPLITS]
        names = [n for s in SPLITS for n in getattr(emoji, s).class_names.values()]
        assert sum(map(len, labels)) == len(set.union(*labels))
        assert len(names) == len(set(names))

    def test_names_are_readable(self, emoji):
        names = {n for s in SPLITS for n in getattr(emoji, s).class_names.values()}
        assert {"grinning face", "ribbon", "red apple"} <= names
        assert not any("skin tone" in n or "regional indicator" in n for n in names)

    def test_no_drawing_is_empty(self, emoji):
        for split in SPLITS:
            assert getattr(emoji, split).images[:, 3].flatten(1).amax(1).min() > 0

    def test_the_split_is_the_one_the_seed_gives(self):
        with zipfile.ZipFile(embedded("emoji") / FILE) as archive:
            classes = read_index(archive, emoji_file.FORMAT)["classes"]
        assert split_classes([c["code"] for c in classes]) == {
            c["code"]: c["split"] for c in classes
        }

    def test_the_table_beside_it_agrees(self, emoji):
        lines = (embedded("emoji") / "classes.tsv").read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines[1:]]
        names = {k: v for s in SPLITS for k, v in getattr(emoji, s).class_names.items()}
        assert {int(label): name for label, name, *_ in rows} == names

    def test_no_drawing_stands_twice(self, emoji):
        images = np.concatenate([getattr(emoji, s).images.numpy() for s in SPLITS])
        assert len({image.tobytes() for image in images}) == len(images)


class TestPackedFile:
    def test_gives_back_what_was_packed(self, small, cache):
        folder, images = small
        splits = load_emoji(folder)
        loaded = torch.cat([getattr(splits, s).images for s in SPLITS])
        assert np.array_equal(loaded.numpy(), images)
        assert splits.train.labels.tolist() == [0] * 4 + [1] * 5
        assert splits.test.class_names == {3: "thing 3"}
        assert splits.validation.sources == tuple(f"foundry {j}" for j in range(4))

    def test_the_same_data_give_the_same_bytes(self, small, tmp_path):
        folder, images = small
        emoji_file.write_packed(tmp_path / "again.zip", make_index(), images)
        assert (tmp_path / "again.zip").read_bytes() == (folder / FILE).read_bytes()

    def test_nothing_half_written_stays(self, tmp_path, monkeypatch):
        def full(sheet):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(emoji_file, "to_webp", full)
        images = np.zeros((19, 4, 64, 64), np.uint8)
        with pytest.raises(RecallkitError, match=r"cannot write .*No space left"):
            emoji_file.write_packed(tmp_path / FILE, make_index(), images)
        assert not list(tmp_path.iterdir())


class TestBadFile:
    def check(self, folder, match):
        with pytest.raises(RecallkitError, match=match) as error:
            load_emoji(folder)
        assert str(folder / FILE) in str(error.value)
        assert "prepare emoji" in str(error.value)

    def test_missing(self, tmp_path, cache):
        self.check(tmp_path, "missing")

    @pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
    def test_truncated(self, small, cache, part):
        whole = (small[0] / FILE).read_bytes()
        (small[0] / FILE).write_bytes(whole[: int(part * len(whole))])
        self.check(small[0], "damaged")

    def test_a_changed_byte(self, small, cache):
        data = bytearray((small[0] / FILE).read_bytes())
        data[len(data) // 2] ^= 1
        (small[0] / FILE).write_bytes(data)
        self.check(small[0], "damaged")

    def test_not_a_zip(self, tmp_path, cache):
        (tmp_path / FILE).write_text("<html>not found</html>")
        self.check(tmp_path, "not the emoji data")

    @pytest.mark.parametrize("index", [None, [], {}, {"format": "another"}])
    def test_another_zip(self, tmp_path, cache, index):
        with zipfile.ZipFile(tmp_path / FILE, "w") as archive:
            archive.writestr("a.txt" if index is None else "index.json", json.dumps(index))
        self.check(tmp_path, "not the emoji data")

    @pytest.mark.parametrize("change", [{"images": "9"}, {"crc32": 1}, {"classes": 7}])
    def test_a_wrong_index(self, tmp_path, cache, change, monkeypatch):
        images = np.zeros((19, 4, 64, 64), np.uint8)
        emoji_file.write_packed(tmp_path / FILE, make_index() | change, images)
        self.check(tmp_path, "damaged")

    def test_an_index_of_fewer_images(self, tmp_path, cache):
        images = np.zeros((19, 4, 64, 64), np.uint8)
        emoji_file.write_packed(tmp_path / FILE, make_index((4, 4, 4, 4)), images)
        self.check(tmp_path, "its classes have 16 images, its index counts 19")

    def test_a_folder_in_its_place(self, tmp_path, cache):
        (tmp_path / FILE).mkdir()
        with pytest.raises(RecallkitError, match="cannot read"):
            load_emoji(tmp_path)


class TestCache:
    def load_counting(self, folder, monkeypatch):
        """The images, and how often the packed file was decoded."""
        calls = []
        decode = emoji_file.read_images

        def counted(*args):
            calls.append(args)
            return decode(*args)

        monkeypatch.setattr("recallkit.data.emoji.splits.read_images", counted)
        splits = load_emoji(folder)
        return torch.cat([getattr(splits, s).images for s in SPLITS]).numpy(), len(calls)

    def test_is_used_the_second_time(self, small, cache, monkeypatch):
        load_emoji(small[0])
        images, decoded = self.load_counting(small[0], monkeypatch)
        assert decoded == 0
        assert np.array_equal(images, small[1])

    def test_may_be_deleted(self, small, cache, monkeypatch):
        load_emoji(small[0])
        only_file(cache).unlink()
        images, decoded = self.load_counting(small[0], monkeypatch)
        assert decoded == 1
        assert np.array_equal(images, small[1])
        only_file(cache)

    @pytest.mark.parametrize(
        "damage", ["empty", "short", "foreign", "zip", "byte", "shape", "folder"]
    )
    def test_damage_is_mended(self, small, cache, monkeypatch, damage):
        load_emoji(small[0])
        spoil(only_file(cache), damage)
        images, decoded = self.load_counting(small[0], monkeypatch)
        assert decoded == 1
        assert np.array_equal(images, small[1])
        if damage != "folder":
            assert self.load_counting(small[0], monkeypatch)[1] == 0

    def test_a_file_in_the_place_of_the_folder(self, small, cache, monkeypatch):
        cache.write_text("in the way")  # even root cannot write below it
        images, decoded = self.load_counting(small[0], monkeypatch)
        assert decoded == 1
        assert np.array_equal(images, small[1])

    def test_a_full_disk(self, small, cache, monkeypatch):
        def full(file, array):
            file.write(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "save", full)
        images, _ = self.load_counting(small[0], monkeypatch)
        assert np.array_equal(images, small[1])
        assert not list(cache.iterdir())

    def test_writing_to_the_images_leaves_it_as_it_is(self, small, cache):
        load_emoji(small[0])
        load_emoji(small[0]).train.images.zero_()
        assert np.array_equal(load_emoji(small[0]).train.images.numpy(), small[1][:9])

    def test_another_packed_file_has_its_own(self, small, cache, tmp_path):
        load_emoji(small[0])
        emoji_file.write_packed(tmp_path / "b" / FILE, make_index(), 255 - small[1])
        other = load_emoji(tmp_path / "b").train.images.numpy()
        assert np.array_equal(other, 255 - small[1][:9])


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def spoil(path: Path, damage: str) -> None:
    data = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "b")
    elif damage == "shape":
        with open(path, "wb") as file:
            np.save(file, np.zeros((2, 4, 64, 64), np.uint8))
    else:
        changed = bytes([data[-1] ^ 1])
        contents = {"empty": b"", "short": data[:-1000], "foreign": b"hello" * 9}
        path.write_bytes(contents.get(damage, data[:-1] + changed))
