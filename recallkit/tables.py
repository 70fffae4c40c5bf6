"""Tables of text that read well in a terminal and in Markdown alike."""

import unicodedata
from collections.abc import Mapping, Sequence

__all__ = ["metrics_table", "text_table"]

ENDS_LINE = ("Cc", "Zl", "Zp")  # control characters, separators of lines and paragraphs


def metrics_table(
    rows: Mapping[str, Mapping[str, float]],
    columns: Sequence[str] = ("R@1", "R@2", "R@4", "R@8", "mAP@R"),
    title: str = "",
) -> str:
    """Make a table of metrics in percent.

    Args:
        rows: name → metric → value, from 0 to 1; each entry is a row.
        columns: the metrics to show.
        title: head of the column of names.

    Raises:
        ValueError: if a row lacks a column.
    """
    body = [
        [name.replace("`", "\\`"), *(_percent(name, values, column) for column in columns)]
        for name, values in rows.items()
    ]
    return text_table([title, *columns], body)


def _percent(row: str, values: Mapping[str, float], column: str) -> str:
    if column not in values:
        raise ValueError(f"row {row!r} has no {column!r}, only {sorted(values)}")
    return f"{100 * values[column]:.1f}"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Make a Markdown table, padded so that columns align: the first to the left, others right.

    A ``|`` in a cell is escaped, and a line break or another control character becomes a blank, so
    that no name from outside can end its cell.

    Args:
        header: the head of each column.
        rows: the cells of each row, as many as ``header`` has.
    """
    header, *rows = [[*map(_cell, row)] for row in [header, *rows]]
    widths = [max(3, *(len(row[i]) for row in [header, *rows])) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = cells
        padded = [first.ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def _cell(text: str) -> str:
    one_line = "".join(" " if unicodedata.category(c) in ENDS_LINE else c for c in text)
    return one_line.replace("|", "\\|")
