"""The command, as a user types it."""

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image

from recallkit import cli
from recallkit import config as presets
from recallkit.course import notebooks as course

SMALL = presets.Config(images=32, batch_size=16, evaluations=1, image_size=16, embedding_dim=8)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toy(monkeypatch, toy_splits):
    """The toy data under the name of the default data set, and a preset of two steps."""
    from recallkit import data

    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    monkeypatch.setitem(presets.PRESETS, "emoji", SMALL)


def failing(*arguments):
    """Run a command that must fail; return what it says."""
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    assert isinstance(stop.value.code, str)  # which Python prints on stderr, with status 1
    return stop.value.code


COMMANDS = ["train", "evaluate", "search", "runs", "ablate", "plot", "bench", "prepare"]
COMMANDS += ["compare", "lab", "notebooks"]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "recallkit" in shown
    assert "Examples:" in shown if command else "search" in shown


def test_train_evaluate_and_search(toy, capsys, tmp_path):
    cli.main(["train", "--out", "runs/one", "--seed", "3"])
    shown = capsys.readouterr().out
    for word in ("pixels", "untrained", "trained", "R@1", "mAP@R", "runs/one/figures"):
        assert word in shown
    for figure in ("learning_curve", "retrieval"):
        with Image.open(tmp_path / "runs" / "one" / "figures" / f"{figure}.png") as picture:
            assert picture.size[0] > 400

    cli.main(["runs"])
    shown = capsys.readouterr().out
    assert "| one | finished |" in " ".join(shown.split())
    cli.main(["evaluate"])
    shown = capsys.readouterr().out
    assert "runs/one, test classes" in shown
    assert "mAP " in shown

    Image.new("RGB", (30, 20), "red").save("own.png")
    cli.main(["search", "own.png", "--k", "3", "--out", "found.png"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "drew"]
    assert (tmp_path / "found.png").stat().st_size > 1000


def test_a_flag_changes_one_setting_of_the_preset(toy, tmp_path):
    from recallkit.training.run_folder import read_config

    cli.main(["train", "--out", "a", "--rank-temperature", "0.05", "--simix", "--ks", "1", "2"])
    expected = replace(SMALL, rank_temperature=0.05, simix=True, ks=(1, 2))
    assert read_config(tmp_path / "a") == expected


def test_the_run_folder_is_named_after_data_and_time(toy, tmp_path):
    cli.main(["train"])
    [run] = (tmp_path / "runs").iterdir()
    assert run.name.startswith("emoji-20")


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "emoji", SMALL)
    generator = torch.Generator().manual_seed(0)
    for c in range(12):
        (tmp_path / "pictures" / f"class {c}").mkdir(parents=True)
        for i in range(3):
            pixels = torch.randint(0, 256, (8, 9, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(tmp_path / "pictures" / f"class {c}" / f"{i}.jpg")
    return tmp_path / "pictures"


def test_a_folder_of_ones_own(pictures, tmp_path):
    cli.main(["train", "--dataset", "pictures", "--batch-size", "8", "--out", "own"])
    assert (tmp_path / "own" / "result.json").exists()
    assert (tmp_path / "own" / "tensorboard").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_picture_that_cannot_be_read(pictures, tmp_path, capsys, workers):
    (pictures / "class 3" / "1.jpg").write_bytes(b"no picture")
    options = ["--dataset", "pictures", "--batch-size", "8", "--workers", workers]
    options += ["--no-tensorboard", "--out", "own"]
    message = failing("train", *options)
    assert "class 3/1.jpg cannot be read as an image" in message
    assert "--on-bad-image skip" in message
    shutil.rmtree(tmp_path / "own", ignore_errors=True)
    cli.main(["train", *options, "--on-bad-image", "skip"])
    shown = capsys.readouterr().out
    assert "1 pictures could not be read and were left out:" in shown
    assert "class 3/1.jpg" in shown


def test_workers_change_nothing(pictures, tmp_path):
    """Weights are the same however many processes decode; without any, sides are larger."""
    for workers in ("1", "2"):
        options = ["--dataset", "pictures", "--batch-size", "8", "--workers", workers]
        cli.main(["train", *options, "--out", workers])
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "12")
    assert a == b


def test_errors_are_one_line_and_name_the_remedy(toy, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "must hold at least 6 sub-folders" in failing("train", "--dataset", "empty")
    assert "no data set or folder 'nowhere'" in failing("train", "--dataset", "nowhere")
    assert "Train one with: recallkit train" in failing("evaluate")
    assert "is not a run" in failing("evaluate", "empty")
    assert "there is no image gone.png" in failing("search", "gone.png")
    (tmp_path / "text.png").write_text("no picture")
    assert "text.png cannot be read as an image" in failing("search", "text.png")
    assert "there is no device 'abacus'" in failing("train", "--device", "abacus")


def test_a_bad_setting_is_a_usage_error(toy, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--images", "1"])
    assert stop.value.code == 2
    assert "images must be at least batch_size" in " ".join(capsys.readouterr().err.split())


def test_a_failed_search_draws_nothing(toy, tmp_path):
    cli.main(["train", "--out", "runs/one"])
    Image.new("RGB", (30, 20), "red").save("own.png")
    assert "k must" in failing("search", "own.png", "--k", "1000", "--out", "found.png")
    assert not (tmp_path / "found.png").exists()


def test_unknown_flags_are_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--batch", "3"])
    assert stop.value.code == 2
    assert "--batch-size" in capsys.readouterr().err


def test_interrupt_ends_with_a_line(monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.tyro, "cli", interrupt)
    assert failing("evaluate") == "recallkit: interrupted"


def test_lab_without_notebooks_or_jupyter(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install jupyterlab" in failing("lab")
    monkeypatch.setattr(course, "__file__", str(tmp_path / "recallkit" / "course" / "notebooks.py"))
    assert "Use a checkout" in failing("lab")


def test_lab_opens_the_notebooks(monkeypatch):
    called = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(subprocess, "run", lambda command: called.append(command) or done)
    with pytest.raises(SystemExit) as stop:
        cli.main(["lab"])
    assert stop.value.code == 0
    assert called[0][:3] == [sys.executable, "-m", "jupyterlab"]
    assert called[0][3].endswith("notebooks")


def test_ctrl_c_in_a_real_process(tmp_path):
    """SIGINT while training: status 1, a line that says how to go on, and a state to do it."""
    import signal
    import time

    command = [sys.executable, "-m", "recallkit", "train", "--out", "run", "--device", "cpu"]
    command += ["--evaluations", "2000"]  # the first after a step or two
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert "recallkit train --resume run" in message.splitlines()[-1]
    assert (tmp_path / "run" / "state.pt").exists()
    assert not (tmp_path / "run" / "result.json").exists()


def test_errors_print_no_traceback(tmp_path):
    command = [sys.executable, "-m", "recallkit", "evaluate", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("recallkit: error: nowhere is not a run")
