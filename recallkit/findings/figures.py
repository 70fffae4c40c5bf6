"""The figures of sweeps, drawn from stored runs alone: SVG and PNG, with a CSV beside each.

``runs`` is a table of :func:`.load_results`, and ``histories`` one of :func:`.load_histories` from
the same folders.
"""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from recallkit import plots
from recallkit.experiments.sweep_tables import sweep_history, sweep_runs, sweep_summary
from recallkit.experiments.sweeps import Sweep, sorted_values
from recallkit.files import write_atomically
from recallkit.findings.gains import (
    REFERENCE,
    batch_gains,
    simix_gains,
    trained_in_words,
    trained_on,
)
from recallkit.findings.notes import APART, far_apart, footnotes
from recallkit.words import as_text, changes_in_words, in_words, with_short_sets

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXIS_TITLES = {
    "rank_temperature": "rank temperature τ₂",
    "k_temperature": "k temperature τ₁",
    "ks": "cut-offs K",
    "per_class": "images of a class in a batch",
    "images": "images seen",
    "classes": "training classes",
}
READABLE = 9  # points of the smallest text: 12 pixels on a phone, which shows 100 an inch


def draw_results(
    sweep: Sweep,
    runs: pd.DataFrame,
    own: Mapping[Any, float] | None = None,
    own_label: str = "just now, one seed",
    histories: pd.DataFrame | None = None,
) -> "Figure":
    """Draw R@1 on test classes of each setting, with its interval.

    Where a run lies far below the others, each is a small point beside their mean.

    Where a sweep varies ``images``, each length of training is a line, and SiMix off and on have a
    panel each.

    Args:
        sweep: what is compared.
        runs: stored runs.
        own: value on the axis → R@1 of a run of the reader's; values may be new.
        own_label: what those are called.
        histories: draw the way there, too: R@1 on validation classes, and the training loss above
            its floor, means over the seeds.
    """
    summary = _placed(sweep, sweep_summary(sweep, runs), runs)
    panels = [*dict.fromkeys(summary["panel"])]
    fig, grid = _grid(len(panels), histories is not None)
    for row, title in zip(grid, panels, strict=True):
        _draw_points(row[0], sweep, summary, title, own, own_label)
    at = "center" if histories is None else "upper"
    plots.share_legend(fig, [row[0] for row in grid], place=at)
    if histories is not None:
        history = _placed(sweep, sweep_history(sweep, runs, histories), runs)
        colours = _colours(history["value"])
        styles = _styles(summary)
        for row, title in zip(grid, panels, strict=True):
            courses = _courses(history[history["panel"] == title])
            plots.plot_course(row[1:], courses, styles, colours)
        plots.share_legend(fig, [row[1] for row in grid], _axis_title(sweep), "lower")
    _frame(fig, sweep.question, footnotes(sweep, summary))
    return fig


def draw_side_by_side(
    sweeps: Sequence[Sweep], runs: pd.DataFrame, one_axis: bool = True
) -> "Figure":
    """Draw R@1 on test classes of several sweeps: a panel each, or one a panel of it.

    Where a run lies far below the others of its setting, all runs of the panel are small points.

    Args:
        sweeps: one or more.
        runs: stored runs.
        one_axis: whether the panels share their axis. Intervals of very different length need one
            each, and a note below says so.
    """
    summaries = [_placed(sweep, sweep_summary(sweep, runs), runs) for sweep in sweeps]
    panels = [
        (sweep, summary, title)
        for sweep, summary in zip(sweeps, summaries, strict=True)
        for title in dict.fromkeys(summary["panel"])
    ]
    heads = _heads(sweeps, runs)
    fig, grid = _grid(len(panels), False, one_axis)
    for [ax], (sweep, summary, title) in zip(grid, panels, strict=True):
        _draw_points(ax, sweep, summary, title, all_runs=True)
        names = plots.legible(heads[sweep.name]), title
        ax.set_title("\n".join(filter(None, names)), fontsize=10, **plots.name_style(*names))
    _within_percent([ax for [ax] in grid])
    plots.share_legend(fig, [ax for [ax] in grid], place="center")
    notes = [] if one_axis else ["each panel has an axis of its own"]
    notes += [
        f"{heads[sweep.name]}: {note}"
        for sweep, summary in zip(sweeps, summaries, strict=True)
        for note in footnotes(sweep, summary)
    ]
    _frame(fig, "", notes)
    return fig


def _heads(sweeps: Sequence[Sweep], runs: pd.DataFrame) -> dict[str, str]:
    """Name → what each sweep trains, in words; the names again if these do not tell them apart."""
    first = runs.drop_duplicates("sweep").set_index("sweep", drop=False)
    names = [sweep.name for sweep in sweeps]
    words = {
        name: trained_in_words(trained_on(first.loc[name])) for name in names if name in first.index
    }
    apart = 1 < len(names) == len({*words.values()})
    return words if apart else dict(zip(names, names, strict=True))


def _within_percent(axes: Iterable["Axes"]) -> None:
    """End axes of percent at 0 and 100."""
    for ax in axes:
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, 0.0), min(high, 100.0))


def _grid(
    count: int, with_course: bool, one_axis: bool = True
) -> "tuple[Figure, list[list[Axes]]]":
    """Return a row of axes for each panel; side by side if each has one alone."""
    import matplotlib.pyplot as plt

    columns = 3 if with_course else 1
    shape = (count, 3) if with_course else (1, count)
    size = (2.3 + 4 * shape[1], 0.8 + 3.4 * shape[0])
    options: dict[str, Any] = {"figsize": size, "squeeze": False, "layout": "constrained"}
    fig, axes = plt.subplots(*shape, sharey=one_axis and not with_course, **options)
    return fig, axes.reshape(count, columns).tolist()


def _draw_points(
    ax: "Axes",
    sweep: Sweep,
    summary: pd.DataFrame,
    title: str,
    own: Mapping[Any, float] | None = None,
    own_label: str = "",
    all_runs: bool = False,
) -> None:
    """Draw one panel of the results; where a run failed, those of its setting, or all runs."""
    recalls = {_label(value): recall for value, recall in (own or {}).items()}
    rows = summary[summary["panel"] == title]
    stored: dict[str, dict[Any, tuple[float, float]]] = {}
    each: dict[str, dict[Any, Sequence[float]]] = {}  # where a mean alone would deceive
    all_runs = all_runs and bool(rows["runs"].map(far_apart).any())
    for row in rows[rows["seeds"] > 0].to_dict("records"):
        stored.setdefault(row["series"], {})[row["value"]] = (row["R@1"], row["R@1 ±"])
        if all_runs or far_apart(row["runs"]):
            each.setdefault(row["series"], {})[row["value"]] = row["runs"]
    plots.plot_comparison(
        stored,
        recalls,
        xlabel=_axis_title(sweep),
        values=sorted_values([*summary["value"], *recalls]),
        own_label=own_label,
        missing={str(n): [*v] for n, v in rows[rows["seeds"] == 0].groupby("series")["value"]},
        runs=each,
        log2=_axis(sweep) == "batch_size",
        styles=_styles(summary),
        ax=ax,
    )
    ax.set_title(title, fontsize=10)
    _slant(ax)
    place = ax.get_subplotspec()
    if place and not place.is_first_col():
        ax.set_ylabel("")


def _courses(history: pd.DataFrame) -> list[plots.Course]:
    groups = history.groupby(["series", "value"], sort=False)
    columns = ["images_seen", "validation R@1", "above floor"]
    return [
        plots.Course(as_text(value), str(series), *(curve[name].to_list() for name in columns))
        for (series, value), curve in groups
    ]


def _styles(summary: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return plots.series_styles(summary["series"], ordered=summary["series"].nunique() > 2)


def _colours(values: Iterable[Any]) -> dict[str, Any]:
    """Return a colour for each value of the axis, of a scale if these are numbers."""
    names = [as_text(value) for value in sorted_values(values)]
    styles = plots.series_styles(names, ordered=_is_numeric(values))
    return {name: style["color"] for name, style in styles.items()}


def _placed(sweep: Sweep, table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add where each row stands: its "value" on the axis, its "series", and its "panel"."""
    axis, base = _axis(sweep), vars(sweep.config({}))
    if axis == "classes":
        table = table.assign(classes=table[axis].replace(_counted_classes(sweep, runs)))
    beside = ("simix",) if axis == "images" else ("simix", "images")
    places = []
    for row in table.to_dict("records"):
        others = {n: row[n] for n in sweep.axes if n != axis and n not in beside}
        mixed = f"SiMix {as_text(bool(row.get('simix', base['simix'])))}"
        names = [f"{row['images']:,} images"] if "images" in {*sweep.axes} & {*beside} else []
        value = _label(row[axis]) if axis else changes_in_words(base, others)
        names += [in_words(others)] if axis and others else []
        panel = mixed if names and "simix" in sweep.axes else ""
        places.append((value, ", ".join(names) or mixed, panel))
    columns = pd.DataFrame(places, table.index, ["value", "series", "panel"], dtype=object)
    placed = table.join(columns)
    return placed.sort_values("value", kind="stable") if axis == "classes" else placed


def _counted_classes(sweep: Sweep, runs: pd.DataFrame) -> dict[int, int]:
    """Return the setting ``classes`` → the number of classes that it trains: 0 are all of them."""
    counts = sweep_runs(sweep, runs).groupby("classes")["training classes"].first().dropna()
    return dict(zip(counts.index.astype(int), counts.astype(int), strict=True))


def _axis(sweep: Sweep) -> str:
    """Return the setting along the axis; "" where whole settings stand there."""
    others = [name for name in sweep.axes if name not in ("simix", "images")]
    if not others and "images" in sweep.axes:
        return "images"
    return others[0] if len(others) == 1 or len(others) == len(sweep.axes) == 2 else ""


def _axis_title(sweep: Sweep) -> str:
    return AXIS_TITLES.get(_axis(sweep), _axis(sweep).replace("_", " "))


def _label(value: Any) -> Any:
    """Return a number as it is, anything else in words."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else as_text(value)


def _is_numeric(values: Iterable[Any]) -> bool:
    return not any(isinstance(value, str) for value in values)


def _slant(ax: "Axes") -> None:
    """Cut and turn the words below the axis where there is no room for so many letters."""
    texts = [text.get_text() for text in ax.get_xticklabels()]
    if max(map(len, texts)) * len(texts) > 40:
        short = [with_short_sets(text) for text in texts]
        if len({*short}) == len(texts) and short != texts:
            ax.set_xticks(ax.get_xticks(), short)
        ax.tick_params(axis="x", rotation=30, labelsize=READABLE)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")


def _frame(fig: "Figure", question: str, notes: Sequence[str]) -> None:
    """Write the question above a figure, and the footnotes below."""
    width, size = int(fig.get_figwidth() * 11), max(READABLE, fig.get_figwidth())
    above = textwrap.wrap(plots.legible(question), width)
    fig.suptitle("\n".join(above), fontsize=11, **plots.name_style(*above))
    lines = [
        plots.legible(line)
        for note in notes
        for line in textwrap.wrap(with_short_sets(note), int(11 * width / size))
    ]
    if lines:
        fig.set_figheight(fig.get_figheight() + 0.017 * size * len(lines))
        style = {"fontsize": size, "x": 0.02, "ha": "left", "color": "#444444"}
        fig.supxlabel("\n".join(lines), **style, **plots.name_style(*lines))


def draw_simix_gain(
    runs: pd.DataFrame, against: str = "distance", alike: Mapping[str, Any] | None = None
) -> "Figure":
    """Draw what SiMix adds, against the distance of the training from its floor or another column.

    A point is two settings of a stored sweep that differ in SiMix alone; see :func:`.simix_gains`.

    Args:
        runs: of :func:`.load_results`.
        against: "distance" without SiMix, "per_class" or "training classes", of that table.
        alike: data set → the values of columns that its points share; other data sets are left out.
            The default: all points.
    """
    gains, notes = _telling(simix_gains(runs))
    trained = sorted(gains["trained"].unique(), key=lambda name: (name not in _FIRST, name))
    groups = {name: gains[gains["trained"] == name] for name in trained}
    if alike is not None:
        groups = {name: _with(groups[name], values) for name, values in alike.items()}
    fig, _ = plots.plot_gains(
        {trained_in_words(name): _points(rows, against) for name, rows in groups.items()},
        xlabel="\n".join([_GAIN_AXES[against], *(notes if alike is None else [])]),
        ylabel="R@1 with SiMix − without (points)",
        log2=against == "training classes",
        joined=alike is not None,
    )
    fig.suptitle("What SiMix adds, on test classes (95 % intervals)", fontsize=11)
    return fig


_FIRST = ("emoji", "glyphs-distorted")  # so that these look alike in all figures of gains
_GAIN_AXES = {
    "distance": "training loss above its floor, without SiMix",
    "per_class": "images of a class in a batch, at most",
    "training classes": "training classes",
}


def _with(rows: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows that have the values, in these columns."""
    return rows[(rows[[*values]] == pd.Series(values)).all(axis=1)]


def draw_batch_gain(runs: pd.DataFrame) -> "Figure":
    """Draw what a batch adds to one of 512 images, against batch over classes.

    See :func:`.batch_gains`. A panel is a data set and a start, a line a sweep at one length of
    training, SiMix on or off.
    """
    gains, notes = _telling(batch_gains(runs))
    gains["panel"] = [
        f"{trained_in_words(trained)}, {classes:,.0f} classes"
        for trained, classes in zip(gains["trained"], gains["training classes"], strict=True)
    ]
    gains["line"] = [
        f"{images:,} images{', SiMix' * mixed}"
        for images, mixed in zip(gains["images"], gains["simix"], strict=True)
    ]
    lines = gains.sort_values(["trained", "training classes", "images", "simix"])
    panels = {
        str(title): {
            str(name): _points(points, "batch / classes")
            for name, points in rows.groupby("line", sort=False)
        }
        for title, rows in lines.groupby("panel", sort=False)
    }
    fig, _ = plots.plot_gains_apart(
        panels,
        xlabel="\n".join(["images of a batch for each training class", *notes]),
        ylabel=f"R@1 minus that of batch {REFERENCE:,} (points)",
    )
    title = f"What a batch adds to one of {REFERENCE:,}, after equally many images"
    fig.suptitle(f"{title} (test classes, 95 % intervals)", fontsize=11)
    return fig


def _telling(gains: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the changes of means that say something, and a note on those left out."""
    left_out = int(gains["far apart"].sum())
    note = f"left out: {left_out} with a run more than {100 * APART:g} points below the others"
    return gains[~gains["far apart"].astype(bool)], [note] * (left_out > 0)


def _points(gains: pd.DataFrame, x: str) -> list[plots.Gain]:
    return [*map(plots.Gain._make, gains[[x, "change", "margin", "updates"]].to_numpy())]


TOGETHER: Mapping[str, tuple[Callable[[pd.DataFrame], Any], Callable[[pd.DataFrame], Any]]] = {
    "simix-gain": (draw_simix_gain, simix_gains),
    "batch-gain": (draw_batch_gain, batch_gains),
}
"""Name of a figure of all sweeps → what draws it, and the table of its numbers."""


def draw_together(name: str, runs: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw one of :data:`TOGETHER` into ``folder``; return the files, none if nothing is stored."""
    draw, tabulate = TOGETHER[name]
    table = tabulate(runs)
    return save_figure(draw(runs), folder / name, table) if len(table) else []


def save_figure(fig: "Figure", path: Path, table: pd.DataFrame) -> list[Path]:
    """Write PATH.svg, .png and, with the numbers drawn, .csv; return the files."""
    import matplotlib as mpl

    svg, png, csv = (path.with_name(f"{path.name}.{kind}") for kind in ("svg", "png", "csv"))
    with mpl.rc_context({"svg.hashsalt": path.name}):  # the same runs, the same file
        write_atomically(svg, lambda file: fig.savefig(file, metadata={"Date": None}))
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_atomically(csv, lambda file: file.write_text(text, encoding="utf-8"))
    return [svg, save_png(fig, png), csv]


def save_png(fig: "Figure", path: Path) -> Path:
    """Write a figure to ``path``, and close it; return the path."""
    plots.write_png(fig, path, few_colours=True)
    return path
