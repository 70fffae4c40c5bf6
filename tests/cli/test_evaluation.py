"""``recallkit evaluate`` and ``runs`` on a run that ``train`` left."""

import pytest
from helpers.random_run import draw, make_run

from recallkit import cli
from recallkit.gallery import read_index


@pytest.fixture
def trained(toy, capsys):
    """Train two steps into the run folder runs/one."""
    cli.main(["train", "--out", "runs/one"])
    capsys.readouterr()


def test_the_latest_run_is_listed_and_evaluated(trained, capsys):
    cli.main(["runs"])
    assert "| one | finished |" in " ".join(capsys.readouterr().out.split())
    cli.main(["evaluate"])
    text = capsys.readouterr().out
    assert "runs/one, test classes" in text
    assert "mAP " in text


def test_errors_are_one_line_and_name_the_remedy(tmp_path, failing):
    (tmp_path / "empty").mkdir()
    assert "Train one with: recallkit train" in failing("evaluate")
    assert "where it holds images, name a run" in failing("evaluate", "empty")


def test_images_without_classes_are_embedded_if_they_are_to_be_saved(tmp_path, capsys):
    make_run(tmp_path / "run")
    for i in range(3):
        draw(tmp_path / "album" / f"{i}.png", i)
    cli.main(["evaluate", "run", "--dataset", "album", "--save", "album.npz", "--device", "cpu"])
    assert "no classes: they are embedded, and nothing evaluated" in capsys.readouterr().out
    assert read_index(tmp_path / "album.npz").paths == ("0.png", "1.png", "2.png")
