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
    at_updates,
    incomparable_seconds,
    look_rows,
    remarks,
    result_rows,
    tried_rows,
)
from recallkit.experiments.summary import Estimate
from recallkit.experiments.sweeps import Sweep
from recallkit.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_sweep(sweep: Sweep, points: Sequence[Point], folder: Path, stem: str) -> list[Path]:
    """Draw what is stored: the results, the way there against three costs, and the tuning.

    Args:
        sweep: what was compared.
        points: of :func:`.collect`.
        folder: where the files go.
        stem: of their names: STEM.svg, .png, .csv; STEM-cost, if a final run is stored; of a first
            axis of numbers STEM-rates, if a run that tuned is; of batch sizes STEM-updates.

    Returns:
        The files.
    """
    files = save_figure(draw_results(sweep, points), folder / stem, result_rows(points))
    if any(point.looks for point in points):
        files += save_figure(draw_costs(sweep, points), folder / f"{stem}-cost", look_rows(points))
    if has_rates(sweep, points):
        rows = tried_rows(sweep, points)
        files += save_figure(draw_rates(sweep, points), folder / f"{stem}-rates", rows)
    if has_equal_updates(sweep, points):
        rows = [row for series in _equal_updates(sweep, points).values() for row in series]
        files += save_figure(draw_equal_updates(sweep, points), folder / f"{stem}-updates", rows)
    return files


def is_stored(points: Sequence[Point]) -> bool:
    """Whether there is anything to draw."""
    return any(point.metrics or point.tried for point in points)


def draw_results(
    sweep: Sweep,
    points: Sequence[Point],
    own: Mapping[Any, float] | None = None,
    own_label: str = "just now, one seed",
    ax: "Axes | None" = None,
) -> "Figure":
    """R@1 on test classes of each setting, with its interval, and what must be known of it.

    Args:
        sweep: what was compared.
        points: of :func:`.collect`.
        own: value on the axis → R@1 of a run of the reader's; values may be new.
        own_label: what those are called.
        ax: where to draw; None: in a figure of its own, with question and remarks.
    """
    points = _in_order(sweep, points)
    places = [_place(sweep, point) for point in points]
    stored: dict[str, dict[Any, Estimate]] = {series: {} for _, series in places}
    for (value, series), point in zip(places, points, strict=True):
        if point.metrics:
            stored[series][value] = point.metrics["R@1"]
    values = _sorted([*(value for value, _ in places), *(own or {})])
    options = {"xlabel": _xlabel(sweep), "values": values, "own_label": own_label, "ax": ax}
    fig, drawn = plots.plot_comparison(stored, own or {}, **options)
    _name_ticks(drawn, [as_text(value) for value in values], 60 if ax is None else 25)
    if ax is None:
        _frame(fig, sweep, points)
    return fig


def _xlabel(sweep: Sweep) -> str:
    return sweep.axes[0].replace("_", " ") if 0 < len(sweep.axes) < 3 else "setting"


def _name_ticks(ax: "Axes", texts: Sequence[str], room: int) -> None:
    """The words below the axis, aslant where there is no room for so many letters."""
    ax.set_xticks(range(len(texts)), texts)
    if max(map(len, texts)) * len(texts) > room:
        ax.tick_params(axis="x", rotation=30, labelsize=8)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")


def has_rates(sweep: Sweep, points: Sequence[Point]) -> bool:
    """Whether :func:`draw_rates` has what to draw: one tuned number, along an axis of numbers."""
    numbers = _is_numeric(sweep) and len(sweep.tuned) == 1
    return numbers and len(_series(sweep, points)) < 4 and any(point.tried for point in points)


def draw_rates(sweep: Sweep, points: Sequence[Point]) -> "Figure":
    """The comparison at each common rate, on validation classes, from the runs that tuned."""
    panels: dict[str, dict[Any, dict[Any, float]]] = {}
    for point in _in_order(sweep, points):
        value, series = _place(sweep, point)
        for (rate,), recall in point.tried.items():
            panels.setdefault(series, {}).setdefault(rate, {})[value] = recall
    [tuned] = sweep.tuned
    values = _values(sweep, points)
    fig, _ = plots.plot_rates(panels, _xlabel(sweep), values, tuned.replace("_", " "))
    fig.suptitle("One rate for all, or for each its own (one run each)", fontsize=11)
    return fig


def has_equal_updates(sweep: Sweep, points: Sequence[Point]) -> bool:
    """Whether :func:`draw_equal_updates` has what to draw: two batch sizes of one series."""
    return sweep.axes[:1] == ("batch_size",) and any(_equal_updates(sweep, points).values())


def draw_equal_updates(sweep: Sweep, points: Sequence[Point]) -> "Figure":
    """The same final runs after equal numbers of updates: the plot that misleads."""
    panels: dict[str, dict[Any, dict[Any, float]]] = {}
    ends: dict[str, dict[Any, float]] = {}
    for series, rows in _equal_updates(sweep, points).items():
        for row in rows:
            panels.setdefault(series, {}).setdefault(row["updates"], {})
            panels[series][row["updates"]][row["batch_size"]] = row["validation R@1"]
    for point in _in_order(sweep, points):
        value, series = _place(sweep, point)
        if point.looks and series in panels:
            ends.setdefault(series, {})[value] = point.looks[-1].recall.mean
    values = _values(sweep, points)
    fig, _ = plots.plot_equal_updates(panels, ends, _xlabel(sweep), values)
    fig.suptitle("Equal updates, or equal images? The same runs", fontsize=11)
    return fig


def say_equal_updates(sweep: Sweep, points: Sequence[Point]) -> str:
    """How often the larger of two batches is ahead at equal updates, and how often at equal images.

    The same pairs of runs, on validation classes.
    """
    pairs: dict[tuple[str, int], list[Row]] = {}
    for rows in _equal_updates(sweep, points).values():
        for row in rows:
            pairs.setdefault((row["series"], row["updates"]), []).append(row)
    ahead = {
        name: sum(rows[-1][name] > rows[0][name] for rows in pairs.values())
        for name in ("validation R@1", "at its end")
    }
    return (
        f"the larger of two batches is ahead in {ahead['validation R@1']} of {len(pairs)} pairs at "
        f"equal updates, and in {ahead['at its end']} of the same pairs at equal images"
    )


def say_rates(sweep: Sweep, points: Sequence[Point]) -> str:
    """Which setting is best at each rate that all of a series have tried, on validation classes."""
    said = []
    for series, members in _series(sweep, points).items():
        common = set.intersection(*(set(point.tried) for point in members))
        for tried in sorted(common):
            best = max(members, key=lambda point, tried=tried: point.tried[tried])
            rate, value = ", ".join(f"{v:g}" for v in tried), as_text(_place(sweep, best)[0])
            said.append(f"{series}, {rate} for all: best is {value}")
    return "\n".join(said) or "no rate was tried with all settings yet"


def _equal_updates(sweep: Sweep, points: Sequence[Point]) -> dict[str, list[Row]]:
    """For each series: where all stood when a larger batch had ended, if another was there too."""
    found: dict[str, list[Row]] = {}
    for series, members in _series(sweep, points).items():
        rows = []
        for count in sorted({point.looks[-1].updates for point in members if point.looks}):
            there = [(point, at_updates(point, count)) for point in members]
            known = [(point, recall) for point, recall in there if recall is not None]
            if len(known) > 1:
                rows += [_reading(series, count, *reading) for reading in known]
        found[series] = rows
    return found


def _reading(series: str, updates: int, point: Point, recall: float) -> Row:
    row = {"series": series, "updates": updates, "batch_size": point.values["batch_size"]}
    ends = round(point.looks[-1].recall.mean, 6)
    return row | {"validation R@1": round(recall, 6), "at its end": ends}


def _series(sweep: Sweep, points: Sequence[Point]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for point in _in_order(sweep, points):
        found.setdefault(_place(sweep, point)[1], []).append(point)
    return found


def _values(sweep: Sweep, points: Sequence[Point]) -> list[Any]:
    return list(dict.fromkeys(_place(sweep, point)[0] for point in _in_order(sweep, points)))


def _is_numeric(sweep: Sweep) -> bool:
    values = [setting.get(sweep.axes[0]) for setting in sweep.compared] if sweep.axes else []
    numbers = [isinstance(v, (int, float)) and not isinstance(v, bool) for v in values]
    return bool(numbers) and all(numbers) and len(sweep.axes) < 3


def draw_costs(sweep: Sweep, points: Sequence[Point]) -> "Figure":
    """R@1 on validation classes on the way, against images seen, updates and seconds."""
    rows: dict[str, dict[str, tuple[Look, ...]]] = {}
    for point in _in_order(sweep, points):
        value, series = _place(sweep, point)
        if point.looks:
            rows.setdefault(series, {})[as_text(value)] = point.looks
    legend = "" if len(sweep.axes) > 2 else _xlabel(sweep)
    fig, _ = plots.plot_costs(rows, legend, seconds=not incomparable_seconds(points))
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


def save_figure(fig: "Figure", path: Path, rows: Sequence[Row]) -> list[Path]:
    """Write PATH.svg, .png and, with the numbers drawn, .csv; close the figure."""
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
