"""The figures of a sweep, drawn from stored runs alone: SVG and PNG, with a CSV beside each."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recallkit import plots
from recallkit.experiments.points import (
    Look,
    Point,
    Row,
    as_text,
    look_rows,
    remarks,
    result_rows,
)
from recallkit.experiments.summary import Estimate
from recallkit.experiments.sweeps import Sweep
from recallkit.runs import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_sweep(sweep: Sweep, points: Sequence[Point], folder: Path, stem: str) -> list[Path]:
    """Draw what is stored: the results, and the way there against three costs.

    Args:
        sweep: what was compared.
        points: of :func:`.collect`.
        folder: where the files go.
        stem: of their names: STEM.svg, .png, .csv and STEM-cost.svg, .png, .csv.

    Returns:
        The files.
    """
    files = _save(draw_results(sweep, points), folder / stem, result_rows(points))
    if any(point.looks for point in points):
        files += _save(draw_costs(sweep, points), folder / f"{stem}-cost", look_rows(points))
    return files


def draw_results(sweep: Sweep, points: Sequence[Point]) -> "Figure":
    """R@1 on test classes of each setting, with its interval, and what must be known of it."""
    points = _in_order(sweep, points)
    places = [_place(sweep, point) for point in points]
    stored: dict[str, dict[Any, Estimate]] = {series: {} for _, series in places}
    for (value, series), point in zip(places, points, strict=True):
        if point.metrics:
            stored[series][value] = point.metrics["R@1"]
    values = list(dict.fromkeys(value for value, _ in places))
    xlabel = sweep.axes[0].replace("_", " ") if 0 < len(sweep.axes) < 3 else "setting"
    fig, ax = plots.plot_comparison(stored, {}, xlabel=xlabel, values=values)
    texts = [as_text(value) for value in values]
    ax.set_xticks(range(len(texts)), texts)
    if max(map(len, texts)) * len(texts) > 60:
        ax.tick_params(axis="x", rotation=30, labelsize=8)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")
    _frame(fig, sweep, points)
    return fig


def draw_costs(sweep: Sweep, points: Sequence[Point]) -> "Figure":
    """R@1 on validation classes on the way, against images seen, updates and seconds."""
    rows: dict[str, dict[str, tuple[Look, ...]]] = {}
    for point in _in_order(sweep, points):
        value, series = _place(sweep, point)
        if point.looks:
            rows.setdefault(series, {})[as_text(value)] = point.looks
    legend = sweep.axes[0].replace("_", " ") if 0 < len(sweep.axes) < 3 else ""
    fig, _ = plots.plot_costs(rows, legend)
    _frame(fig, sweep, points)
    return fig


def _place(sweep: Sweep, point: Point) -> tuple[Any, str]:
    """Where a point stands: its value on the axis, and its series."""
    values, axes = point.values, sweep.axes
    if len(axes) > 2:
        return _changes(sweep, point), "stored"
    series = f"{axes[1].replace('_', ' ')} {as_text(values[axes[1]])}" if axes[1:] else "stored"
    return values[axes[0]] if axes else "preset", series


def _changes(sweep: Sweep, point: Point) -> str:
    """What a point has other than the common base."""
    base = vars(sweep.config({}))
    changed = {name: value for name, value in point.values.items() if value != base[name]}
    return ",\n".join(f"{name} {as_text(value)}" for name, value in changed.items()) or "preset"


def _in_order(sweep: Sweep, points: Sequence[Point]) -> list[Point]:
    """Points by the first setting that varies, then the second; three or more as declared."""
    if len(sweep.axes) > 2:
        return list(points)
    orders = {name: _sorted([point.values[name] for point in points]) for name in sweep.axes}
    return sorted(points, key=lambda p: [orders[name].index(p.values[name]) for name in orders])


def _sorted(values: Sequence[Any]) -> list[Any]:
    """Numbers by size, sets of cut-offs by length, words as they were declared."""
    values = list(dict.fromkeys(values))
    if all(isinstance(value, tuple) for value in values):
        return sorted(values, key=lambda value: (len(value), value))
    return values if any(isinstance(value, str) for value in values) else sorted(values)


def _frame(fig: "Figure", sweep: Sweep, points: Sequence[Point]) -> None:
    import textwrap

    width = int(fig.get_figwidth() * 15)
    fig.suptitle("\n".join(textwrap.wrap(sweep.question, width)), fontsize=11)
    notes = "\n".join(line for said in remarks(points) for line in textwrap.wrap(said, width))
    if notes:
        fig.supxlabel(notes, fontsize=7, x=0.02, ha="left", color="#444444")


def _save(fig: "Figure", path: Path, rows: Sequence[Row]) -> list[Path]:
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    files = [path.with_name(f"{path.name}.{kind}") for kind in ("svg", "png", "csv")]
    with mpl.rc_context({"svg.hashsalt": path.name}):  # the same runs, the same file
        write_atomically(files[0], lambda file: fig.savefig(file, metadata={"Date": None}))
    write_atomically(files[1], lambda file: fig.savefig(file, dpi=150))
    write_atomically(files[2], lambda file: file.write_text(as_csv(rows), encoding="utf-8"))
    plt.close(fig)
    return files


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, with all columns that any of them has; what is not known is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
