"""The programs of the guide's page on loops of one's own run as they stand."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "notebooks" / "guide" / "own-loop.md"


def programs_of(text):
    """The fenced Python programs of a page, by the heading they stand under."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {
        section.splitlines()[0]: program
        for section in sections
        for program in re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    }


PROGRAMS = programs_of(PAGE.read_text(encoding="utf-8"))
APART = {"lightning": "Lightning, in two processes"}
APART |= {"sentence_transformers": "Beside the cached losses of sentence-transformers"}


def installed(package):
    return importlib.util.find_spec(package) is not None


def test_every_program_is_run_and_short():
    assert len(PROGRAMS) == 5
    assert set(APART.values()) < set(PROGRAMS)
    assert max(len(program.splitlines()) for program in PROGRAMS.values()) <= 50


@pytest.mark.parametrize("title", [title for title in PROGRAMS if title not in APART.values()])
def test_a_program_runs_without_a_warning(title, capsys):
    if "pytorch_metric_learning" in PROGRAMS[title]:
        pytest.importorskip("pytorch_metric_learning")
    torch.manual_seed(0)
    exec(compile(PROGRAMS[title], title, "exec"), {"__name__": "__main__"})
    assert re.search(r"\d\.\d", capsys.readouterr().out)


def run(title, tmp_path):
    """Run a program from a file, as a user does; return what it prints."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS[title], encoding="utf-8")
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not installed("lightning"), reason="needs lightning")
def test_lightning_in_two_processes_trains_one_network(tmp_path):
    printed = dict(re.findall(r"process (\d): (-?\d+\.\d{6})", run(APART["lightning"], tmp_path)))
    assert set(printed) == {"0", "1"}
    assert printed["0"] == printed["1"]


@pytest.mark.skipif(not installed("sentence_transformers"), reason="needs sentence-transformers")
def test_the_gradient_is_that_of_the_cached_loss(tmp_path):
    """The program compares the two itself."""
    assert "tensor(" in run(APART["sentence_transformers"], tmp_path)
