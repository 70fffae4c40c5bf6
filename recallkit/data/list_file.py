"""A list file: a table of images with their classes, as a spreadsheet or pandas writes it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recallkit.data.listing import SPLIT_NAMES, ImageList, canonical_name, check_distinct, quoted
from recallkit.errors import RecallkitError, needs_extra
from recallkit.files import encoding_of, expanded
from recallkit.labels import MISSING_TEXTS, canonical_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LIST_SUFFIXES", "read_list"]

LIST_SUFFIXES = (".csv", ".tsv", ".txt")

_NEEDED = ("path", "label")
_OPTIONAL = ("split", "is_query", "group")
_TRUTH = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "t", "y"), True),
    **dict.fromkeys(("0", "0.0", "false", "no", "f", "n", ""), False),
}
_SHOWN = 5  # rows a message


def read_list(file: Path, skip_missing: bool = False) -> ImageList:
    """Read a list of images.

    The first row names the columns, in any order; commas, semicolons or tabs separate them.

    - ``path``: of an image; relative ones begin at the folder of the file.
    - ``label``: its class, as text: 7 and 07 are two classes.
    - ``split``, if wanted: train, test, or val, valid or validation, for each row.
    - ``is_query``, if wanted: 1 or true for a test image that is searched with. The other test
      images are then the gallery. Without queries all are searched with all.
    - ``group``, if wanted: what images have in common that must not be a hit, such as a camera.

    Blanks around a cell do not count, and "nan" or "None" is no label. Other columns are not used.

    Args:
        file: in UTF-8, with or without a byte-order mark, or in UTF-16.
        skip_missing: leave out images that are not there, and say so.

    Raises:
        RecallkitError: naming the rows (the header is row 1) that lack a path or a label, name a
            file that is not there, or name it twice; a file that is no such table.
    """
    table = _read_table(file)
    _check_once(file, table)
    paths = [_path(file.parent, name) for name in table["path"]]
    there = [path.is_file() for path in paths]
    if not (all(there) or skip_missing):
        raise _missing(file, table[[not exists for exists in there]])
    chosen = table[there]
    classes = tuple(canonical_name(label) for label in chosen["label"])
    check_distinct(classes, file)
    missing = len(table) - len(chosen)
    return ImageList(
        source=file,
        paths=tuple(path for path, exists in zip(paths, there, strict=True) if exists),
        classes=classes,
        names=tuple(chosen["path"]),
        parts=_parts(file, chosen),
        queries=_queries(file, chosen),
        groups=_groups(chosen),
        left_out=(f"{missing:,} images that are not there",) if missing else (),
        notes=_notes(table),
    )


def _read_table(file: Path) -> "pd.DataFrame":
    """Read the cells as text, without the blanks around them; the index is the row, from 2."""
    with needs_extra("reading a list file"):
        import pandas as pd
    encoding = _encoding(file)
    try:
        separator = _separator(file, encoding)
        cells = pd.read_csv(
            file,
            sep=separator,
            header=None,
            dtype=str,
            encoding=encoding,
            keep_default_na=False,
            skip_blank_lines=False,
        )
    except (OSError, ValueError) as error:  # of pandas, too
        why = " ".join(str(error).split())
        raise RecallkitError(
            f"{file} cannot be read as a list ({why}). Save it as CSV in UTF-8."
        ) from error
    cells = cells.fillna("").map(str.strip)
    table = cells[1:].set_axis(cells.iloc[0].str.lower(), axis=1)
    table.index += 1
    _check_columns(file, table)
    table = table[(table != "").any(axis=1)]
    _check_cells(file, table)
    return table


def _encoding(file: Path) -> str:
    try:
        return encoding_of(file)
    except OSError as error:
        raise RecallkitError(f"{file} cannot be read ({error.strerror})") from error


def _separator(file: Path, encoding: str) -> str:
    """Take the separator that cuts the header into the columns that are needed."""
    with file.open(encoding=encoding) as content:
        header = content.readline()
    for separator in (",", ";", "\t"):
        names = [name.strip().strip('"').strip().lower() for name in header.split(separator)]
        if all(name in names for name in _NEEDED):
            return separator
    return ","


def _check_columns(file: Path, table: "pd.DataFrame") -> None:
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise RecallkitError(
            f"{file} has no column {' and no column '.join(missing)}: its first row must name the "
            f"columns path and label, and may name split, is_query and group; it is: "
            f"{quoted(table.columns)}"
        )
    twice = [name for name in (*_NEEDED, *_OPTIONAL) if list(table.columns).count(name) > 1]
    if twice:
        raise RecallkitError(f"{file} has two columns {twice[0]}: delete or rename one of them")


def _check_cells(file: Path, table: "pd.DataFrame") -> None:
    if table.empty:
        raise RecallkitError(f"{file} lists no image: it has no row below its header")
    for name in _NEEDED:
        empty = table[table[name].map(canonical_text).isin(MISSING_TEXTS)]
        if len(empty):
            words = quoted(sorted({*empty[name]} - {""}))
            note = f" (missing is also: {words})" if words else ""
            raise RecallkitError(
                f"{file} has no {name} in {_rows(empty.index.tolist())}{note}: fill it in, or "
                f"delete it"
            )


def _rows(rows: Sequence[int]) -> str:
    """Name rows of the file; the header is row 1."""
    shown = ", ".join(map(str, rows[:_SHOWN])) + (", …" if len(rows) > _SHOWN else "")
    return f"row {shown}" if len(rows) == 1 else f"{len(rows):,} rows ({shown})"


def _check_once(file: Path, table: "pd.DataFrame") -> None:
    places = table["path"].map(lambda name: os.path.abspath(_path(file.parent, str(name))))
    again = table[places.duplicated()]
    if len(again):
        raise RecallkitError(
            f"{file} lists images twice: {_rows(again.index.tolist())} repeat an image, the first "
            f"is {again['path'].iloc[0]}. Delete those rows: an image would find itself."
        )


def _path(folder: Path, name: str) -> Path:
    """Find an image; where there is none, a backslash between folders is read as "/"."""
    path = folder / expanded(name)
    if "\\" in name and not path.is_file():
        return folder / name.replace("\\", "/")
    return path


def _missing(file: Path, rows: "pd.DataFrame") -> RecallkitError:
    named = "; ".join(f"row {row}: {path}" for row, path in rows["path"].head(_SHOWN).items())
    more = f"; and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else ""
    return RecallkitError(
        f"{len(rows):,} images of {file} are not there ({named}{more}). Relative paths begin at "
        f"{file.parent}. Mend them, or leave such images out by --on-bad-image skip."
    )


def _parts(file: Path, table: "pd.DataFrame") -> tuple[str, ...]:
    """Read the split of each image; nothing if there is no such column, or it is empty."""
    if "split" not in table or (table["split"] == "").all():
        return ()
    parts = table["split"].str.lower().map(SPLIT_NAMES)
    if parts.isna().any():
        wrong = table[parts.isna()]
        raise RecallkitError(
            f"{file} has no split that is known in {_rows(wrong.index.tolist())}, the first is "
            f"{wrong['split'].iloc[0]!r}. Write train, validation or test in each row, or in none."
        )
    return tuple(parts)


def _queries(file: Path, table: "pd.DataFrame") -> tuple[bool, ...]:
    if "is_query" not in table:
        return ()
    queries = table["is_query"].str.lower().map(_TRUTH)
    if queries.isna().any():
        wrong = table[queries.isna()]
        raise RecallkitError(
            f"{file}: is_query must be 1 or 0, or true or false, but not in "
            f"{_rows(wrong.index.tolist())}, the first is {wrong['is_query'].iloc[0]!r}"
        )
    return tuple(bool(query) for query in queries) if queries.any() else ()


def _groups(table: "pd.DataFrame") -> tuple[str, ...]:
    if "group" not in table or (table["group"] == "").all():
        return ()
    return tuple(canonical_name(name) for name in table["group"])


def _notes(table: "pd.DataFrame") -> tuple[str, ...]:
    unused = [name for name in table.columns if name not in (*_NEEDED, *_OPTIONAL)]
    if not unused:
        return ()
    return (f"columns that are not used: {quoted(unused)}",)
