"""Where the course runs beside a checkout: the first cell of each notebook, and Binder."""

import os
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement

from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import code_cells

ROOT = Path(__file__).resolve().parents[1]
BINDER = ROOT / "binder"
IN_CONDA = {"torch": "pytorch-cpu", "faiss-gpu": "faiss-cpu", "matplotlib": "matplotlib-base"}
ADDRESS = "recallkit[course] @ git+https://example.org/recallkit"


def first_cells():
    return {path: code_cells(nbformat.read(path, as_version=4))[0] for path in find_notebooks()}


def installed_by(cell, folder, monkeypatch, has_recallkit=False):
    """Run a first cell in ``folder``; return what it gives to pip."""
    given = []

    class Shell:
        def run_line_magic(self, name, line):
            if name == "pip":
                given.append(line.format(**names))

    monkeypatch.chdir(folder)
    found = object() if has_recallkit else None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    names = {"get_ipython": Shell}
    exec(TransformerManager().transform_cell(cell.source), names)
    return given


def test_each_notebook_begins_with_the_same_installation():
    cells = first_cells()
    beginnings = {cell.source.partition("\n%config")[0] for cell in cells.values()}
    assert len(beginnings) == 1
    assert 'find_spec("recallkit")' in beginnings.pop()


@pytest.fixture
def cell(monkeypatch):
    monkeypatch.delenv("RECALLKIT_SOURCE", raising=False)
    return next(iter(first_cells().values()))


def test_where_recallkit_is_installed_nothing_is_fetched(cell, tmp_path, monkeypatch):
    monkeypatch.setenv("RECALLKIT_SOURCE", ADDRESS)
    assert installed_by(cell, tmp_path, monkeypatch, has_recallkit=True) == []


def test_a_checkout_installs_itself(cell, monkeypatch):
    assert installed_by(cell, ROOT / "notebooks", monkeypatch) == ['install --quiet "..[course]"']


def test_a_lone_notebook_installs_from_an_address(cell, tmp_path, monkeypatch):
    """As in Colab, which opens one notebook and has no checkout around it."""
    monkeypatch.setenv("RECALLKIT_SOURCE", ADDRESS)
    assert installed_by(cell, tmp_path, monkeypatch) == [f'install --quiet "{ADDRESS}"']


def test_a_lone_notebook_without_an_address_names_the_remedy(cell, tmp_path, monkeypatch):
    with pytest.raises(ModuleNotFoundError, match="set RECALLKIT_SOURCE, see guide/elsewhere"):
        installed_by(cell, tmp_path, monkeypatch)


def wanted():
    """Name → oldest version, of all that [course] needs, by the names of conda-forge."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["train"], *extras["course"]]
    required = [Requirement(line) for line in lines if not line.startswith("recallkit")]
    return {
        IN_CONDA.get(one.name, one.name): str(one.specifier)
        for one in required
        if one.name != "faiss-gpu"
    }


def test_binder_has_what_the_course_needs():
    environment = yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))
    [*plain, by_pip] = environment["dependencies"]
    entries = [re.match(r"([\w-]+)(.*)", line) for line in [*plain, *by_pip["pip"]]]
    given = {entry[1]: entry[2] for entry in entries}
    assert given.pop("pip") == ""
    assert given.pop("python").startswith("=3.")
    assert given == wanted()
    assert environment["channels"] == ["conda-forge"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bits")
def test_binder_installs_recallkit_alone_after_it():
    script = BINDER / "postBuild"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/bash\n")
    assert "pip install --no-deps" in text
