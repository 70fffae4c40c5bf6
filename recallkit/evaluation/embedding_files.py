"""Embeddings in files, made by any tool: which array they are, and their labels and groups.

    .npy  .npz  .pt  .pth  .safetensors  .h5  .hdf5        see :mod:`.array_files`
    .csv  .tsv  .parquet  .json  .jsonl                    see :mod:`.table_files`

The embeddings are the array (N, D) of numbers with a usual name, or the only one. A file with
several, or with none, is refused, and the message lists what it holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recallkit.errors import RecallkitError, did_you_mean
from recallkit.evaluation.array_files import (
    open_hdf5,
    open_npy,
    open_npz,
    open_safetensors,
    open_torch,
)
from recallkit.evaluation.stored import Content, Stored, listed
from recallkit.evaluation.table_files import (
    GROUP_NAMES,
    LABEL_NAMES,
    PATH_NAMES,
    family_name,
    is_numbered_by_name,
    open_csv,
    open_json,
    open_json_lines,
    open_parquet,
)
from recallkit.files import encoding_of, write_atomically
from recallkit.labels import plain_labels
from recallkit.metrics import as_embeddings

EMBEDDING_NAMES = ("embeddings", "embedding", "features", "feature", "feats", "feat")
EMBEDDING_NAMES += ("vectors", "vector", "descriptors", "descriptor", "emb", "embs", "x")

READERS: dict[str, Callable[[Path], Content]] = {
    ".npy": open_npy,
    ".npz": open_npz,
    ".pt": open_torch,
    ".pth": open_torch,
    ".safetensors": open_safetensors,
    ".csv": open_csv,
    ".tsv": open_csv,
    ".parquet": open_parquet,
    ".json": open_json,
    ".jsonl": open_json_lines,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
}

INDEX_VALUES = ("root", "run", "run_folder", "measure", "complete", "form")
"""The single values of an index, beside its arrays: no other tool's file has them all."""

UNFINISHED = "incomplete: its embedding was interrupted, and recallkit embed again finishes it"
_MARK = "written_by"  # an array that says whose file it is
_PICKLES = (".pkl", ".pickle", ".joblib", ".p")
_ROWS_A_CHUNK = 2**13  # that are checked at once


@dataclass(frozen=True)
class EmbeddingFile:
    """The embeddings of a file, and what belongs to them.

    Attributes:
        path: of the file.
        embeddings: (N, D) floating point.
        labels: (N,) as :func:`.plain_labels` returns them, or None. "" for an image of an index
            that has no class.
        groups: the same, or None.
        columns: the names of the columns, of a table.
        used: what was read from where, for people.
        offered: the names of arrays that could serve as groups and were not used.
    """

    path: Path
    embeddings: Tensor
    labels: np.ndarray | None
    groups: np.ndarray | None
    columns: tuple[str, ...]
    used: str
    offered: tuple[str, ...]

    def labelled(self) -> "EmbeddingFile":
        """Leave out the images of an index that have no class, and say so in ``used``."""
        if self.labels is None or (self.labels != "").all():
            return self
        kept = self.labels != ""
        missing = f"{(~kept).sum():,} of {len(kept):,} images have no class, and are left out"
        return replace(
            self,
            embeddings=self.embeddings[torch.from_numpy(kept)],
            labels=self.labels[kept],
            groups=None if self.groups is None else self.groups[kept],
            used=f"{self.used}, {missing}",
        )


def read_embeddings(path: Path, labels: Path | None = None) -> tuple[Tensor, np.ndarray | None]:
    """Read embeddings (N, D), and their labels (N,) if there are any; see the next function."""
    file = read_embedding_file(path, labels)
    return file.embeddings, file.labels


def read_vectors(path: Path) -> Tensor:
    """Read embeddings (N, D) alone: labels, and rows without one, do not matter."""
    return _vectors(path, open_content(path))[2]


def read_embedding_file(
    path: Path, labels: Path | None = None, groups: Path | None = None
) -> EmbeddingFile:
    """Read embeddings from a file of any usual form, with their labels and groups.

    A ``.npy`` is mapped into memory; of other files only what is used is read. Whole numbers are
    taken as embeddings, too: up to 16 bits as float32, wider ones as float64.

    Args:
        path: of the embeddings.
        labels: the name of an array or column of ``path``, or another file: one label a line, or
            any form that embeddings have. Default: the array or column of a usual name ("labels",
            "targets", "y", …); if there is none, ``NAME.labels.npy`` or ``NAME.labels.txt``
            beside ``path``.
        groups: as ``labels``, without a default.

    Raises:
        RecallkitError: naming the file that is missing, damaged, or too large when it is unpacked;
            that holds no embeddings, or several; that has another number of labels, or rows
            without one; or the first row that holds NaN or infinity, or only zeros, as where an
            image could not be read.
    """
    named = {str(name) for name in (labels, groups) if name is not None}
    content = _without_named(open_content(path), named)
    name, stored, embeddings = _vectors(path, content)
    others = {key: value for key, value in content.items() if key != name}
    labels_of, source = _labels_of(path, others, labels, len(embeddings))
    groups_of, group_source = _named(path, others, groups, len(embeddings), "groups")
    used = [f"{path.name}: {name!r} {'×'.join(map(str, stored.shape))} {stored.type}"]
    used += [f"labels from {source}"] * bool(source)
    used += [f"groups from {group_source}"] * bool(group_source)
    used += [UNFINISHED] * _is_unfinished(others)
    offered = tuple(key for key in others if _base(key) in GROUP_NAMES and groups is None)
    return EmbeddingFile(
        path, embeddings, labels_of, groups_of, stored.columns, ", ".join(used), offered
    )


def _vectors(path: Path, content: Content) -> tuple[str, Stored, Tensor]:
    """Find and read the embeddings: their name, how they are stored, and (N, D)."""
    name, stored = _embeddings_in(content, path)
    embeddings = _read_embeddings(path, name, stored)
    _check_rows(path, embeddings)
    _check_columns(path, embeddings, stored.columns)
    return name, stored, embeddings


def _without_named(content: Content, named: set[str]) -> Content:
    """Take columns that are named as labels or groups out of the tables they were joined to."""
    taken: dict[str, Stored] = {}
    for key, stored in content.items():
        columns = [name for name in stored.columns if name in named]
        rest = stored.without(columns) if columns else stored
        taken[family_name(rest.columns) if columns and rest.columns else key] = rest
        taken |= {name: stored.column(name) for name in columns}
    return taken


def _check_columns(path: Path, embeddings: Tensor, columns: tuple[str, ...]) -> None:
    """Refuse a column of whole numbers among fractions: a label or a row number, by all signs.

    Columns that are numbered, x_0, x_1, …, were meant as one table.
    """
    if not columns or is_numbered_by_name(columns[0]):
        return
    varies = (embeddings != embeddings[0]).any(dim=0)
    whole = (embeddings == embeddings.round()).all(dim=0) & varies
    if whole.any() and (varies & ~whole).any():
        names = list(compress(columns, whole.tolist()))
        verb = "holds" if len(names) == 1 else "hold"
        raise RecallkitError(
            f"{path}: {', '.join(map(repr, names))} {verb} whole numbers among columns of "
            f"fractions. Name labels and groups by --labels and --groups, or delete what is no "
            f"embedding; or name the columns of the embedding x_0, x_1, …"
        )


def _is_unfinished(others: Content) -> bool:
    """Tell whether this is an index that was interrupted; a table says it in each row."""
    complete = others.get("complete")
    return complete is not None and not np.asarray(complete.read()).any()


def write_embeddings(path: Path, embeddings: Tensor, labels: Tensor | None = None) -> None:
    """Write a ``.npz`` that :func:`read_embeddings` reads.

    Raises:
        RecallkitError: as :func:`check_replaceable`, or a folder that cannot be written.
    """
    check_replaceable(path)
    arrays: dict[str, Any] = {"embeddings": embeddings.cpu().numpy(), _MARK: "recallkit"}
    if labels is not None:
        arrays["labels"] = labels.cpu().numpy()
    write_atomically(path, lambda temporary: np.savez(temporary, **arrays))


def check_replaceable(path: Path) -> None:
    """Refuse to write embeddings where another file is than :func:`write_embeddings` wrote.

    Raises:
        RecallkitError: another suffix, or such a file.
    """
    if path.suffix != ".npz":
        raise RecallkitError(f"{path} must end in .npz")
    if path.exists() and _MARK not in open_content(path):
        raise RecallkitError(
            f"{path} was not saved by recallkit evaluate, or by an older version of it, and is "
            f"not replaced: choose another name, or delete it"
        )


def open_content(path: Path) -> Content:
    """Describe what a file holds, by name.

    Raises:
        RecallkitError: a file that is missing, damaged, or of a form that is not read.
    """
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise RecallkitError(
            f"{path} is a pickle, which can run code and is not read: store the arrays by "
            f"numpy.savez"
        )
    if suffix not in READERS:
        raise RecallkitError(f"{path} must end in one of {', '.join(READERS)}")
    if not path.is_file():
        raise RecallkitError(f"there is no file {path}")
    content = _reading(path, lambda: READERS[suffix](path))
    if not {*INDEX_VALUES} <= content.keys():
        return content
    # of an index: a class may be called None, and "" is an image without a class
    return {name: replace(stored, missing=frozenset()) for name, stored in content.items()}


def _reading(path: Path, read: Callable[[], Any]) -> Any:
    """Read, and turn whatever a damaged file fails with into one line."""
    try:
        return read()
    except RecallkitError:
        raise
    except Exception as error:  # in many ways, and none can be mended here
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise RecallkitError(f"{path} cannot be read ({reason})") from error


def _base(name: str) -> str:
    """Return the name of an array without its folder, in small letters."""
    return name.rpartition("/")[2].lower()


def _embeddings_in(content: Content, path: Path) -> tuple[str, Stored]:
    """Choose the embeddings: by a usual name, else the only table of floats, or of integers."""
    taken = {*LABEL_NAMES, *GROUP_NAMES, *PATH_NAMES}
    tables = {
        name: stored
        for name, stored in content.items()
        if len(stored.shape) == 2 and 0 not in stored.shape and _base(name) not in taken
    }
    numbers = {name: s for name, s in tables.items() if s.kind in ("float", "integer")}
    floats = {name: s for name, s in numbers.items() if s.kind == "float"}
    usual = {name: s for name, s in numbers.items() if _base(name) in EMBEDDING_NAMES}
    for chosen in (usual, floats, numbers):
        if len(chosen) == 1:
            return next(iter(chosen.items()))
        if chosen:
            raise RecallkitError(
                f"{path} must hold one table of embeddings (N, D), but {' and '.join(chosen)} "
                f"could be it: store one of them alone"
            )
    raise RecallkitError(
        f"{path} must hold embeddings (N, D) of numbers; it holds {listed(content)}"
    )


def _read_embeddings(path: Path, name: str, stored: Stored) -> Tensor:
    def read() -> Tensor:
        tensor = as_embeddings(stored.read(), name)
        if tensor.is_floating_point():
            return tensor
        exact = torch.float32 if tensor.element_size() <= 2 else torch.float64
        if tensor.element_size() == 8 and bool((tensor.double().abs() > 2**53).any()):
            raise ValueError(f"{name!r} holds integers beyond 2**53, which no float holds exactly")
        return tensor.to(exact)

    return _reading(path, read)


def _check_rows(path: Path, embeddings: Tensor) -> None:
    chunks = embeddings.split(_ROWS_A_CHUNK)
    largest = torch.cat([chunk.abs().amax(dim=1) for chunk in chunks])  # (N,)
    faults = {"NaN or infinity": ~largest.isfinite(), "nothing but zeros": largest == 0}
    for fault, rows in faults.items():
        if rows.any():
            raise RecallkitError(
                f"{path}: {int(rows.sum())} of {len(rows):,} rows hold {fault}, the first is row "
                f"{int(rows.nonzero()[0])}, counted from 0: embed those images again, or leave "
                f"them out with their labels"
            )


def _labels_of(
    path: Path, others: Content, wanted: Path | None, number: int
) -> tuple[np.ndarray | None, str]:
    """Read the labels, and say where they are from: named, else inside, else beside ``path``."""
    if wanted is not None:
        return _named(path, others, wanted, number, "labels")
    for usual in LABEL_NAMES:
        for name, stored in others.items():
            if _base(name) == usual:
                return _checked(path, stored, number, f"{path}, {name}"), repr(name)
    for suffix in (".npy", ".txt"):
        beside = path.with_name(f"{path.stem}.labels{suffix}")
        if beside.is_file():
            return _named(path, others, beside, number, "labels")
    return None, ""


def _named(
    path: Path, others: Content, wanted: Path | None, number: int, what: str
) -> tuple[np.ndarray | None, str]:
    """Read labels or groups from an array of the file, or from another file."""
    if wanted is None:
        return None, ""
    name = str(wanted)
    if name in others:
        return _checked(path, others[name], number, f"{path}, {name}"), repr(name)
    if not wanted.is_file() and not wanted.suffix:
        hint = did_you_mean(name, others) or f"the file holds {listed(others)}"
        raise RecallkitError(f"{path} has no {name!r}, and there is no such file of {what}; {hint}")
    return _checked(wanted, _column_of_file(wanted, what), number, str(wanted)), wanted.name


def _column_of_file(path: Path, what: str) -> Stored:
    """Find the labels or groups in a file of their own."""
    if not path.is_file():
        raise RecallkitError(f"there is no file of {what} {path}")
    if path.suffix.lower() not in READERS or _is_list_of_lines(path):
        lines = _reading(path, lambda: _lines(path))
        return Stored((len(lines),), "text", "text", lambda: lines)
    content = open_content(path)
    usual = LABEL_NAMES if what == "labels" else GROUP_NAMES
    named = [s for name in usual for key, s in content.items() if _base(key) == name]
    columns = [stored for stored in content.values() if _is_column(stored)]
    if named or len(columns) == 1:
        return (named or columns)[0]
    raise RecallkitError(
        f"{path} must hold {what}, one for each embedding; it holds {listed(content)}"
    )


def _is_column(stored: Stored) -> bool:
    return len(stored.shape) == 1 or (len(stored.shape) == 2 and stored.shape[1] == 1)


def _is_list_of_lines(path: Path) -> bool:
    """Tell whether a ``.csv`` has one column: then each line is a label, and there is no header."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return False
    lines = _reading(path, lambda: _lines(path))
    return not any(mark in lines[0] for mark in ",;\t") if lines else True


def _lines(path: Path) -> list[str]:
    """Read the lines of a text; empty ones at its end are none."""
    text = path.read_text(encoding=encoding_of(path))  # all ends of lines become \n
    return text.rstrip("\n\x1a").split("\n") if text.strip() else []


def _checked(path: Path, stored: Stored, number: int, name: str) -> np.ndarray:
    """Read labels (N,) or (N, 1), and make them integers or clean text."""
    if not _is_column(stored) or stored.shape[0] != number:
        raise RecallkitError(
            f"{name}: there must be a label for each of the {number:,} embeddings, not "
            f"{tuple(stored.shape)}"
        )
    values = _reading(path, stored.read)
    if len(stored.shape) == 2:
        values = [row[0] for row in values] if isinstance(values, list) else values[:, 0]
    if isinstance(values, Tensor) and values.is_floating_point():
        values = values.double().numpy()
    try:
        return plain_labels(values, name, whole_floats=True, missing=stored.missing)
    except ValueError as error:
        raise RecallkitError(str(error)) from error
