"""The forms in which embeddings come: one content, read alike from all, or refused in one line."""

import io
import json
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from recallkit import errors
from recallkit.errors import RecallkitError
from recallkit.evaluation import read_embedding_file, stored

POINTS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
X, Y = POINTS.numpy(), np.array([4, 4, -1, -1, 9, 9])
WORDS = ["b", "b", "a", "a", "NA", "NA"]


def frame(**columns):
    return pd.DataFrame({f"x_{i}": X[:, i] for i in range(3)} | columns)


def csv(text):
    return lambda p: p.with_suffix(".csv").write_text(text, encoding="utf-8")


def table(**how):
    """A .csv of pandas; how: of to_csv."""
    return lambda p: frame(label=Y).to_csv(p.with_suffix(".csv"), **how)


def bare(separator=",", decimal="."):
    rows = [[*map(repr, map(float, x)), f"c{y}"] for x, y in zip(X, Y, strict=True)]
    lines = [separator.join(cell.replace(".", decimal) for cell in row) for row in rows]
    return csv("\n".join(lines))


def hdf5(p):
    h5py = pytest.importorskip("h5py")
    with h5py.File(p.with_suffix(".h5"), "w") as file:
        file["train/feats"], file["train/targets"] = X, Y.astype(float)


def parquet(make):
    def write(p):
        pytest.importorskip("pyarrow")
        make().to_parquet(p.with_suffix(".parquet"))

    return write


def vectors():
    return pd.DataFrame({"embedding": list(X), "label": Y, "path": WORDS})


FORMS = {
    "npz alone": lambda p: np.savez(p, X),
    "npz of two": lambda p: np.savez(p, X, y=Y),
    "npz of any name": lambda p: np.savez(p, clip_vitb32=X, targets=Y),
    "npz compressed": lambda p: np.savez_compressed(p, vectors=X, ids=Y.astype("i2")),
    "npz beside other tables": lambda p: np.savez(p, feats=X, boxes=np.ones((6, 4)), labels=Y),
    "npz beside integers": lambda p: np.savez(p, a=X, boxes=np.ones((6, 4), int), labels=Y),
    "npz beside pickled paths": lambda p: np.savez(p, a=X, paths=np.array(WORDS, object), y=Y),
    "labels as a column": lambda p: np.savez(p, X=X, Labels=Y[:, None]),
    "labels as floats": lambda p: np.savez(p, X=X, Labels=Y.astype("f4")),
    "big-endian": lambda p: np.save(p, X.astype(">f4")),
    "big-endian double": lambda p: np.savez(p, embeddings=X.astype(">f8"), labels=Y.astype(">i2")),
    "Fortran": lambda p: np.save(p, np.asfortranarray(X)),
    "records": lambda p: np.save(
        p, np.array(list(zip(X, Y, strict=True)), [("feat", "f4", 3), ("label", "i8")])
    ),
    "upper case": lambda p: p.with_suffix(".NPY").write_bytes(npy_header((6, 3)) + X.tobytes()),
    "pt": lambda p: torch.save(
        {"features": POINTS, "labels": torch.tensor(Y)}, p.with_suffix(".pt")
    ),
    "pt of arrays": lambda p: torch.save({"embeddings": X, "labels": Y}, p.with_suffix(".pt")),
    "pt of big-endian": lambda p: torch.save({"x": X.astype(">f4"), "y": Y}, p.with_suffix(".pt")),
    "pt of a parameter": lambda p: torch.save(torch.nn.Parameter(POINTS), p.with_suffix(".pth")),
    "pt of vectors": lambda p: torch.save(list(POINTS), p.with_suffix(".pt")),
    "pt of array vectors": lambda p: torch.save(list(X), p.with_suffix(".pt")),
    "pt of batches": lambda p: torch.save(list(POINTS.split(2)), p.with_suffix(".pt")),
    "pt of a pair": lambda p: torch.save((POINTS, torch.tensor(Y)), p.with_suffix(".pt")),
    "pt of lists": lambda p: torch.save({"x": X.tolist(), "y": Y.tolist()}, p.with_suffix(".pt")),
    "safetensors": lambda p: save_file(
        {"emb": POINTS, "target": torch.tensor(Y)}, p.with_suffix(".safetensors")
    ),
    "csv": table(index=False),
    "csv with an index": table(),
    "csv of Excel": table(index=False, sep=";", decimal=",", encoding="utf-8-sig"),
    "csv as UTF-16": table(index=False, encoding="utf-16"),
    "tsv": lambda p: frame(label=Y).to_csv(p.with_suffix(".tsv"), sep="\t", index=False),
    "csv, columns by number": lambda p: (
        pd.DataFrame(X).assign(label=Y).to_csv(p.with_suffix(".csv"))
    ),
    "csv, columns mixed up": lambda p: frame(y=Y)[["x_2", "y", "x_0", "x_1"]].to_csv(
        p.with_suffix(".csv"), index=False
    ),
    "csv beside a price": lambda p: frame(price=Y, label=Y).to_csv(p.with_suffix(".csv")),
    "csv without numbered columns": lambda p: (
        pd.DataFrame(X, columns=list("abc")).assign(id=Y, path=WORDS).to_csv(p.with_suffix(".csv"))
    ),
    "csv without a header": bare(),
    "csv of Excel without a header": bare(";", ","),
    "json": lambda p: p.with_suffix(".json").write_text(
        json.dumps({"embeddings": X.tolist(), "labels": Y.tolist()})
    ),
    "json list": lambda p: p.with_suffix(".json").write_text(json.dumps(X.tolist())),
    "json records": lambda p: p.with_suffix(".json").write_text(
        vectors().to_json(orient="records")
    ),
    "json lines": lambda p: vectors().to_json(
        p.with_suffix(".jsonl"), orient="records", lines=True, double_precision=15
    ),
    "hdf5": hdf5,
    "parquet of vectors": parquet(vectors),
    "parquet of columns": parquet(lambda: frame(label=Y, path=WORDS)),
    "parquet of nullable ids": parquet(lambda: frame(label=pd.array(Y, dtype="Int64"))),
}


def read_back(tmp_path, form, **how):
    FORMS[form](tmp_path / "file.npz" if form.startswith(("npz", "labels")) else tmp_path / "file")
    [path] = tmp_path.iterdir()
    return read_embedding_file(path, **how)


@pytest.mark.parametrize("form", FORMS)
def test_the_content_is_the_same_in_every_form(tmp_path, form):
    file = read_back(tmp_path, form)
    torch.testing.assert_close(file.embeddings.float(), POINTS, rtol=0, atol=1e-6)
    if file.labels is not None:
        labels = [str(label).removeprefix("c") for label in file.labels]
        assert labels == [str(y) for y in Y]
    else:
        assert form in {
            *("npz alone", "big-endian", "Fortran", "upper case", "json list", "pt of a pair"),
            *("pt of a parameter", "pt of vectors", "pt of array vectors", "pt of batches"),
        }
    assert "6×3" in file.used


@pytest.mark.parametrize("kind", ["f2", "f8", "i1", "u1", "u2", "i4", "i8", "u8", "?"])
def test_numbers_of_any_type_are_embeddings(tmp_path, kind):
    values = (np.arange(1, 13).reshape(6, 2)).astype(kind)
    np.save(tmp_path / "f.npy", values)
    embeddings = read_embedding_file(tmp_path / "f.npy").embeddings
    assert embeddings.is_floating_point()
    assert embeddings.double().tolist() == values.astype("f8").tolist()


def test_bfloat16_is_read(tmp_path):
    save_file({"x": POINTS.bfloat16()}, tmp_path / "f.safetensors")
    assert torch.equal(
        read_embedding_file(tmp_path / "f.safetensors").embeddings, POINTS.bfloat16()
    )


def test_labels_and_groups_by_name_or_from_any_file(tmp_path):
    np.savez(tmp_path / "f.npz", x=X, labels=Y, product=np.array(WORDS), camera=Y % 2)
    path = tmp_path / "f.npz"
    file = read_embedding_file(path, labels="product", groups="camera")
    assert file.labels.tolist() == WORDS
    assert file.groups.tolist() == (Y % 2).tolist()
    others = {
        "a.txt": "\ufeff" + "\r\n".join(WORDS) + "\r\n\r\n",
        "a.labels": "\n".join(f" {word}\t" for word in WORDS),
        "a.csv": "\n".join(WORDS),
        "b.csv": "path,label\n" + "\n".join(f"{i}.jpg,{word}" for i, word in enumerate(WORDS)),
        "a.json": json.dumps(WORDS),
        "b.json": json.dumps({"targets": WORDS, "paths": list("uvwxyz")}),
    }
    for name, text in others.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        assert read_embedding_file(path, tmp_path / name).labels.tolist() == WORDS, name
    (tmp_path / "u.txt").write_text("\n".join(WORDS), encoding="utf-16")
    assert read_embedding_file(path, tmp_path / "u.txt").labels.tolist() == WORDS


def npy_header(shape, kind="<f4"):
    file = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def bomb(path):
    """A member of zeros that unpacks to a thousand times its size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy_header((250, 1000)) + bytes(1_000_000))


def lying(path):
    """A member whose header declares terabytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy_header((10**9, 1000)) + bytes(100))


def too_long(path):
    header = json.dumps(
        {"x": {"dtype": "F32", "shape": [10**9, 1000], "data_offsets": [0, 4 * 10**12]}}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))


class Runs:
    def __reduce__(self):
        return (print, ("ran",))


BAD = {
    "several": (
        lambda p: np.savez(p / "f.npz", a=X, b=X),
        r"must hold one table of embeddings \(N, D\), but a and b could be it",
    ),
    "two usual names": (
        lambda p: np.savez(p / "f.npz", features=X, embeddings=X),
        "features and embeddings could be it",
    ),
    "none": (
        lambda p: np.savez(p / "f.npz", w=np.ones(3), n=np.array("a")),
        "it holds 'w' 3 float64, 'n' a single text",
    ),
    "objects": (
        lambda p: np.savez(p / "f.npz", x=X, labels=np.array(WORDS, object)),
        r"'labels' holds Python objects \(a pickle\), which could run code",
    ),
    "a pickle": (lambda p: (p / "f.pkl").write_bytes(b""), "is a pickle, which can run code"),
    "code in a pt": (
        lambda p: torch.save({"x": POINTS, "y": Runs()}, p / "f.pt"),
        "Python objects, which could run code and are not loaded",
    ),
    "a header of terabytes": (
        lambda p: (p / "f.npy").write_bytes(npy_header((10**9, 1000)) + bytes(99)),
        r"header declares 4,000\.0 GB .* but only 99 bytes follow",
    ),
    "the same in a npz": (lambda p: lying(p / "f.npz"), "header declares 4,000"),
    "the same in a safetensors": (
        lambda p: too_long(p / "f.safetensors"),
        "cannot be read",
    ),
    "a zip bomb": (lambda p: bomb(p / "f.npz"), "over 100 times the file's"),
    "a repeated number": (
        lambda p: torch.save(torch.ones(1, 1).expand(10**5, 1000), p / "f.pt"),
        "a tensor would unpack to 0.4 GB, over 100 times",
    ),
    "a cut npz": (lambda p: cut(p), "cannot be read"),
    "vectors of different lengths": (
        lambda p: torch.save([torch.ones(3), torch.ones(4)], p / "f.pt"),
        "it holds 'embeddings' 2 vectors of different lengths",
    ),
    "ragged json": (
        lambda p: (p / "f.json").write_text("[[1, 2], [3]]"),
        "vectors of different lengths",
    ),
    "three dimensions": (lambda p: np.save(p / "f.npy", X[None]), "it holds 'embeddings' 1×6×3"),
    "integers no float holds": (
        lambda p: np.save(p / "f.npy", np.full((2, 2), 2**60 + 1)),
        r"integers beyond 2\*\*53",
    ),
    "missing labels": (
        lambda p: frame(label=["a", "b", "", "", "c", "c"]).to_csv(p / "f.csv"),
        r"f\.csv, label: 2 of 6 rows have no label .*first is row 2",
    ),
    "a gap in a csv": (
        lambda p: frame(label=Y).replace({X[2, 1]: np.nan}).to_csv(p / "f.csv"),
        "1 of 6 rows hold NaN or infinity, the first is row 2",
    ),
    "text in a csv": (
        lambda p: (
            frame(label=Y).astype({"x_1": str}).replace(str(X[3, 1]), "?").to_csv(p / "f.csv")
        ),
        r"could not convert string to float|must hold numbers",
    ),
    "text at the head of a column": (
        lambda p: frame(label=Y).assign(x_1=WORDS).to_csv(p / "f.csv"),
        "column 'x_1' must hold numbers like its neighbours, not 'b'",
    ),
    "a long row": (lambda p: (p / "f.csv").write_text("x0,x1\n1,2\n3,4,5\n"), "cannot be read"),
    "two families": (
        lambda p: (
            frame(a_0=Y, a_1=Y)
            .drop(columns="x_2")
            .rename(columns=str.upper)
            .rename(columns={"X_0": "b_0", "X_1": "b_1"})
            .to_csv(p / "f.csv")
        ),
        "b and A could be it",
    ),
    "half a number": (
        lambda p: np.savez(p / "f.npz", x=X, labels=Y + 0.5),
        r"row 0, counted from 0, is 4\.5",
    ),
    "no rows": (lambda p: (p / "f.csv").write_text(""), "it holds nothing|cannot be read"),
}


def cut(folder):
    np.savez(folder / "f.npz", x=X)
    content = (folder / "f.npz").read_bytes()
    (folder / "f.npz").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line(tmp_path, monkeypatch, case):
    monkeypatch.setattr(stored, "LARGE", 10**5)
    make, message = BAD[case]
    make(tmp_path)
    [path] = tmp_path.iterdir()
    with pytest.raises(RecallkitError, match=message) as error:
        read_embedding_file(path)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)


@pytest.mark.parametrize(("package", "suffix"), [("pyarrow", ".parquet"), ("h5py", ".h5")])
def test_a_missing_package_is_named_with_its_command(tmp_path, monkeypatch, package, suffix):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    (tmp_path / f"f{suffix}").write_bytes(b"")
    with pytest.raises(RecallkitError, match=r'pip install "recallkit\[files\]"'):
        read_embedding_file(tmp_path / f"f{suffix}")
    assert package in errors.EXTRAS["files"]
