"""The user's own images on the command line: what is said, remembered, and found again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from recallkit import cli
from recallkit.cli import training as training_command
from recallkit.errors import RecallkitError
from recallkit.files import read_json

SHORT = ["--batch-size", "8", "--no-tensorboard", "--device", "cpu"]


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Save the seconds that they cost."""
    monkeypatch.setattr(training_command, "draw_figures", lambda *_: None)


@pytest.fixture
def run(image_folder, capsys):
    """Train on the folder ``images`` of twelve classes, into the run folder ``mine``."""
    cli.main(["train", "--dataset", "images", *SHORT, "--out", "mine"])
    return capsys.readouterr()


def evaluated(capsys, *arguments):
    capsys.readouterr()
    cli.main(["evaluate", "mine", "--device", "cpu", *arguments])
    return capsys.readouterr().out


def trained_row(text):
    """The numbers of the trained network, in percent."""
    [row] = [line for line in text.splitlines() if line.startswith("| trained")]
    return [float(cell) for cell in row.strip("| ").split("|")[1:]]


def test_a_training_says_what_it_used(image_folder, capsys):
    (image_folder / "class 0" / "scan.heic").write_bytes(b"x")
    (image_folder / ".thumbnails").mkdir()
    cli.main(["train", "--dataset", "images", *SHORT, "--out", "mine"])
    [line] = [text for text in capsys.readouterr().err.splitlines() if text.startswith("used ")]
    assert f"used 36 images of 12 classes from {image_folder} (train: " in line
    assert "1 .heic (not a format that is read" in line
    assert "1 hidden file or folder ('.thumbnails')" in line


def test_a_run_finds_its_images_from_anywhere(run, image_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    cli.main(["evaluate", "../mine", "--device", "cpu"])
    assert f"classes from {image_folder}; nothing is left out." in capsys.readouterr().out
    cli.main(["search", "../images/class 0/0.jpg", "--run", "../mine", "--k", "2"])
    assert "drew" in capsys.readouterr().out


def test_images_that_have_moved(run, image_folder, tmp_path, failing, capsys):
    before = trained_row(evaluated(capsys))
    image_folder.rename(tmp_path / "moved")
    assert "not there any more. Say where its images are now: --dataset" in failing(
        "evaluate", "mine"
    )
    assert trained_row(evaluated(capsys, "--dataset", "moved")) == before
    query = ["moved/class 0/0.jpg", "--run", "mine", "--k", "2"]
    assert "--dataset FOLDER" in failing("search", *query)
    cli.main(["search", *query, "--dataset", "moved"])


def test_a_class_that_is_new_is_tested_and_named(run, image_folder, capsys):
    shutil.copytree(image_folder / "class 0", image_folder / "brand new")
    said = evaluated(capsys)
    assert "1 class is new since the run, which was not trained on 'brand new'" in said
    assert "mAP" in said


def test_all_images_are_measured_on_request(run, capsys):
    evaluated(capsys, "--split", "all", "--save", "all.npz")
    assert len(np.load("all.npz")["labels"]) == 36
    evaluated(capsys, "--save", "test.npz")
    assert len(np.load("test.npz")["labels"]) < 36


@pytest.mark.parametrize("classes", [2, 4])
def test_few_classes_can_be_measured(run, tmp_path, image_folder, capsys, classes):
    for c in range(classes):
        shutil.copytree(image_folder / f"class {c}", tmp_path / "few" / f"other {c}")
    said = evaluated(capsys, "--dataset", "few")
    assert f"used {3 * classes} images of {classes} classes" in said
    assert "all of them are test classes" in said


def test_one_class_cannot(run, tmp_path, image_folder, failing):
    shutil.copytree(image_folder / "class 0", tmp_path / "few" / "other")
    assert "at least two are needed" in failing("evaluate", "mine", "--dataset", "few")


def test_a_split_without_images(run, tmp_path, image_folder, failing):
    shutil.copytree(image_folder / "class 0", tmp_path / "few" / "other")
    message = failing("evaluate", "mine", "--dataset", "few", "--split", "train")
    assert "images of 0 classes" in message
    assert "--split all" in message


def test_a_run_remembers_what_it_skipped(image_folder, capsys, failing):
    for c in range(12):
        (image_folder / f"class {c}" / "bad.jpg").write_text("<html>403</html>")
    options = ["--dataset", "images", *SHORT, "--out", "mine"]
    cli.main(["train", *options, "--on-bad-image", "skip"])
    assert read_json(Path("mine", "data.json"))["on_bad_image"] == "skip"
    assert "that cannot be read" in evaluated(capsys)
    assert "cannot be read" in failing("evaluate", "mine", "--on-bad-image", "raise")
    cli.main(["search", "images/class 0/0.jpg", "--run", "mine", "--k", "2"])


def stopped(image_folder, monkeypatch, *options):
    """A run that ends with an error after its first save."""
    from recallkit.training import session

    whole = session.Session.save

    def save_and_fail(self):
        whole(self)
        raise RecallkitError("the power is off")

    monkeypatch.setattr(session.Session, "save", save_and_fail)
    more = ["--evaluations", "2", "--images", "64", *options]
    with pytest.raises(SystemExit):
        cli.main(["train", "--dataset", "images", *SHORT, "--out", "mine", *more])
    monkeypatch.setattr(session.Session, "save", whole)


def test_a_run_is_resumed_from_where_its_images_are_now(
    image_folder, tmp_path, monkeypatch, failing, capsys
):
    (image_folder / "class 3" / "bad.jpg").write_text("<html>403</html>")
    stopped(image_folder, monkeypatch, "--on-bad-image", "skip")
    trained = read_json(Path("mine", "data.json"))["classes"]
    image_folder.rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "moved" / "class 0", tmp_path / "moved" / "a new one")
    assert "--dataset FOLDER" in failing("train", "--resume", "mine", "--device", "cpu")
    cli.main(["train", "--resume", "mine", "--dataset", "moved", "--device", "cpu"])
    stored = read_json(Path("mine", "data.json"))
    assert stored["classes"] == trained
    assert stored["dataset"] == str(tmp_path / "moved")
    skipped = read_json(Path("mine", "result.json"))["skipped"]  # before and after the move
    assert all("class 3/bad.jpg" in problem for problem in skipped)
    assert "a new one" in evaluated(capsys)


def test_train_and_test_folders_and_a_list_file(image_folder, tmp_path, capsys):
    """The same images, with the splits as folders and as a column."""
    rows = ["path,label,split"]
    for part, classes in (("train", range(7)), ("test", range(4, 12))):
        for c in classes:
            shutil.copytree(image_folder / f"class {c}", tmp_path / "own" / part / f"class {c}")
            rows += [f"own/{part}/class {c}/{i}.jpg,class {c},{part}" for i in range(3)]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    tables = []
    for dataset in ("own", "list.csv"):
        cli.main(["train", "--dataset", dataset, *SHORT, "--out", f"run-{dataset}"])
        output = capsys.readouterr()
        assert "3 of 8 test classes are training classes, too" in output.err or (
            "2 of 8 test classes are training classes, too" in output.err
        )
        tables.append(trained_row(output.out))
    assert tables[0] == tables[1]


def test_files_that_are_no_data_set(tmp_path, failing):
    (tmp_path / "all.zip").write_bytes(b"PK")
    assert "Unpack an archive first" in failing("train", "--dataset", "all.zip")
    (tmp_path / "list.csv").write_text("path,label\ngone.jpg,x\n")
    assert "row 2: gone.jpg" in failing("train", "--dataset", "list.csv")


def test_query_and_groups_of_a_list(run, image_folder, capsys):
    """Images of a query's own group are not in its ranking: a copy in its group is no hit."""
    rows = ["path,label,is_query,group"]
    for c in range(4):
        shutil.copy(image_folder / f"class {c}" / "0.jpg", image_folder / f"class {c}" / "copy.jpg")
        rows += [
            f"images/class {c}/0.jpg,new {c},1,g{c}",
            f"images/class {c}/copy.jpg,new {c},0,g{c}",
        ]
        rows += [f"images/class {c}/{i}.jpg,new {c},0," for i in (1, 2)]

    def recall(name, lines):
        with open(name, "w") as file:
            file.write("\n".join(lines))
        return trained_row(evaluated(capsys, "--dataset", name))[0]

    assert recall("alone.csv", [row.rpartition(",")[0] for row in rows]) == 100.0
    assert recall("groups.csv", rows) < 100.0
