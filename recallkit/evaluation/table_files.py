"""Files of tables: .csv, .tsv, .parquet, .json and .jsonl.

The columns of an embedding are found by a rule:

    1. a column of lists is a table of vectors
    2. columns of numbers whose names end in a number and begin alike (x_0, x_1, …; or 0, 1, …) are
       one, in the order of these numbers
    3. if there is neither, all columns of numbers are one, without those that are labels, groups,
       file names or row numbers by their name, or are named by --labels or --groups. A column of
       whole numbers among fractions is refused: it may be a label or a row number

A .csv may have a header or none. It has none if its first line holds numbers where the second
does, unless these only count the columns.
"""

import csv
import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recallkit.errors import needs_extra
from recallkit.evaluation.array_files import ALONE
from recallkit.evaluation.stored import (
    Content,
    Stored,
    UnreadableError,
    check_unpacked,
    stored_value,
)
from recallkit.files import encoding_of

LABEL_NAMES = ("labels", "label", "targets", "target", "classes", "class", "y")
LABEL_NAMES += ("class_id", "label_id", "ids", "id")
GROUP_NAMES = ("groups", "group", "camera", "cameras", "camera_id", "session", "sessions")
PATH_NAMES = ("paths", "path", "files", "file", "filename", "filenames", "names", "name", "image")

_NOT_NUMBERS = {*LABEL_NAMES, *GROUP_NAMES, *PATH_NAMES, "image_id", "row", "idx", "split"}
_ROW_NUMBERS = {"", "index", "unnamed: 0", "__index_level_0__"}  # written by pandas
_NUMBERED = re.compile(r"(.*?)(\d+)$")


def open_csv(path: Path) -> Content:
    """Describe the columns of a ``.csv`` or ``.tsv``."""
    encoding = encoding_of(path)
    first, second, separator = _first_lines(path, encoding)
    header = not second or not _continues(first, second)
    cells = second or first
    names = [name.strip() for name in first] if header else _places(cells)
    if len(set(names)) < len(names):
        raise UnreadableError(f"its header names a column twice: {', '.join(names)[:200]}")
    numbers = [
        name
        for name, cell in zip(names, cells, strict=False)
        if _is_number(cell) and name.lower() not in _NOT_NUMBERS
    ]
    frame = _read_csv(path, encoding, separator, names, numbers, header, cells)
    columns = {name: frame[name].to_numpy() for name in names}
    content = _with_families(columns, numbers)
    texts = [name for name in names if name not in numbers]
    if not header and len(texts) == 1:  # the only column that can be the labels
        content["labels"] = content.pop(texts[0])
    return content


def _places(cells: Sequence[str]) -> list[str]:
    """Name the columns of a table without a header; a number alone is one of an embedding."""
    return [str(i) if _is_number(cell) else f"column {i}" for i, cell in enumerate(cells)]


def _first_lines(path: Path, encoding: str) -> tuple[list[str], list[str], str]:
    """Return the cells of the first two lines (the second empty if there is none), and `,`."""
    with path.open(encoding=encoding, newline="") as file:
        separator = _separator(file.readline(2**24), path.suffix.lower())
        file.seek(0)
        rows = csv.reader(file, delimiter=separator)
        filled = (row for row in rows if row)
        return next(filled, []), next(filled, []), separator


def _separator(line: str, suffix: str) -> str:
    """Return the mark between cells; in "0,5;0,7" that is the semicolon."""
    tabs, commas, semicolons = map(line.count, "\t,;")
    if suffix == ".tsv" or tabs > max(commas, semicolons):
        return "\t"
    return ";" if semicolons and semicolons + 1 >= commas else ","


def _continues(first: Sequence[str], second: Sequence[str]) -> bool:
    """Tell whether a first line is data like the second: numbers where that has numbers."""
    cells = [ours for ours, theirs in zip(first, second, strict=False) if _is_number(theirs)]
    numbers = [float(cell.replace(",", ".")) for cell in cells if _is_number(cell)]
    counting = [[start + i for i in range(len(numbers))] for start in (0, 1)]
    return bool(numbers) and not (len(numbers) > 1 and numbers in counting)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ".", 1))
    except ValueError:
        return False
    return True


def _read_csv(
    path: Path,
    encoding: str,
    separator: str,
    names: Sequence[str],
    numbers: Sequence[str],
    header: bool,
    cells: Sequence[str],
) -> Any:
    import pandas as pd

    decimal = "," if separator == ";" and any("," in cell for cell in cells) else "."
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows of different lengths
        return pd.read_csv(
            path,
            sep=separator,
            names=list(names),
            header=0 if header else None,
            dtype={name: np.float64 if name in numbers else str for name in names},
            encoding=encoding,
            keep_default_na=False,
            na_values={name: [""] for name in numbers},
            decimal=decimal,
            index_col=False,
        )


def _with_families(columns: dict[str, np.ndarray], numbers: Sequence[str]) -> dict[str, Stored]:
    """Join the columns of numbers that are an embedding; see the head of this module."""
    families: dict[str, dict[int, str]] = {}
    for name in numbers:
        if match := _NUMBERED.match(name):
            families.setdefault(_stem(name), {})[int(match[2])] = name
    for name, column in columns.items():
        match = _NUMBERED.match(name)
        if match and name not in numbers and len(families.get(_stem(name), ())) > 1:
            raise UnreadableError(
                f"column {name!r} must hold numbers like its neighbours, not {column[0]!r:.40}"
            )
    joined = [
        [family[number] for number in sorted(family)]
        for family in families.values()
        if len(family) > 1
    ]
    if not joined:
        chosen = [name for name in numbers if name.lower() not in _ROW_NUMBERS]
        joined = [chosen] if len(chosen) > 1 else []
    content = {
        family_name(names): _stored_columns(columns, tuple(names)) for names in joined if names
    }
    for name, column in columns.items():
        if all(name not in names for names in joined):
            content[name] = stored_value(column.tolist(), column.nbytes)
    return content


def is_numbered_by_name(name: str) -> bool:
    """Tell whether a column is one of several by its name, such as "x_12"; "12" alone is not."""
    return bool(_stem(name))


def _stem(name: str) -> str:
    """Return how the name of a numbered column begins: "x" of "x_12"; "" if it has no number."""
    match = _NUMBERED.match(name)
    return match[1].rstrip("_- .") if match else ""


def family_name(names: Sequence[str]) -> str:
    """Name the table that columns are joined to: "x" of x_0, x_1, …, else "first … last"."""
    return _stem(names[0]) or f"{names[0]} … {names[-1]}"


def _stored_columns(columns: dict[str, np.ndarray], names: tuple[str, ...]) -> Stored:
    arrays = [
        column.astype(np.float64) if column.dtype == object else column  # None becomes NaN
        for column in (columns[name] for name in names)
    ]
    shape, dtype = (len(arrays[0]), len(names)), np.result_type(*arrays)
    return Stored(shape, str(dtype), "float", lambda: np.stack(arrays, axis=1), names)


def open_parquet(path: Path) -> Content:
    """Describe the columns of a ``.parquet``; integers and text stay exact, gaps are missing."""
    with needs_extra(f"reading {path.suffix}"):
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]
    file = parquet.ParquetFile(path)
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    values = sum(g.column(i).num_values for g in groups for i in range(g.num_columns))
    check_unpacked(8 * values, path.stat().st_size, "it")
    table = file.read()
    columns: dict[str, np.ndarray] = {}
    content: dict[str, Stored] = {}
    numbers = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = str(column.type)
        if "list<" in kind:
            content[name] = _stored_lists(column)
        elif kind.startswith(("float", "double", "halffloat", "int", "uint")):
            columns[name] = column.to_numpy() if column.null_count == 0 else _objects(column)
            if name.lower() not in _NOT_NUMBERS:
                numbers.append(name)
        else:
            columns[name] = _objects(column)
    return content | _with_families(columns, [] if content else numbers)


def _objects(column: Any) -> np.ndarray:
    values = column.to_pylist()
    return np.fromiter(values, dtype=object, count=len(values))


def _stored_lists(column: Any) -> Stored:
    """Describe a column of lists, one vector a row, without a Python list of each."""
    from pyarrow import compute  # pyright: ignore[reportMissingImports]

    lengths = compute.call_function("list_value_length", [column]).unique().to_pylist()
    if column.null_count or len(lengths) != 1:
        return Stored((len(column),), "lists of different lengths", "other", column.to_pylist)
    flat = compute.call_function("list_flatten", [column])
    shape = (len(column), lengths[0])
    return Stored(shape, str(flat.type), "float", lambda: flat.to_numpy().reshape(shape))


def open_json(path: Path) -> Content:
    """Describe a ``.json``: a list of vectors, a list of records, or an object of lists."""
    value = json.loads(path.read_text(encoding=encoding_of(path)))
    if isinstance(value, dict):
        return {name: stored_value(values, 0) for name, values in value.items()}
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return _of_records(value)
    return {ALONE: stored_value(value, 0)}


def open_json_lines(path: Path) -> Content:
    """Describe a ``.jsonl``: one record, or one vector, a line."""
    with path.open(encoding=encoding_of(path)) as file:
        rows = [json.loads(line) for line in file if line.strip()]
    if rows and all(isinstance(row, dict) for row in rows):
        return _of_records(rows)
    return {ALONE: stored_value(rows, 0)}


def _of_records(records: Sequence[dict[str, Any]]) -> Content:
    """Turn records into columns; a name that a record lacks is missing there."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    if any(isinstance(value, list) for values in columns.values() for value in values):
        return {name: stored_value(values, 0) for name, values in columns.items()}
    numbers = [
        name
        for name, values in columns.items()
        if name.lower() not in _NOT_NUMBERS
        and all(value is None or type(value) in (int, float) for value in values)
    ]
    arrays = {
        name: np.fromiter(values, dtype=object, count=len(values))
        for name, values in columns.items()
    }
    return _with_families(arrays, numbers)
