"""Index files: what is written is read, and what is no index is refused."""

import json
import sys

import numpy as np
import pytest
import torch
from helpers.strategies import unit_vectors
from helpers.user_names import NAMES

from recallkit import cli
from recallkit.errors import RecallkitError
from recallkit.evaluation import read_embeddings
from recallkit.gallery import Index, read_index, write_index


def made(paths=("a/1.png", "a/2.png", "b/3.png"), labels=("a", "a", "b"), **others):
    values = {
        "embeddings": unit_vectors(len(paths), 4),
        "paths": tuple(paths),
        "root": "/photos",
        "labels": tuple(labels),
        "stamps": np.arange(2 * len(paths), dtype=np.int64).reshape(-1, 2) + 2**60,
        "digests": tuple(f"{i:032x}" for i in range(len(paths))),
        "run": "0" * 32,
        "run_folder": "/runs/one",
    }
    return Index(**values | others)


def assert_same(one, other):
    assert torch.equal(one.embeddings, other.embeddings)
    assert np.array_equal(one.stamps, other.stamps)
    names = ("paths", "root", "labels", "digests", "run", "run_folder", "complete")
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


@pytest.fixture(params=[".npz", ".parquet"])
def path(request, tmp_path):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow")
    return tmp_path / f"index{request.param}"


def test_what_is_written_is_read(path):
    for index in (
        made(),
        made(complete=False),
        made(labels=("", "", "")),
        made(labels=("a", "", "b")),
    ):
        write_index(path, index)
        assert_same(read_index(path), index)


@pytest.mark.parametrize("suffix", [".NPZ", ".Parquet"])
def test_the_suffix_may_be_in_capital_letters(tmp_path, suffix):
    if suffix == ".Parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"PHOTOS{suffix}"
    write_index(path, made())
    assert_same(read_index(path), made())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_any_name_survives(tmp_path):
    names = [f"{i} {name}".replace("\x00", "") for i, name in enumerate(NAMES.values())]
    index = made(names, names)
    write_index(tmp_path / "names.npz", index)
    assert_same(read_index(tmp_path / "names.npz"), index)


def test_other_tools_read_embeddings_labels_and_paths(tmp_path):
    write_index(tmp_path / "index.npz", made())
    with np.load(tmp_path / "index.npz", allow_pickle=False) as arrays:
        assert arrays["embeddings"].dtype == np.float32
        assert arrays["paths"].tolist() == ["a/1.png", "a/2.png", "b/3.png"]
        assert arrays["root"].item() == "/photos"
        assert arrays["measure"].item() == "cosine"
    embeddings, labels = read_embeddings(tmp_path / "index.npz")
    assert torch.equal(embeddings, made().embeddings)
    assert labels.tolist() == ["a", "a", "b"]


def test_without_classes_there_are_no_labels(tmp_path):
    write_index(tmp_path / "index.npz", made(labels=("", "", "")))
    assert read_embeddings(tmp_path / "index.npz")[1] is None


@pytest.mark.parametrize("name", ["None", "nan", "NaN", "<NA>", "NaT"])
def test_an_index_is_evaluated_without_the_images_that_have_no_class(path, name, capsys):
    index = made("abcdefg", ("a", "", "a", name, "b", name, "b"))
    write_index(path, index)
    cli.main(["evaluate", str(path), "--ks", "1"])
    text = capsys.readouterr().out
    assert "1 of 7 images have no class, and are left out" in text
    write_index(path, index.rows([0, 2, 3, 4, 5, 6]))
    cli.main(["evaluate", str(path), "--ks", "1"])
    whole = capsys.readouterr().out
    assert "no class" not in whole
    assert text.splitlines()[:-1] == whole.splitlines()[:-1]  # the last names the file
    assert "6 queries" in whole
    np.savez(path.with_name("other.npz"), embeddings=index.embeddings, labels=[name] * 7)
    with pytest.raises(RecallkitError, match="7 of 7 rows have no label"):
        read_embeddings(path.with_name("other.npz"))


def test_parquet_has_a_row_an_image(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_index(tmp_path / "index.parquet", made())
    table = parquet.read_table(tmp_path / "index.parquet").to_pydict()
    assert table["path"] == ["a/1.png", "a/2.png", "b/3.png"]
    assert table["embedding"] == made().embeddings.tolist()
    assert table["run"] == ["0" * 32] * 3


def test_parquet_needs_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pyarrow"):
        write_index(tmp_path / "index.parquet", made())
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_index(tmp_path):
    for name, text in [("text.npz", "no archive"), ("empty.npz", ""), ("image.png", "no index")]:
        (tmp_path / name).write_text(text)
        with pytest.raises(RecallkitError, match=name):
            read_index(tmp_path / name)
    np.savez(tmp_path / "other.npz", embeddings=np.eye(2))
    with pytest.raises(RecallkitError, match=r"other\.npz is not an index: it lacks complete, "):
        read_index(tmp_path / "other.npz")
    with pytest.raises(RecallkitError, match=r"there is no folder or index .*gone\.npz"):
        read_index(tmp_path / "gone.npz")
    with pytest.raises(ValueError, match=r"index\.json must end in \.npz or \.parquet"):
        write_index(tmp_path / "index.json", made())


def changed(tmp_path, **arrays):
    """The path of an index in which some arrays are others."""
    write_index(tmp_path / "good.npz", made())
    with np.load(tmp_path / "good.npz") as good:
        np.savez(tmp_path / "changed.npz", **{**good, **arrays})
    return tmp_path / "changed.npz"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"form": 2}, "another version"),
        ({"measure": "l2"}, "another version"),
        ({"paths": np.array(["a", "b"])}, "do not belong together"),
        ({"embeddings": np.eye(3, dtype=np.float64)}, "do not belong together"),
        ({"embeddings": np.ones(3, dtype=np.float32)}, "do not belong together"),
        ({"embeddings": np.full((3, 4), np.nan, dtype=np.float32)}, "NaN or infinity"),
        ({"digests": np.array([{}, {}, {}], dtype=object)}, "cannot be read"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path, arrays, message):
    with pytest.raises(RecallkitError, match=message):
        read_index(changed(tmp_path, **arrays))


class Opens:
    """An object that opens a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_no_code_of_a_file_runs(tmp_path):
    planted = str(tmp_path / "ran")
    path = changed(tmp_path, paths=np.array([Opens(planted)] * 3, dtype=object))
    with pytest.raises(RecallkitError, match="cannot be read"):
        read_index(path)
    assert not (tmp_path / "ran").exists()


def test_a_failed_write_leaves_the_old_index(tmp_path, monkeypatch):
    path = tmp_path / "index.npz"
    write_index(path, made())

    def full(*arguments, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(RecallkitError, match="No space left"):
        write_index(path, made(paths=["other"], labels=["c"]))
    assert_same(read_index(path), made())
    assert [file.name for file in tmp_path.iterdir()] == ["index.npz"]


def test_labels_as_numbers():
    index = made(labels=("b", "a", "b"))
    numbers = index.numbers()
    assert numbers[0] == numbers[2] != numbers[1]
    assert numbers.dtype == torch.int64
    assert made(labels=("nan", "None", "nan")).numbers().tolist() == [1, 0, 1]  # names, too
    with pytest.raises(RecallkitError, match=r"1 of 3 images of /photos have no class"):
        made(labels=("a", "", "b")).numbers()


def test_names_are_absolute_paths_or_names():
    index = made(stamps=np.array([[5, 0], [0, 0], [-1, -1]]))
    assert [index.name(row) for row in range(3)] == [
        "/photos/a/1.png",
        "/photos/a/2.png",
        "b/3.png",
    ]
    assert json.dumps(index.rows([2]).paths) == '["b/3.png"]'
