"""The notebook on one's own images only reads the folder that it is given."""

from dataclasses import replace

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from PIL import Image

from recallkit.course import profiles
from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import code_cells

CLASSES = ["100% cotton", "Ba$$in", "a & b", "stühle", "dishes", "emoji 😀", "glass", "hats"]


@pytest.fixture
def photographs(tmp_path):
    """Write a folder as people have it: with a broken.jpg of their own, and leavings of systems."""
    folder = tmp_path / "photographs"
    generator = torch.Generator().manual_seed(0)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for file in ("broken.jpg", "broken.png", "IMG_1.JPG", "IMG_2.jpeg", "x.png", "$.png"):
            pixels = torch.randint(0, 256, (12, 9, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / name / file)
    for empty in ("!empty", "__MACOSX", ".ipynb_checkpoints"):
        (folder / empty).mkdir()
    for leaving in (".DS_Store", "100% cotton/.DS_Store", "dishes/Thumbs.db", "notes.txt"):
        (folder / leaving).write_bytes(b"left by a system")
    return folder


def state(folder):
    """All that a folder holds: names, contents, and when each was changed."""
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


def run_cells(sources, namespace):
    for source in sources:
        exec(compile(source, "a cell", "exec"), namespace)


@pytest.fixture
def cells(monkeypatch):
    """Give the code of the notebook, to be run here on the smallest sizes."""
    small = replace(profiles.PROFILES["smoke"], images=900)
    monkeypatch.setitem(profiles.PROFILES, "smoke", small)
    monkeypatch.setenv("RECALLKIT_PROFILE", "smoke")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    [path] = find_notebooks(["09"])
    install, *others = code_cells(nbformat.read(path, as_version=4))
    assert "%pip" in install.source
    return [cell.source for cell in others]


def test_the_users_folder_is_as_it_was(cells, photographs, capsys):
    before = state(photographs)
    chosen = f"folder = __import__('pathlib').Path({str(photographs)!r})"
    at = next(i for i, cell in enumerate(cells) if cell.startswith("folder = None"))
    cells[at] = "\n".join([chosen, *cells[at].splitlines()[1:]])
    namespace = {}
    run_cells(cells, namespace)
    assert namespace["folder"] == photographs
    assert state(photographs) == before
    text = capsys.readouterr().out
    assert "cannot be read as an image" in text  # the lesson was given, elsewhere
    assert str(photographs) not in text.split("cannot be read")[0].splitlines()[-1]
    classes = set().union(*(part.class_names.values() for part in namespace["parts"].values()))
    assert classes == set(CLASSES)
