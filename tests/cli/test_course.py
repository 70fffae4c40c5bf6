"""``recallkit lab`` and ``notebooks``; what they open and execute."""

import subprocess
import sys

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from recallkit import cli
from recallkit.cli import course
from recallkit.files import embedded


@pytest.fixture
def opened(monkeypatch):
    """Collect the commands that ``lab`` would run, by a user who is not root."""
    commands = []
    monkeypatch.setattr(course.os, "geteuid", lambda: 1000, raising=False)
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


def test_lab_as_root_starts_and_says_so(opened, monkeypatch, capsys):
    monkeypatch.setattr(course.os, "geteuid", lambda: 0, raising=False)
    assert lab("mine") == 0
    assert "you are root, so JupyterLab is started with --allow-root" in capsys.readouterr().out
    assert lab("mine", "--allow-root") == 0
    assert "you are root" not in capsys.readouterr().out
    monkeypatch.setattr(course.os, "geteuid", lambda: 1000, raising=False)
    assert lab("mine") == 0
    assert [command.count("--allow-root") for command in opened] == [1, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "own", "flags"),
    [
        ("", "", ""),
        ("mine", "mine", ""),
        ("--allow-root --no-browser", "", "--allow-root --no-browser"),
        ("--port 1234 mine", "mine", "--port 1234"),
        ("--port=1234 mine", "mine", "--port=1234"),
        ("mine --ip 0.0.0.0 --no-browser", "mine", "--ip 0.0.0.0 --no-browser"),
        ("--no-browser mine", "mine", "--no-browser"),
        ("--ServerApp.token=x mine", "mine", "--ServerApp.token=x"),
        ("--ServerApp.token x mine", "mine", "--ServerApp.token x"),
        ("mine -- --port 9 other", "mine", "--port 9 other"),
        ("--no-browser -- --unknown x", "", "--no-browser --unknown x"),
        ("-- -h", "", "-h"),
        ("--copy-only mine", "--copy-only mine", ""),
        ("-y --debug --log-level 10", "", "-y --debug --log-level 10"),
        ("--port", "", "--port"),
    ],
)
def test_flags_of_jupyterlab_go_to_it(arguments, own, flags):
    assert course.split_flags(arguments.split()) == (own.split(), flags.split())


def test_a_flag_that_nobody_has_is_refused(opened, failing):
    message = failing("lab", "--no-broswer")
    assert "has the flag --no-broswer; did you mean --no-browser" in message
    assert "recallkit lab -- FLAG passes on any flag" in failing("lab", "--qqq")
    assert opened == []


def test_lab_copies_only(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "find_spec", lambda name: None)  # it is not needed
    cli.main(["lab", "mine", "--copy-only"])
    copy = nbformat.read(next((tmp_path / "mine").glob("01*.ipynb")), as_version=4)
    assert NotebookNotary().check_signature(copy)
    assert opened == []
    assert (tmp_path / "mine" / "00_quickstart.ipynb").is_file()


@pytest.mark.parametrize("variable", course.EDITORS.values())
def test_lab_says_what_can_open_the_copy(opened, monkeypatch, capsys, variable):
    monkeypatch.setenv(variable, "1")
    lab("mine")
    assert "Next time: recallkit lab --copy-only" in capsys.readouterr().out


def test_lab_knows_the_home_folder(opened, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert lab("~/course") == 0
    assert (tmp_path / "home" / "course" / "README.md").is_file()
    assert f"--notebook-dir={tmp_path / 'home' / 'course'}" in opened[0]


@pytest.mark.parametrize("folder", ["taken", "taken/below"])
def test_lab_refuses_a_file(opened, tmp_path, failing, folder):
    (tmp_path / "taken").write_text("mine")
    assert "taken is a file. Name a folder" in failing("lab", folder)
    assert (tmp_path / "taken").read_text() == "mine"
    assert opened == []


def test_lab_without_jupyterlab(monkeypatch, opened):
    monkeypatch.setattr(course, "find_spec", lambda name: None)
    assert lab("mine").endswith('Run: pip install "recallkit[course]"')


def test_notebooks_are_those_of_the_folder(tmp_path, failing):
    (tmp_path / "mine").mkdir()
    assert "there is no notebook '01'" in failing("notebooks", "01", "--folder", "mine")


def test_notebooks_without_a_checkout_are_the_users_copy(monkeypatch, failing):
    monkeypatch.setattr(course, "checkout", lambda: None)
    assert "Copy the notebooks: recallkit lab" in failing("notebooks")
