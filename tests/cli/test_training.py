"""``recallkit train``, as a user types it."""

import json
import shlex
import shutil
import time
from dataclasses import replace

import pytest
from helpers.processes import command, interrupt, wait_until
from helpers.stopping import stop_after
from PIL import Image

from recallkit import cli, config, data
from recallkit.cli.training import defaults_of, preset_in
from recallkit.config import PRESETS
from recallkit.files import file_name
from recallkit.ranges import SettingError
from recallkit.run_files import read_config
from recallkit.training.claim import claimed


def test_train_prints_a_table_and_draws_two_figures(toy, capsys, tmp_path):
    cli.main(["train", "--out", "runs/one", "--seed", "3"])
    text = capsys.readouterr().out
    for word in ("pixels", "untrained", "trained", "R@1", "mAP@R", "runs/one/figures"):
        assert word in text
    assert text.startswith("preset emoji, run folder runs/one\n")
    for name in ("learning_curve", "retrieval"):
        with Image.open(tmp_path / "runs" / "one" / "figures" / f"{name}.png") as figure:
            assert figure.size[0] > 400


def test_a_flag_changes_one_setting_of_the_preset(toy, tmp_path):
    cli.main(["train", "--out", "a", "--rank-temperature", "0.05", "--simix", "--ks", "1", "2"])
    expected = replace(toy, rank_temperature=0.05, simix=True, ks=(1, 2))
    assert read_config(tmp_path / "a") == expected


def test_the_run_folder_is_named_after_data_and_time(toy, tmp_path):
    cli.main(["train"])
    [run] = (tmp_path / "runs").iterdir()
    assert run.name.startswith("emoji-20")


def test_a_run_that_cannot_be_resumed_is_named_first(toy, tmp_path, capsys, failing):
    cli.main(["train", "--out", "finished"])
    (tmp_path / "early").mkdir()
    shutil.copy(tmp_path / "finished" / "config.json", tmp_path / "early")
    capsys.readouterr()
    for folder, problem in {
        "gone": "gone is not a run: there is no such folder",
        "finished": "the run in finished is finished: there is nothing to resume",
        "early": "early/state.pt is missing: the run stopped before its first save",
    }.items():
        assert problem in failing("train", "--resume", folder)
    assert capsys.readouterr().out == ""  # not even "resumed"


@pytest.mark.parametrize("written", [[], ["config.json"], ["config.json", "state.pt"]])
def test_a_run_that_another_process_trains_is_named_so(toy, tmp_path, failing, written):
    """From its first moment on, whatever is written yet; nothing in its folder changes."""
    cli.main(["train", "--out", "run"])
    on_its_way, problem = tmp_path / "busy", "another process trains the run in busy now. Wait for"
    with claimed(on_its_way):
        for name in written:
            (on_its_way / name).write_bytes((tmp_path / "run" / "config.json").read_bytes())
        assert failing("train", "--resume", "busy").endswith(f"{problem} its end.")
        if written:
            assert problem in failing("evaluate", "busy")
        assert sorted(path.name for path in on_its_way.iterdir()) == [".lock", *written]


def test_a_lock_that_a_killed_process_left_hides_no_cause(toy, tmp_path, failing):
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / ".lock").touch()
    assert "killed is not a run: it has no config.json" in failing("train", "--resume", "killed")


def test_a_stopped_run_goes_on_by_the_command_that_it_printed(
    image_folder, tmp_path, monkeypatch, capsys, failing
):
    """With a frozen backbone; the weights are bit for bit those without the stop."""
    monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "cache"))
    flags = ["--dataset", "images", "--network", "timm/test_resnet", "--frozen", "--views", "2"]
    flags += ["--images", "64", "--batch-size", "8", "--image-size", "32", "--device", "cpu"]
    stopped = "it's half done"  # a path with blanks and a quote
    cli.main(["train", *flags, "--out", "whole"])
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        message = failing("train", *flags, "--out", stopped)
    assert "stopped after 3 of 8 steps" in message
    shutil.rmtree(tmp_path / "cache")  # the features are computed again
    capsys.readouterr()
    cli.main([*shlex.split(message.partition("with: recallkit ")[2]), "--device", "cpu"])
    assert capsys.readouterr().out.startswith(f"resumed, run folder {stopped}\n")
    whole, resumed = (tmp_path / name / "weights.safetensors" for name in ("whole", stopped))
    assert whole.read_bytes() == resumed.read_bytes()


def test_store_writes_to_the_users_results(toy, tmp_path, monkeypatch):
    cli.main(["train", "--out", "a", "--store", "mine"])
    stored = json.loads((tmp_path / "results" / "mine-seed0.json").read_text())
    assert stored["seed"] == 0
    names = sorted(path.name for path in (tmp_path / "results" / "figures").iterdir())
    assert names == ["mine-learning-curve.png", "mine-retrieval.png"]
    monkeypatch.setenv("RECALLKIT_RESULTS", str(tmp_path / "elsewhere"))
    cli.main(["train", "--out", "b", "--store", "mine", "--seed", "4"])
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["mine-seed4.json"]


@pytest.mark.parametrize(
    ("arguments", "preset"),
    [
        ([], "emoji"),
        (["--preset", "glyphs"], "glyphs"),
        (["--seed", "3", "--preset=sop-resnet50", "--root", "x"], "sop-resnet50"),
        (["--preset"], "emoji"),  # the parser proper complains
        (["--presets", "glyphs"], "emoji"),
        (["--dataset", "glyphs"], "emoji"),
        (["--dataset", "nowhere"], "emoji"),  # the loader complains
        (["--dataset", "mine"], "photos"),
        (["--seed", "1", "--dataset=mine"], "photos"),
        (["--dataset", "mine.csv"], "photos"),
        (["--dataset", "mine", "--preset", "emoji-finetuned"], "emoji-finetuned"),
        (["--dataset", "mine", "--resume", "run"], "emoji"),  # it goes on with its own settings
        (["--dataset", "sop"], "emoji"),  # a benchmark, though there is a folder of that name
    ],
)
def test_the_preset_among_the_arguments(arguments, preset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("mine", "sop"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mine.csv").write_text("path,label\n")
    assert preset_in(arguments) == preset


def test_a_number_of_images_takes_the_place_of_the_epochs_of_a_preset():
    assert defaults_of("photos", ["--images", "640"]) == replace(PRESETS["photos"], epochs=0)
    assert defaults_of("sop-resnet50", ["--images=640"]).milestones == ()
    assert defaults_of("photos", ["--epochs", "3"]) == PRESETS["photos"]
    assert defaults_of("emoji", ["--images", "640", "--epochs", "0"]) == PRESETS["emoji"]
    for preset in ("photos", "emoji"):
        with pytest.raises(SettingError, match="--images has no effect with --epochs"):
            defaults_of(preset, ["--images", "640", "--epochs", "3"])


def test_the_preset_sets_the_defaults_of_the_help(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--preset", "sop-resnet50", "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"(default: {config.PRESETS['sop-resnet50'].batch_size}; 2 to 1,048,576)" in text


def test_show_prints_settings_and_trains_nothing(tmp_path, capsys):
    cli.main(["train", "--preset", "glyphs", "--seed", "5", "--show"])
    text = capsys.readouterr().out
    assert text.startswith("preset glyphs\n")
    assert " seed " in text
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_images(image_folder, tmp_path):
    cli.main(["train", "--dataset", "images", "--batch-size", "8", "--out", "mine"])
    assert (tmp_path / "mine" / "result.json").exists()
    assert (tmp_path / "mine" / "tensorboard").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_image_that_cannot_be_read(image_folder, tmp_path, capsys, failing, workers):
    (image_folder / "class 3" / "1.jpg").write_bytes(b"no image")
    options = ["--dataset", "images", "--batch-size", "8", "--workers", workers]
    options += ["--no-tensorboard", "--out", "mine"]
    message = failing("train", *options)
    assert "class 3/1.jpg cannot be read as an image" in message
    assert "--on-bad-image skip" in message
    shutil.rmtree(tmp_path / "mine", ignore_errors=True)
    cli.main(["train", *options, "--on-bad-image", "skip"])
    text = capsys.readouterr().out
    assert "1 images could not be read and were left out:" in text
    assert "class 3/1.jpg" in text


def test_workers_change_nothing(image_folder, tmp_path):
    """Weights are the same however many processes decode; without any, sides are larger."""
    for workers in ("1", "2"):
        options = ["--dataset", "images", "--batch-size", "8", "--workers", workers]
        cli.main(["train", *options, "--out", workers])
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "12")
    assert a == b


def test_errors_are_one_line_and_name_the_remedy(toy, tmp_path, failing):
    (tmp_path / "empty").mkdir()
    assert "must hold sub-folders with images" in failing("train", "--dataset", "empty")
    assert "no data set or folder 'nowhere'" in failing("train", "--dataset", "nowhere")
    assert "did you mean glyphs" in failing("train", "--dataset", "glyph")
    message = failing("train", "--device", "abacus")
    assert "there is no device 'abacus' here: --device must be one of auto, cpu" in message
    assert "one of auto, cpu" in failing("train", "--device", "meta")
    message = failing("train", "--preset", "emoji-frosen")
    assert "there is no preset 'emoji-frosen'; did you mean emoji-frozen" in message
    assert "known presets are: emoji, " in failing("train", "--preset", "xyz")


def test_a_bad_setting_is_one_line_with_its_flag(toy, failing, tmp_path):
    assert failing("train", "--images", "1") == (
        "recallkit: error: --images must be at least batch_size = 16, not 1"
    )
    assert failing("train", "--warmup", "nan").endswith(
        "--warmup must lie between 0 and 1, not nan"
    )
    message = "recallkit: error: --workers must be a whole number between 0 and 1,024, not -1"
    assert failing("train", "--workers", "-1") == message
    message = failing("train", "--store", "../elsewhere/mine")
    assert message.endswith("--store must be a file's name, such as '-elsewhere-mine'")
    assert list(tmp_path.iterdir()) == []


def test_a_result_without_test_classes_is_printed(toy, toy_splits, monkeypatch, capsys):
    monkeypatch.setitem(data.LOADERS, "emoji", toy_splits.without_test)
    cli.main(["train", "--out", "a"])
    assert "there are no test classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flag", "option"), [("--lr", "--learning-rate"), ("--bs=4", "--batch-size")]
)
def test_initials_are_no_option_but_understood(flag, option, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", flag])
    assert stop.value.code == 2
    name = flag.partition("=")[0]
    assert f"there is no {name}; did you mean {option}?" in capsys.readouterr().err


def test_options_without_effect_are_refused(toy, failing):
    message = failing("train", "--root", "somewhere")
    assert "--root has no effect with the data set emoji: it is for cub, " in message
    cli.main(["train", "--out", "a"])
    for flags in (["--out", "b"], ["--batch-size", "8"], ["--preset", "glyphs"]):
        message = failing("train", "--resume", "a", *flags)
        assert f"{flags[0]} has no effect with --resume" in message


def test_what_cannot_begin_leaves_no_folder(toy, failing, tmp_path):
    for flags in (["--network", "resnet5"], ["--dataset", "nowhere"], ["--device", "gpu"]):
        failing("train", *flags)
        failing("train", *flags, "--out", "mine")
        assert not (tmp_path / "mine").exists()
        assert not any((tmp_path / "runs").iterdir())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    failing("train", "--network", "resnet5", "--out", "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_two_runs_of_one_second_have_folders_of_their_own(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda *arguments: "20260101-000000")
    for seed in "123":
        cli.main(["train", "--seed", seed])
    folders = sorted((tmp_path / "runs").iterdir())
    assert [f.name for f in folders] == [f"emoji-20260101-000000{end}" for end in ("", "-2", "-3")]
    assert [read_config(folder).seed for folder in folders] == [1, 2, 3]


@pytest.mark.parametrize("name", ["a:b", "…" * 80])
def test_a_folder_of_any_name_gives_a_name_that_every_system_allows(
    image_folder, tmp_path, monkeypatch, name
):
    data = image_folder.rename(tmp_path / name)
    monkeypatch.chdir(data)
    cli.main(["train", "--dataset", ".", "--batch-size", "8", "--no-tensorboard"])
    [run] = (data / "runs").iterdir()
    assert run.name.startswith(file_name(name))
    assert ":" not in run.name
    assert len(run.name.encode()) <= 120


def test_ctrl_c_in_a_real_process(tmp_path):
    """SIGINT while training: status 1, a line that says how to go on, and a state to do it."""
    options = ["--out", "run", "--device", "cpu"]
    options += ["--evaluations", "2000"]  # the first after a step or two
    with command("train", *options) as process:
        wait_until((tmp_path / "run" / "metrics.jsonl").exists, process)
        message = interrupt(process)[1]
    assert process.returncode == 1
    assert "recallkit train --resume run" in message.splitlines()[-1]
    assert (tmp_path / "run" / "state.pt").exists()
    assert not (tmp_path / "run" / "result.json").exists()
