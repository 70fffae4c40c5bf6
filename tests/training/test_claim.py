"""A run folder belongs to one process at a time, and to none that is gone."""

import multiprocessing
import os
import signal
import threading
import time

import pytest

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.training import train
from recallkit.training.claim import claimed, new_folder

SMALL = Config(images=32, batch_size=16, evaluations=1, image_size=16, embedding_dim=8)


def test_new_folders_at_the_same_moment_are_different(tmp_path):
    folders, start = [], threading.Barrier(8)

    def make():
        start.wait()
        folders.append(new_folder(tmp_path / "runs", "one").name)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folders) == ["one", *(f"one-{number}" for number in range(2, 9))]


def test_a_folder_where_a_file_stands_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecallkitError, match="cannot write"):
        new_folder(tmp_path / "file", "one")
    with pytest.raises(RecallkitError, match="cannot write"), claimed(tmp_path / "file"):
        pass


def test_a_second_claim_is_refused_until_the_first_ends(tmp_path):
    with claimed(tmp_path / "run"):
        (tmp_path / "run" / "config.json").touch()
        with (
            pytest.raises(RecallkitError, match="another process trains the run in"),
            claimed(tmp_path / "run"),
        ):
            pass
    with claimed(tmp_path / "run"):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_a_folder_in_which_nothing_was_written_goes_again(tmp_path):
    with claimed(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()


def _hold(folder, held):
    with claimed(folder):
        held.set()
        time.sleep(60)


def test_the_claim_of_a_killed_process_ends_with_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "run", held))
    process.start()
    assert held.wait(60)
    with pytest.raises(RecallkitError, match="another process"), claimed(tmp_path / "run"):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with claimed(tmp_path / "run"):
        pass


@pytest.mark.parametrize("resume", [False, True])
def test_no_training_enters_a_folder_that_another_has(toy_splits, tmp_path, resume):
    """Neither a new one nor one that resumes: of two, one result would be lost."""
    messages = []

    def second(*_):
        with pytest.raises(RecallkitError) as error:
            train(SMALL, tmp_path / "run", splits=toy_splits, device="cpu", resume=resume)
        messages.append(str(error.value))

    train(SMALL, tmp_path / "run", splits=toy_splits, device="cpu", progress=False, on_test=second)
    assert len(messages) == 1
    assert "another process trains the run" in messages[0]
    assert (tmp_path / "run" / "result.json").exists()
    assert not (tmp_path / "run" / ".lock").exists()
    with pytest.raises(RecallkitError, match="already holds a run"):
        train(SMALL, tmp_path / "run", splits=toy_splits, device="cpu")
