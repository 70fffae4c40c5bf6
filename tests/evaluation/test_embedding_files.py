"""Embeddings in files, made by any tool."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from recallkit.errors import RecallkitError
from recallkit.evaluation import read_embeddings, write_embeddings
from recallkit.evaluation.embedding_files import read_embedding_file

POINTS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([4, 4, -1, -1, 9])


@pytest.mark.parametrize("name", ["embeddings", "features", "descriptors"])
@pytest.mark.parametrize("suffix", [".npz", ".pt", ".pth", ".safetensors"])
def test_labels_inside(tmp_path, suffix, name):
    path, content = tmp_path / f"file{suffix}", {name: POINTS, "labels": LABELS}
    if suffix == ".npz":
        np.savez(path, **{key: value.numpy() for key, value in content.items()})
    elif suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    embeddings, labels = read_embeddings(path)
    assert torch.equal(embeddings, POINTS)
    assert labels.tolist() == LABELS.tolist()


def test_an_array_alone_is_mapped_and_its_labels_lie_beside(tmp_path):
    np.save(tmp_path / "file.npy", POINTS.numpy())
    assert read_embeddings(tmp_path / "file.npy")[1] is None
    (tmp_path / "file.labels.txt").write_text("a\na\nb\nb\nc\n")
    embeddings, labels = read_embeddings(tmp_path / "file.npy")
    assert torch.equal(embeddings, POINTS)
    assert labels.tolist() == list("aabbc")
    np.save(tmp_path / "others.npy", LABELS.numpy())
    assert read_embeddings(tmp_path / "file.npy", tmp_path / "others.npy")[1].tolist() == [
        4,
        4,
        -1,
        -1,
        9,
    ]
    torch.save(POINTS, tmp_path / "alone.pt")
    assert torch.equal(read_embeddings(tmp_path / "alone.pt")[0], POINTS)


def test_what_is_written_is_read_again(tmp_path):
    write_embeddings(tmp_path / "new" / "file.npz", POINTS, LABELS)
    embeddings, labels = read_embeddings(tmp_path / "new" / "file.npz")
    assert torch.equal(embeddings, POINTS)
    assert labels.tolist() == LABELS.tolist()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file.npz"]
    with pytest.raises(RecallkitError, match=r"must end in \.npz"):
        write_embeddings(tmp_path / "file.csv", POINTS)


def test_only_what_was_written_here_is_replaced(tmp_path):
    path = tmp_path / "file.npz"
    write_embeddings(path, POINTS, LABELS)
    write_embeddings(path, 2 * POINTS)
    assert torch.equal(read_embeddings(path)[0], 2 * POINTS)
    np.savez(path, embeddings=POINTS.numpy(), labels=LABELS.numpy())  # of another tool
    message = r"file\.npz was not saved by .* or by an older version .*: choose another name, or"
    with pytest.raises(RecallkitError, match=message):
        write_embeddings(path, 2 * POINTS)
    assert torch.equal(read_embeddings(path)[0], POINTS)


class Runs:
    def __reduce__(self):
        return (print, ("ran",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "there is no file"),
        (lambda p: (p / "f.npy").write_bytes(b"\x93NUMPY broken"), "f.npy cannot be read"),
        (
            lambda p: np.save(p / "f.npy", np.array([Runs()], dtype=object)),
            r"must hold embeddings .* Python objects",
        ),
        (lambda p: np.save(p / "f.npy", np.zeros(4, np.float32)), r"must hold embeddings \(N, D\)"),
        (
            lambda p: np.save(p / "f.npy", np.zeros((4, 2), np.complex64)),
            "must hold embeddings .*it holds 'embeddings' 4×2 complex64",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(RecallkitError, match=message):
        read_embeddings(tmp_path / "f.npy")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (torch.nan, "1 of 5 rows hold NaN or infinity, the first is row 3"),
        (-torch.inf, "1 of 5 rows hold NaN or infinity, the first is row 3"),
        (0, "1 of 5 rows hold nothing but zeros, the first is row 3"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_rows_that_are_no_embeddings_are_named(tmp_path, fault, message, dtype):
    broken = POINTS.to(dtype, copy=True)
    broken[3] = fault
    np.save(tmp_path / "f.npy", broken.numpy())
    with pytest.raises(RecallkitError, match=rf"f\.npy: {message}"):
        read_embeddings(tmp_path / "f.npy")


def test_more_bad_files(tmp_path):
    np.save(tmp_path / "none.npy", POINTS[:0].numpy())
    with pytest.raises(RecallkitError, match=r"none\.npy must hold embeddings"):
        read_embeddings(tmp_path / "none.npy")
    with pytest.raises(RecallkitError, match=r"must end in one of \.npy"):
        read_embeddings(tmp_path / "f.xls")
    torch.save(Runs(), tmp_path / "f.pt")
    with pytest.raises(RecallkitError, match=r"f\.pt cannot be read .*could run code"):
        read_embeddings(tmp_path / "f.pt")
    np.savez(tmp_path / "f.npz", weights=np.zeros(3))
    with pytest.raises(
        RecallkitError, match=r"must hold embeddings .*it holds 'weights' 3 float64"
    ):
        read_embeddings(tmp_path / "f.npz")
    np.savez(tmp_path / "f.npz", features=POINTS.numpy(), labels=np.arange(4))
    with pytest.raises(RecallkitError, match="a label for each of the 5 embeddings"):
        read_embeddings(tmp_path / "f.npz")
    with pytest.raises(RecallkitError, match="no file of labels"):
        read_embeddings(tmp_path / "f.npz", tmp_path / "gone.npy")


@pytest.mark.parametrize("header", [True, False])
def test_a_column_of_whole_numbers_among_fractions_is_no_part_of_an_embedding(tmp_path, header):
    """It is a label, an age or a row number; named as labels or groups it is taken as such."""
    vectors = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).double()
    labels = [0, 0, 1, 1, 2, 2]
    both = zip(vectors.tolist(), labels, strict=True)
    rows = [[*map(str, row), str(label)] for row, label in both]
    lines = [["a", "b", "c", "product"]] * header + rows
    path, name = tmp_path / "table.csv", "product" if header else "3"
    path.write_text("\n".join(map(",".join, lines)))
    with pytest.raises(RecallkitError, match=f"'{name}' holds whole numbers among columns of f"):
        read_embeddings(path)
    embeddings, found = read_embeddings(path, Path(name))
    assert torch.equal(embeddings, vectors)
    assert found.tolist() == labels
    grouped = read_embedding_file(path, groups=Path(name))
    assert grouped.groups.tolist() == labels
    assert torch.equal(grouped.embeddings, vectors)
    assert f"'{'a … c' if header else '0 … 2'}' 6×3" in grouped.used


def test_several_columns_hold_whole_numbers(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,age,size,rank\n0.5,30,2,1\n0.25,41,3,2\n")
    with pytest.raises(RecallkitError, match="'age', 'size', 'rank' hold whole numbers among"):
        read_embeddings(path)


def test_whole_numbers_alone_and_columns_that_are_numbered_are_an_embedding(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,label\n1,2,x\n3,5,x\n")
    assert read_embeddings(path)[0].tolist() == [[1, 2], [3, 5]]
    path.write_text("x_0,x_1,label\n0.5,2,x\n0.25,5,x\n")
    assert read_embeddings(path)[0].tolist() == [[0.5, 2], [0.25, 5]]
    path.write_text("a,b,dead\n0.5,2.5,0\n0.25,5.5,0\n")  # a unit that never fires
    assert read_embeddings(path)[0].tolist() == [[0.5, 2.5, 0], [0.25, 5.5, 0]]
