"""A stored number names the code that made it."""

import shutil
import subprocess

import pytest

from recallkit.training.environment import commit_of


@pytest.fixture
def checkout(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (tmp_path / "data" / "results").mkdir(parents=True)
    (tmp_path / "package").mkdir()
    for name in ("package/code.py", "data/images.bin", "data/results/run.json"):
        (tmp_path / name).write_text("first")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "first")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_the_commit_in_twelve_digits(checkout):
    name = commit_of(checkout / "package")
    assert len(name) == 12
    assert set(name) <= set("0123456789abcdef")


def test_a_result_stored_over_another_is_no_other_code(checkout):
    clean = commit_of(checkout / "package")
    (checkout / "data" / "results" / "run.json").write_text("second")
    assert commit_of(checkout / "package") == clean


@pytest.mark.parametrize("name", ["package/code.py", "data/images.bin"])
def test_changed_code_and_data_are_told(checkout, name):
    clean = commit_of(checkout / "package")
    (checkout / name).write_text("second")
    assert commit_of(checkout / "package") == f"{clean}-dirty"
    (checkout / name).write_text("first")
    assert commit_of(checkout / "package") == clean


def test_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) == "unknown"
