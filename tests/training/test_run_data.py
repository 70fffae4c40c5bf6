"""What a run knows of its data: its classes, its place, and how its images were read."""

import json
import shutil
from dataclasses import asdict

import pytest
import torch
from PIL import Image

from recallkit.config import Config
from recallkit.data import Reading, load_folder
from recallkit.errors import RecallkitError
from recallkit.files import read_json, write_json
from recallkit.training import train
from recallkit.training.run_data import DATA
from recallkit.training.run_folder import begin_run, load_data_of_run, store_data_of_run

PARTS = ("train", "validation", "test")


def make_class(root, name, per=2):
    (root / name).mkdir(parents=True)
    for i in range(per):
        Image.new("RGB", (8, 8), (7 * len(name), 60 * i, 0)).save(root / name / f"{i}.png")


@pytest.fixture
def photos(tmp_path):
    for c in range(20):
        make_class(tmp_path / "photos", f"class{c}")
    return tmp_path / "photos"


def begin(folder, dataset, on_bad_image="raise"):
    """A run folder as a training begins it."""
    config, reading = Config(dataset=str(dataset), image_size=16), Reading(0, on_bad_image)
    splits = load_folder(dataset, 16, reading=reading)
    begin_run(folder, config)
    store_data_of_run(folder, config, splits, reading)
    return splits


def names(splits):
    return {part: set(splits.part(part).class_names.values()) for part in PARTS}


def test_what_is_stored(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = begin(tmp_path / "run", photos)
    stored = json.loads((tmp_path / "run" / DATA).read_text())
    assert stored["dataset"] == str(photos)
    assert stored["on_bad_image"] == "raise"
    assert {part: set(own) for part, own in stored["classes"].items()} == names(splits)
    assert "dataset" in json.loads((tmp_path / "run" / "config.json").read_text())


def test_classes_that_trained_are_never_tested(photos, tmp_path):
    before = names(begin(tmp_path / "run", photos))
    for i in range(40):
        make_class(photos, f"new{i}")
    after = load_data_of_run(tmp_path / "run")
    assert names(after)["train"] == before["train"]
    assert names(after)["validation"] == before["validation"]
    assert names(after)["test"] == before["test"] | {f"new{i}" for i in range(40)}
    [note] = after.notes
    assert "40 classes are new since the run" in note
    assert "counted as test" in note


def test_classes_that_are_gone_are_named(photos, tmp_path):
    before = names(begin(tmp_path / "run", photos))
    gone = min(before["train"])
    shutil.rmtree(photos / gone)
    after = load_data_of_run(tmp_path / "run")
    assert names(after)["test"] == before["test"]
    assert after.notes == (f"1 class is not there any more: {gone!r}",)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_run_does_not_go_on_without_all_its_classes_of_a_split(part, photos, tmp_path):
    before = names(begin(tmp_path / "run", photos))
    for name in before[part]:
        shutil.rmtree(photos / name)
    config = Config(dataset=str(photos), image_size=16)
    (tmp_path / "run" / "state.pt").touch()
    with pytest.raises(RecallkitError) as failure:
        train(config, tmp_path / "run", resume=True, progress=False)
    message = str(failure.value)
    assert message.startswith(f"{photos} has none of the {part} classes of the run {tmp_path}")
    assert f"any more ({min(before[part])!r}" in message
    assert message.endswith("--dataset FOLDER")


def test_one_split_is_read_alone_and_all_as_test(photos, tmp_path):
    before = begin(tmp_path / "run", photos)
    tested = load_data_of_run(tmp_path / "run", split="test")
    assert [len(tested.part(part)) for part in PARTS] == [0, 0, len(before.test)]
    assert torch.equal(tested.test.images, before.test.images)
    assert tested.test.labels.tolist() == before.test.labels.tolist()
    everything = load_data_of_run(tmp_path / "run", split="all")
    assert len(everything.test) == 40
    assert "that the run was trained on" in everything.describe()


def test_another_folder_with_no_class_that_trained_is_tested_whole(photos, tmp_path):
    begin(tmp_path / "run", photos)
    for c in range(4):
        make_class(tmp_path / "four", f"other{c}", per=5)
    splits = load_data_of_run(tmp_path / "run", str(tmp_path / "four"))
    assert len(splits.test) == 20
    assert "trained on none of these classes: all of them are test classes" in splits.describe()


def test_another_folder_with_the_same_classes_names_what_is_not_tested(photos, tmp_path):
    before = names(begin(tmp_path / "run", photos))
    shutil.copytree(photos, tmp_path / "copy")
    splits = load_data_of_run(tmp_path / "run", str(tmp_path / "copy"), split="test")
    assert names(splits)["test"] == before["test"]
    assert "--split all measures every class" in splits.describe()


def test_a_folder_that_has_moved(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    before = names(begin(tmp_path / "run", photos))
    photos.rename(tmp_path / "moved")
    with pytest.raises(
        RecallkitError, match=r"photos, which is not there any more.*--dataset FOLDER"
    ):
        load_data_of_run(tmp_path / "run")
    assert names(load_data_of_run(tmp_path / "run", str(tmp_path / "moved"))) == before
    resumed = load_data_of_run(tmp_path / "run", str(tmp_path / "moved"))
    store_data_of_run(tmp_path / "run", Config(dataset="photos"), resumed, Reading())
    assert names(load_data_of_run(tmp_path / "run")) == before  # from now on without a word


def test_bad_images_are_left_out_as_in_the_run(photos, tmp_path):
    (photos / "class3" / "1.png").write_text("<html>403</html>")
    before = begin(tmp_path / "run", photos, "skip")
    after = load_data_of_run(tmp_path / "run")
    assert names(after) == names(before)
    assert "1 that cannot be read" in after.left_out
    with pytest.raises(RecallkitError, match=r"class3/1\.png"):
        load_data_of_run(tmp_path / "run", reading=Reading())


def test_images_are_kept_at_the_side_of_the_run(photos, tmp_path):
    begin(tmp_path / "run", photos)
    assert load_data_of_run(tmp_path / "run").test.images.shape[-1] == 16


def test_a_name_in_two_unicode_forms_is_one_class(tmp_path):
    for c in range(20):
        make_class(tmp_path / "composed", f"caf\u00e9 {c}")
        make_class(tmp_path / "decomposed", f"cafe\u0301 {c}")
    before = names(begin(tmp_path / "run", tmp_path / "composed"))
    assert names(load_data_of_run(tmp_path / "run", str(tmp_path / "decomposed"))) == before


def test_splits_of_the_users_own_stay(tmp_path):
    for part, count in (("train", 8), ("test", 5)):
        for c in range(count):
            make_class(tmp_path / "own" / part, f"class{c}")
    before = begin(tmp_path / "run", tmp_path / "own")
    assert len(before.test) == 10
    make_class(tmp_path / "own" / "train", "new")
    after = load_data_of_run(tmp_path / "run")
    assert names(after) == names(before)
    assert "not trained on 1 train classes ('new'): left out" in after.describe()
    trained, tested = set(before.train.class_names.values()), names(before)["test"]
    known = f"{len(trained & tested)} of 5 test classes are training classes, too"
    assert known in before.describe()
    for split in (None, "test"):
        assert known in load_data_of_run(tmp_path / "run", split=split).describe()


def old_split(count):
    """The split of the version before, written down again: places, shuffled by seed 0."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0)).tolist()
    return set(order[count // 2 :][max(1, (count - count // 2) // 7) :]), set(order[: count // 2])


def test_a_run_of_an_older_version_keeps_its_split(photos, tmp_path):
    config = Config(dataset=str(photos), image_size=16)
    begin_run(tmp_path / "run", config)
    older = {key: value for key, value in asdict(config).items() if key != "classes"}
    write_json(tmp_path / "run" / "config.json", older)
    ordered = sorted(path.name for path in photos.iterdir())
    trained, tested = old_split(20)
    splits = load_data_of_run(tmp_path / "run")
    assert names(splits)["train"] == {ordered[i] for i in trained}
    assert names(splits)["test"] == {ordered[i] for i in tested}
    assert "older version, which stored no classes" in splits.describe()


def test_a_damaged_file_is_named(photos, tmp_path):
    begin(tmp_path / "run", photos)
    sound = read_json(tmp_path / "run" / DATA)
    wrong = {"dataset": 3, "side": "x", "classes": sound["classes"] | {"test": [None]}}
    changed = [json.dumps(sound | {key: value}) for key, value in wrong.items()]
    for text in ("{}", "[1]", '{"dataset": ', *changed):
        (tmp_path / "run" / DATA).write_text(text)
        with pytest.raises(RecallkitError, match=DATA):
            load_data_of_run(tmp_path / "run")


def test_a_file_that_is_lost_is_no_older_version(photos, tmp_path):
    begin(tmp_path / "run", photos)
    (tmp_path / "run" / DATA).unlink()
    for dataset in ("", str(photos)):
        with pytest.raises(RecallkitError, match=f"{DATA} is missing: .* must not be tested"):
            load_data_of_run(tmp_path / "run", dataset)


def test_embedded_data_whole_and_in_splits(tmp_path, toy_splits, monkeypatch):
    from recallkit import data

    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    config = Config()
    begin_run(tmp_path / "run", config)
    store_data_of_run(tmp_path / "run", config, toy_splits, Reading())
    assert len(load_data_of_run(tmp_path / "run", split="validation").validation) == 16
    assert len(load_data_of_run(tmp_path / "run", split="validation").test) == 0
    assert len(load_data_of_run(tmp_path / "run", split="all").test) == 80
