"""``recallkit lab`` and ``notebooks``; what they open and execute."""

import subprocess
import sys

import pytest

from recallkit import cli
from recallkit.cli import course
from recallkit.files import embedded


@pytest.fixture
def opened(monkeypatch):
    """Collect the commands that ``lab`` would run."""
    commands = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(course.subprocess, "run", lambda command: commands.append(command) or done)
    return commands


def lab(*arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["lab", *arguments])
    return stop.value.code


def test_lab_opens_a_copy_and_not_the_originals(opened, tmp_path, capsys):
    assert lab("mine", "--", "--allow-root", "--port", "9000") == 0
    assert opened == [
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--notebook-dir=mine",
            "--allow-root",
            "--port",
            "9000",
        ]
    ]
    copies = sorted(path.name for path in (tmp_path / "mine").glob("*.ipynb"))
    assert copies == sorted(path.name for path in embedded("notebooks").glob("*.ipynb"))
    assert "the course is in mine: " in capsys.readouterr().out


def test_lab_takes_a_default_folder(opened, tmp_path):
    lab("--", "--allow-root")
    assert (tmp_path / "recallkit-course" / "README.md").is_file()


def test_lab_refuses_the_originals(opened):
    assert "holds the originals" in lab(str(embedded("notebooks")))
    assert opened == []


def test_lab_as_root_names_the_flag(opened, monkeypatch):
    monkeypatch.setattr(course.os, "geteuid", lambda: 0, raising=False)
    assert lab("mine").endswith("Run: recallkit lab mine -- --allow-root")
    assert opened == []
    monkeypatch.setattr(course.os, "geteuid", lambda: 1000, raising=False)
    assert lab("mine") == 0


def test_lab_without_jupyterlab(monkeypatch, opened):
    monkeypatch.setattr(course, "find_spec", lambda name: None)
    assert lab("mine").endswith('Run: pip install "recallkit[course]"')


def test_notebooks_are_those_of_the_folder(tmp_path, failing):
    (tmp_path / "mine").mkdir()
    assert "there is no notebook '01'" in failing("notebooks", "01", "--folder", "mine")


def test_notebooks_without_a_checkout_are_the_users_copy(monkeypatch, failing):
    monkeypatch.setattr(course, "checkout", lambda: None)
    assert "Copy the notebooks: recallkit lab" in failing("notebooks")
