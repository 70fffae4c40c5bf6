"""``recallkit evaluate``, ``search`` and ``runs`` on a run that ``train`` left."""

import pytest
from PIL import Image

from recallkit import cli


@pytest.fixture
def trained(toy, capsys):
    """Train two steps into the run folder runs/one."""
    cli.main(["train", "--out", "runs/one"])
    capsys.readouterr()
    Image.new("RGB", (30, 20), "red").save("mine.png")


def test_the_latest_run_is_listed_and_evaluated(trained, capsys):
    cli.main(["runs"])
    assert "| one | finished |" in " ".join(capsys.readouterr().out.split())
    cli.main(["evaluate"])
    text = capsys.readouterr().out
    assert "runs/one, test classes" in text
    assert "mAP " in text


def test_search_prints_and_draws_the_nearest_images(trained, capsys, tmp_path):
    cli.main(["search", "mine.png", "--k", "3", "--out", "nearest.png"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "drew"]
    assert (tmp_path / "nearest.png").stat().st_size > 1000


def test_a_failed_search_draws_nothing(trained, tmp_path, failing):
    assert "k must" in failing("search", "mine.png", "--k", "1000", "--out", "nearest.png")
    assert not (tmp_path / "nearest.png").exists()


def test_errors_are_one_line_and_name_the_remedy(tmp_path, failing):
    (tmp_path / "empty").mkdir()
    assert "Train one with: recallkit train" in failing("evaluate")
    assert "is not a run" in failing("evaluate", "empty")
    assert "there is no image gone.png" in failing("search", "gone.png")
    (tmp_path / "text.png").write_text("no image")
    assert "text.png cannot be read as an image" in failing("search", "text.png")
