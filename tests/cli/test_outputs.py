"""What ``train`` prints and draws, whatever names the images have and whatever goes wrong."""

import os

import pytest
from helpers.user_names import NAMES
from PIL import Image

from recallkit import cli, plots
from recallkit.cli.outputs import warning_without


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


def test_an_interruption_is_no_failed_figure():
    with pytest.raises(KeyboardInterrupt), warning_without("the figure"):
        raise KeyboardInterrupt
