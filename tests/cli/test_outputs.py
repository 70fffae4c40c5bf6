"""What ``train`` prints and draws, whatever names the images have and whatever goes wrong."""

import os
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from helpers.user_names import NAMES
from PIL import Image

from recallkit import cli, plots
from recallkit.cli import training
from recallkit.cli.outputs import print_result, warning_without
from recallkit.config import Config
from recallkit.run_files import read_config


def file_name(name):
    """A name that a file system takes."""
    fitting = name.replace("\0", "").replace("/", "").strip() or "x"
    return os.fsdecode(os.fsencode(fitting)[:240].decode("utf-8", "ignore").encode())


@pytest.fixture
def strange_folder(tmp_path, small_preset):
    """Write a folder whose classes and files have the names that users give."""
    names = dict.fromkeys(file_name(name) for kind, name in NAMES.items() if "half" not in kind)
    for c, name in enumerate(names):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(3):
            image = Image.new("RGB", (8, 8), (9 * c, 80 * i, 0))
            image.save(tmp_path / "images" / name / f"{i} {name[:99]}.png".strip())
    return tmp_path / "images"


@pytest.fixture
def own_images(tmp_path, monkeypatch):
    """Write eight classes of four images, and an empty cache beside them."""
    monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "cache"))
    for c in range(8):
        (tmp_path / "mine" / f"class{c}").mkdir(parents=True)
        for i in range(4):
            image = Image.new("RGB", (40, 40), (30 * c, 200 - 20 * c, 10 * i))
            image.save(tmp_path / "mine" / f"class{c}" / f"{i}.png")
    return tmp_path / "mine"


def test_images_of_ones_own_take_pretrained_features(own_images, capsys):
    (own_images / "class0" / "5.png").write_text("403 Forbidden")
    flags = "--out run --image-size 32 --device cpu --on-bad-image skip --workers 1 --batch-size 8"
    cli.main(["train", "--dataset", "mine", *flags.split()])
    text = capsys.readouterr().out
    assert text.startswith(
        "preset photos (a head on pretrained features; --preset NAME for others)"
    )
    for row in ("pixels", "features", "untrained", "trained"):
        assert f"| {row} " in text
    assert "1 images could not be read" in text
    # Every image of a test class has three others of its class.
    counts = re.search(r"means over (\d+) of (\d+) queries, of (\d+) classes\.", text)
    assert counts is not None
    counted, queries, classes = map(int, counts.groups())
    assert counted == queries == 4 * classes


def test_the_whole_network_is_compared_with_its_features_too(own_images, capsys, tmp_path):
    flags = "--no-frozen --out run --image-size 32 --device cpu --images 8 --batch-size 8"
    cli.main(["train", "--dataset", "mine", *flags.split()])
    assert "| features " in capsys.readouterr().out
    config = read_config(tmp_path / "run")
    assert (config.frozen, config.pretrained, config.epochs) == (False, True, 0)


def test_a_network_without_pretrained_weights_is_refused_with_the_remedy(own_images, failing):
    message = failing("train", "--dataset", "mine", "--network", "small")
    assert "--frozen needs a backbone whose features are worth keeping" in message
    assert "or train a small network from scratch with --preset emoji" in message


BEHIND = {"pixels": 0.1, "features": 0.764, "trained": 0.741}


@pytest.mark.parametrize(
    ("rows", "settings", "line"),
    [
        (BEHIND, {"frozen": True, "epochs": 9}, "(R@1 74.1) is behind the pretrained features"),
        (BEHIND, {"frozen": True, "epochs": 9}, "alone (76.4), which need no training: the head"),
        (BEHIND, {"frozen": True, "epochs": 9}, "Take fewer --epochs, or more classes"),
        (BEHIND, {"frozen": True, "epochs": 0}, "Take fewer --images, or more classes"),
        (BEHIND, {"frozen": False, "epochs": 0}, "train the head alone: --frozen"),
        ({"pixels": 0.1, "features": 0.7, "trained": 0.7}, {}, ""),
        ({"pixels": 0.41, "trained": 0.093}, {}, "is behind the pixels alone (41.0)"),
        ({"pixels": 0.41, "trained": 0.093}, {"epochs": 3}, "train for more --epochs"),
        ({"pixels": 0.41, "trained": 0.093}, {}, "--preset photos --dataset emoji"),
        ({"pixels": 0.41, "trained": 0.093}, {"root": "my"}, "--preset photos --dataset my"),
        ({"pixels": 0.8, "features": 0.7, "trained": 0.75}, {}, "behind the pixels alone (80.0)"),
        ({"pixels": 0.41, "trained": 0.42}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_a_network_behind_what_needs_no_training_says_so(rows, settings, line, capsys):
    test = {name: {"R@1": value} for name, value in rows.items()}
    config = {"frozen": False, "epochs": 0, "dataset": "emoji", "root": ""} | settings
    print_result({"test": test, "config": config, "seconds": 1.0, "skipped": []}, Path("run"))
    text = capsys.readouterr().out
    assert ("behind" in text) == bool(line)
    assert line in text


def test_searches_without_recall_are_behind_nothing(capsys):
    test = {name: {"medium mAP": 0.5} for name in ("pixels", "features", "trained")}
    config = {"frozen": False, "epochs": 0}
    print_result({"test": test, "config": config, "seconds": 1.0, "skipped": []}, Path("run"))
    assert "behind" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("loss", "settings", "line"),
    [
        (0.11, {}, "training loss 0.110, floor 0.102: the batch is nearly solved"),
        (0.18, {}, "training loss 0.180, floor 0.102"),
        (0.18, {"simix": True}, "training loss 0.180, floor 0.079"),
        (0.05, {}, "training loss 0.050, floor 0.102: below the loss of a perfect ranking"),
        (0.18, {"loss": "contrastive"}, "training loss 0.180"),
    ],
)
def test_the_training_loss_is_said_with_its_floor(loss, settings, line, capsys):
    result = {
        "test": {},
        "config": asdict(replace(Config(simix=False), **settings)),
        "seconds": 1.0,
        "skipped": [],
        "validation": [{"loss": 0.9}, {"loss": loss}],
        "class_sizes": {"4": 10},
    }
    print_result(result, Path("run"))
    assert line in capsys.readouterr().out.splitlines()


def test_a_training_on_strange_names_draws_its_figures(strange_folder, capsys, tmp_path):
    cli.main(["train", "--dataset", str(strange_folder), "--out", "run"])
    text, problems = capsys.readouterr()
    assert "| trained " in text
    assert text.index("| trained ") < text.index("drew ")
    assert "warning" not in problems
    names = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert names == {"learning_curve.png", "retrieval.png"}


@pytest.mark.parametrize("failing", ["plot_learning_curve", "plot_neighbours"])
def test_a_figure_that_fails_costs_nothing_else(toy, monkeypatch, capsys, tmp_path, failing):
    def fail(*_):
        raise RuntimeError("no font\nat all")

    monkeypatch.setattr(plots, failing, fail)
    cli.main(["train", "--out", "run", "--store", "mine"])  # status 0: it returns
    text, problems = capsys.readouterr()
    lost, drawn = ("learning_curve", "retrieval")[:: 1 if "curve" in failing else -1]
    assert "| trained " in text
    warning = f"recallkit: warning: the figure {lost}.png could not be drawn: no font at all"
    assert problems.splitlines().count(warning) == 1
    assert [path.stem for path in (tmp_path / "run" / "figures").iterdir()] == [drawn]
    assert (tmp_path / "results" / "mine-seed0.json").is_file()


def test_an_interruption_of_the_drawing_stores_the_result(toy, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "draw_figures", interrupt)
    with pytest.raises(SystemExit):
        cli.main(["train", "--out", "run", "--store", "mine"])
    assert (tmp_path / "results" / "mine-seed0.json").is_file()


def test_an_interruption_is_no_failed_figure():
    with pytest.raises(KeyboardInterrupt), warning_without("the figure"):
        raise KeyboardInterrupt
