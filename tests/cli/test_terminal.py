"""Bars where stderr is a file: few states of them. Terminals of few columns."""

import os
import shutil
import subprocess
import sys

import pytest

from recallkit import cli
from recallkit.cli import shared
from recallkit.cli.terminal import wide_enough

BAR = """
import os, time
from recallkit.cli.terminal import keep_logs_short

before = dict(os.environ)
keep_logs_short()
assert dict(os.environ) == before
from tqdm import tqdm
for _ in tqdm(range(40)):
    time.sleep(0.02)
"""


def states(**variables):
    """How many states of a bar of 0.8 s come through a pipe."""
    done = subprocess.run(
        [sys.executable, "-c", BAR], capture_output=True, env=os.environ | variables, check=True
    )
    return done.stderr.count(b"\r")


def test_a_file_gets_few_states_of_a_bar():
    assert states() <= 2  # the first and the last
    assert states(TQDM_MININTERVAL="0.01", TQDM_MAXINTERVAL="1") > 10  # as the user says


@pytest.mark.parametrize("columns", ["1", None])
def test_a_terminal_of_one_column_is_taken_for_a_wider_one(columns, monkeypatch):
    """The help of a command never ended there, and took all memory."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    else:  # the terminal itself is narrow
        monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((4, 24)))
    before = dict(os.environ)
    with wide_enough():
        assert os.environ["COLUMNS"] == "20"
    assert dict(os.environ) == before


def test_help_is_written_for_a_wider_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1")
    widths = []
    monkeypatch.setattr(shared.tyro, "cli", lambda *_, **__: widths.append(os.environ["COLUMNS"]))
    with pytest.raises(AttributeError):  # nothing was parsed
        cli.main(["runs", "--help"])
    assert widths == ["20"]
