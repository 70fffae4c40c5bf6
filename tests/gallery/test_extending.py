"""An index is kept and extended: only what is new or changed is embedded."""

import os
import shutil

import numpy as np
import pytest
import torch
from helpers.random_run import draw

from recallkit.data.prefetch import BadImageError
from recallkit.gallery import Embedding, Index, extend_index, find_images


class Counter:
    """Embed by a run, and count the images that pass through its network."""

    def __init__(self, run):
        self.run, self.images = run, 0
        run.network.register_forward_pre_hook(self)

    def __call__(self, module, inputs):
        self.images += len(inputs[0])

    def extend(self, folder, index=None, saved=None, **options):
        """The index, the changes, and how many images were embedded."""
        self.images = 0
        save = None if saved is None else saved.append
        index, changes = extend_index(
            self.run, find_images(folder), index, Embedding(**options), save
        )
        return index, changes, self.images


@pytest.fixture
def counter(run):
    return Counter(run)


def assert_true_to(index: Index, run, folder):
    """Each row is the embedding of the file that it names, and no image is missing."""
    assert sorted(index.paths) == sorted(find_images(folder).paths)
    expected = run.embed([folder / path for path in index.paths])
    torch.testing.assert_close(index.embeddings, expected, rtol=0, atol=1e-6)
    for row, path in enumerate(index.paths):
        status = (folder / path).stat()
        assert index.stamps[row].tolist() == [status.st_size, status.st_mtime_ns]


def test_nothing_is_embedded_twice(counter, album):
    index, changes, images = counter.extend(album)
    assert (images, changes.embedded, changes.kept) == (6, 6, 0)
    again, changes, images = counter.extend(album, index)
    assert (images, changes.embedded, changes.kept, changes.gone) == (0, 0, 6, ())
    assert_true_to(again, counter.run, album)
    assert changes.describe() == "0 images embedded, 6 kept as they were"


def test_new_changed_and_gone_images(counter, album):
    index, _, _ = counter.extend(album)
    draw(album / "a new one.png", 50)
    draw(album / "2.png", 51)
    (album / "4.png").unlink()
    index, changes, images = counter.extend(album, index)
    assert (images, changes.embedded, changes.kept, changes.gone) == (2, 2, 4, ("4.png",))
    assert_true_to(index, counter.run, album)
    assert "1 gone ('4.png')" in changes.describe()


def test_renamed_touched_moved_and_copied_images_are_known_by_content(counter, album, tmp_path):
    index, _, _ = counter.extend(album)
    (album / "0.png").rename(album / "renamed.png")
    os.utime(album / "1.png", ns=(1, 1))
    shutil.copy(album / "2.png", album / "copy.png")
    (album / "cat").mkdir()
    (album / "3.png").rename(album / "cat" / "3.png")
    moved = album.rename(tmp_path / "elsewhere")
    index, changes, images = counter.extend(moved, index)
    assert (images, changes.kept) == (0, 7)
    assert changes.gone == ("0.png", "3.png")
    assert index.root == str(moved)
    assert dict(zip(index.paths, index.labels, strict=True))["cat/3.png"] == "cat"
    assert_true_to(index, counter.run, moved)


def test_another_content_of_the_same_size_and_time(counter, album):
    index, _, _ = counter.extend(album)
    status = (album / "1.png").stat()
    content = (album / "1.png").read_bytes()
    other = draw(album.parent / "other.png", 77).read_bytes()
    padded = other + bytes(max(0, len(content) - len(other)))
    (album / "1.png").write_bytes(padded)
    grown = len(padded) != len(content)
    os.utime(album / "1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    if not grown:
        assert counter.extend(album, index)[2] == 0  # size and time tell nothing
    index, _, images = counter.extend(album, index, check_content=True)
    assert images == 1
    assert_true_to(index, counter.run, album)


def test_a_folder_of_the_same_names_is_not_the_same(counter, album, tmp_path):
    index, _, _ = counter.extend(album)
    for i in range(6):
        draw(tmp_path / "other" / f"{i}.png", 200 + i)
    index, _, images = counter.extend(tmp_path / "other", index)
    assert images == 6
    assert_true_to(index, counter.run, tmp_path / "other")


def test_bad_images_are_named_when_the_others_are_done(counter, album):
    (album / "3.png").write_text("no image")
    (album / "5.png").write_text("")
    saved = []
    with pytest.raises(BadImageError, match=r"2 of 6 images (.|\n)*3\.png(.|\n)*5\.png"):
        counter.extend(album, saved=saved)
    assert not saved[-1].complete
    index, changes, images = counter.extend(album, saved[-1], on_bad_image="skip")
    assert (images, changes.kept, len(changes.bad)) == (0, 4, 2)
    assert index.complete
    assert index.paths == ("0.png", "1.png", "2.png", "4.png")
    assert "2 could not be read and were left out" in changes.describe()


def test_only_bad_images_are_an_error_even_if_skipped(counter, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.png").write_text("no image")
    with pytest.raises(BadImageError, match="1 of 1 images"):
        counter.extend(tmp_path / "bad", on_bad_image="skip")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_keeps_what_was_done(counter, album, error):
    saved = []

    def interrupt(module, inputs, outputs):
        if counter.images >= 4:
            raise error

    handle = counter.run.network.register_forward_hook(interrupt)
    with pytest.raises(error):
        counter.extend(album, saved=saved, batch_size=2)
    handle.remove()
    assert [(index.paths, index.complete) for index in saved] == [(("0.png", "1.png"), False)]
    index, changes, images = counter.extend(album, saved[-1])
    assert (images, changes.kept) == (4, 2)
    assert index.complete
    assert_true_to(index, counter.run, album)


def test_it_is_saved_from_time_to_time(counter, album):
    saved = []
    counter.extend(album, saved=saved, batch_size=2, save_seconds=0)
    assert [len(index) for index in saved] == [2, 4, 6, 6]
    assert [index.complete for index in saved] == [False, False, False, True]


def test_a_file_that_changes_while_it_is_embedded_is_embedded_again(counter, album):
    def change(module, inputs):
        draw(album / "1.png", 99)
        os.utime(album / "1.png", ns=(5, 5))

    handle = counter.run.network.register_forward_pre_hook(change)
    index, _, _ = counter.extend(album)
    handle.remove()
    index, _, images = counter.extend(album, index)
    assert images == 1
    assert_true_to(index, counter.run, album)


def test_random_changes_never_leave_a_wrong_row(counter, album):
    random = np.random.default_rng(0)
    index = None
    for step in range(12):
        files = sorted(album.glob("*.png"))
        for file in random.choice(files, 3, replace=False):
            match random.integers(4):
                case 0:
                    draw(file, 1000 + step)
                case 1:
                    file.rename(file.with_name(f"r{step}-{random.integers(1000)}.png"))
                case 2:
                    shutil.copy(file, file.with_name(f"c{step}-{random.integers(1000)}.png"))
                case 3 if len(files) > 5:
                    file.unlink()
        index, _, _ = counter.extend(album, index)
        assert_true_to(index, counter.run, album)
