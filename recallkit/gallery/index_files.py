"""Index files: .npz or .parquet, safe to read, written whole or not at all.

    .npz       embeddings (N, D), paths, labels, sizes, mtimes_ns and digests (N,); and root, run,
               run_folder, measure, complete, form, one value each
    .parquet   embedding (lists), path, label, size, mtime_ns, digest; and the same single values,
               repeated in each row

Labels are there if any image has a class. ``recallkit evaluate`` reads both.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recallkit.errors import RecallkitError, needs_extra
from recallkit.evaluation.array_files import open_npz
from recallkit.evaluation.embedding_files import INDEX_VALUES
from recallkit.evaluation.table_files import open_parquet
from recallkit.files import write_atomically
from recallkit.gallery.index import MEASURE, Index

__all__ = ["INDEX_SUFFIXES", "check_names", "check_suffix", "read_index", "write_index"]

FORM = 1  # of the file; another number is refused
INDEX_SUFFIXES = (".npz", ".parquet")

_COLUMNS = {  # in a .npz → in a .parquet
    **{"embeddings": "embedding", "paths": "path", "labels": "label"},
    **{"sizes": "size", "mtimes_ns": "mtime_ns", "digests": "digest"},
}


def check_suffix(path: Path) -> None:
    """Refuse a name that is not that of an index.

    Raises:
        ValueError: naming the suffixes.
    """
    if path.suffix.lower() not in INDEX_SUFFIXES:
        raise ValueError(f"{path} must end in {' or '.join(INDEX_SUFFIXES)}")


def check_names(path: Path, names: Iterable[str]) -> None:
    """Refuse names that are no text where the index is a ``.parquet``, which holds text alone.

    Raises:
        RecallkitError: naming the first of them.
    """
    wrong = [name for name in names if not _is_text(name)]
    if wrong and path.suffix.lower() == ".parquet":
        raise RecallkitError(
            f"{path} cannot hold the names of {len(wrong):,} images, which are no text: the first "
            f"is {wrong[0]!r}. Rename them, or choose a name that ends in .npz."
        )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_index(path: Path, index: Index) -> None:
    """Write an index.

    Raises:
        ValueError: another suffix than ``.npz`` and ``.parquet``.
        RecallkitError: if it cannot be written.
    """
    check_suffix(path)
    values = _arrays(index)
    write = _write_npz if path.suffix.lower() == ".npz" else _write_parquet
    write_atomically(path, lambda temporary: write(temporary, values))


def read_index(path: Path) -> Index:
    """Read an index.

    Raises:
        RecallkitError: if the file is missing, damaged, or not an index.
    """
    if not path.is_file():
        raise RecallkitError(
            f"there is no folder or index {path}. Make an index by: "
            f"recallkit embed FOLDER --out FILE"
        )
    readers: dict[str, Callable[[Path], dict[str, Any]]] = {
        ".npz": _read_npz,
        ".parquet": _read_parquet,
    }
    read = readers.get(path.suffix.lower())
    if read is None:
        raise RecallkitError(
            f"{path} is neither a folder nor an index ({', '.join(INDEX_SUFFIXES)})"
        )
    try:
        values = read(path)
    except RecallkitError:
        raise
    except Exception as error:  # a damaged file fails in many ways, and none can be mended here
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise RecallkitError(f"{path} cannot be read as an index ({reason})") from error
    return _checked(path, values)


def _arrays(index: Index) -> dict[str, Any]:
    labels = {"labels": np.array(index.labels, dtype=str)} if any(index.labels) else {}
    return {
        "embeddings": index.embeddings.numpy(),
        "paths": np.array(index.paths, dtype=str),
        **labels,
        "sizes": index.stamps[:, 0],
        "mtimes_ns": index.stamps[:, 1],
        "digests": np.array(index.digests, dtype=str),
        "root": index.root,
        "run": index.run,
        "run_folder": index.run_folder,
        "measure": MEASURE,
        "complete": index.complete,
        "form": FORM,
    }


def _write_npz(path: Path, values: dict[str, Any]) -> None:
    with path.open("wb") as file:  # to a name such as PHOTOS.NPZ, NumPy would add .npz
        np.savez(file, **values)


def _read_npz(path: Path) -> dict[str, Any]:
    content = open_npz(path)
    wanted = [name for name in (*_COLUMNS, *INDEX_VALUES) if name in content]
    values = {name: np.asarray(content[name].read()) for name in wanted}
    return {name: v.item() if v.ndim == 0 else v for name, v in values.items()}


def _write_parquet(path: Path, values: dict[str, Any]) -> None:
    with needs_extra("writing .parquet"):
        import pyarrow as pa
        from pyarrow import parquet
    embeddings = values["embeddings"]
    flat = pa.array(embeddings.reshape(-1))
    columns: dict[str, Any] = {
        "embedding": pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])
    }
    for name in ("paths", "labels", "sizes", "mtimes_ns", "digests"):
        if name in values:
            columns[_COLUMNS[name]] = pa.array(values[name].tolist())
    columns |= {name: pa.repeat(pa.scalar(values[name]), len(embeddings)) for name in INDEX_VALUES}
    parquet.write_table(pa.table(columns), path)


def _read_parquet(path: Path) -> dict[str, Any]:
    content = open_parquet(path)
    values = {
        name: np.asarray(content[column].read())
        for name, column in _COLUMNS.items()
        if column in content
    }
    return values | {name: content[name].read()[0] for name in INDEX_VALUES if name in content}


def _checked(path: Path, values: dict[str, Any]) -> Index:
    needed = {*_COLUMNS, *INDEX_VALUES} - {"labels"}
    if missing := sorted(needed - set(values)):
        raise RecallkitError(
            f"{path} is not an index: it lacks {', '.join(missing)}. Make one by: recallkit embed "
            f"FOLDER --out FILE"
        )
    if values["form"] != FORM or values["measure"] != MEASURE:
        raise RecallkitError(f"{path} is an index of another version: make it again")
    embeddings = np.asarray(values["embeddings"])
    number = len(embeddings)
    lengths = {len(values[name]) for name in _COLUMNS if name in values}
    if embeddings.ndim != 2 or embeddings.dtype != np.float32 or lengths != {number}:
        raise RecallkitError(f"{path} is damaged: its arrays do not belong together")
    if not np.isfinite(embeddings).all():
        raise RecallkitError(f"{path} is damaged: embeddings hold NaN or infinity")
    labels = values.get("labels", np.full(number, ""))
    return Index(
        torch.from_numpy(np.array(embeddings)),
        tuple(values["paths"].tolist()),
        str(values["root"]),
        tuple(labels.tolist()),
        np.stack([values["sizes"], values["mtimes_ns"]], axis=1).astype(np.int64),
        tuple(values["digests"].tolist()),
        str(values["run"]),
        str(values["run_folder"]),
        bool(values["complete"]),
    )
