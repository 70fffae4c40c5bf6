"""Signed notebooks: those that were named, as they are."""

import nbformat
from nbformat import v4
from nbformat.sign import NotebookNotary

from recallkit.course.trust import trust_notebooks


def write(path, source):
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(source)]), path)
    return path


def is_trusted(path):
    return NotebookNotary().check_signature(nbformat.read(path, as_version=4))


def test_the_named_are_trusted_until_they_change(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    first, second = write(tmp_path / "a.ipynb", "1"), write(tmp_path / "b.ipynb", "2")
    trust_notebooks([first])
    assert is_trusted(first)
    assert not is_trusted(second)
    write(first, "3")
    assert not is_trusted(first)
