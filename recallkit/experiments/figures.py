"""The figures of sweeps, drawn from stored runs alone: SVG and PNG, with a CSV beside each.

Functions that draw take ``runs`` of :func:`.load_results` and, where curves are drawn,
``histories`` of :func:`.load_histories` from the same folders.
"""

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from recallkit import plots
from recallkit.experiments import batch_sizes
from recallkit.experiments.solved import AT_FLOOR, ended_at_floor, warnings_of
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.experiments.sweep_tables import (
    settings_of,
    sweep_history,
    sweep_runs,
    sweep_summary,
    tuning_runs,
)
from recallkit.experiments.sweeps import Sweep, as_text, in_words
from recallkit.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLAT = 0.005  # R@1: what the last evaluation may lie above the one before, 3 of 660 images
NAMED = 8  # settings that a footnote lists; of more it gives the number
PANELS = 3  # series side by side, at most
AXIS_TITLES = {
    "rank_temperature": "rank temperature τ₂",
    "k_temperature": "k temperature τ₁",
    "ks": "cut-offs K",
    "per_class": "images of a class in a batch",
}


def is_stored(sweep: Sweep, runs: pd.DataFrame) -> bool:
    """Return whether there is a run of a sweep to draw."""
    return any(len(stored(sweep, runs)) for stored in (tuning_runs, sweep_runs))


def draw_sweep(
    sweep: Sweep, runs: pd.DataFrame, histories: pd.DataFrame, folder: Path, stem: str
) -> list[Path]:
    """Draw all that is stored of a sweep into files, and return them.

    STEM has the results; STEM-cost, the evaluations on the way; STEM-rates, each learning rate for
    all, where the compared setting is a number; STEM-updates, equal numbers of updates, for batch
    sizes. Each is a .svg, a .png and a .csv in ``folder``.
    """
    files = save_figure(draw_results(sweep, runs), folder / stem, sweep_summary(sweep, runs))
    history = sweep_history(sweep, runs, histories)
    if len(history):
        files += save_figure(draw_costs(sweep, runs, histories), folder / f"{stem}-cost", history)
    if len(tried := _tried(sweep, runs)):
        files += save_figure(draw_learning_rates(sweep, runs), folder / f"{stem}-rates", tried)
    if len(readings := _readings(sweep, history)):
        figure = draw_equal_updates(sweep, runs, histories)
        files += save_figure(figure, folder / f"{stem}-updates", readings)
    return files


def draw_results(
    sweep: Sweep,
    runs: pd.DataFrame,
    own: Mapping[Any, float] | None = None,
    own_label: str = "just now, one seed",
    ax: "Axes | None" = None,
) -> "Figure":
    """Draw R@1 on test classes of each setting, with its interval.

    Args:
        sweep: what is compared.
        runs: stored runs.
        own: value on the axis → R@1 of a run of the reader's; values may be new.
        own_label: what those are called.
        ax: where to draw; None: in a figure of its own, with question and footnotes.
    """
    summary = _placed(sweep, sweep_summary(sweep, runs))
    recalls = {_label(value): recall for value, recall in (own or {}).items()}
    is_run = summary["seeds"] > 0
    fig, drawn = plots.plot_comparison(
        _nested(summary[is_run], ["series", "value"], ["R@1", "R@1 ±"]),
        recalls,
        xlabel=_axis_title(sweep),
        values=_in_order([*summary["value"], *recalls]),
        own_label=own_label,
        missing={str(n): [*v] for n, v in summary[~is_run].groupby("series")["value"]},
        log2=_axis(sweep) == "batch_size",
        ordered=True,
        ax=ax,
    )
    _slant(drawn, 60 if ax is None else 25)
    if ax is None:
        _frame(fig, sweep, summary)
    return fig


def draw_costs(sweep: Sweep, runs: pd.DataFrame, histories: pd.DataFrame) -> "Figure":
    """Draw R@1 on validation classes on the way, against images seen, updates and seconds.

    On a CPU the seconds are the processor's, which other programs hardly change. They are left out
    where runs were made on several devices, or shared a GPU.
    """
    summary = sweep_summary(sweep, runs)
    costs = {"images_seen": "images seen", "updates": "updates"}
    if not _why_no_seconds(summary):
        known = summary.loc[summary["seeds"] > 0, "processor_seconds"].notna()
        name = "processor_seconds" if known.any() and known.all() else "seconds"
        costs[name] = f"{name.replace('_', ' ')} of training"
    history = _placed(sweep, sweep_history(sweep, runs, histories))
    curves = history.rename(columns={"R@1": "recall", "R@1 ±": "margin"})
    curves = curves.assign(name=history["value"].map(as_text)).groupby(
        ["series", "name"], sort=False
    )
    panels: dict[str, dict[str, Any]] = {}
    for (series, name), curve in curves:
        panels.setdefault(str(series), {})[str(name)] = curve.to_dict("list")
    fig, _ = plots.plot_costs(
        panels,
        costs,
        legend=_axis_title(sweep),
        ordered=_is_numeric(history["value"]),
    )
    _frame(fig, sweep, summary)
    return fig


def draw_learning_rates(sweep: Sweep, runs: pd.DataFrame) -> "Figure":
    """Draw the comparison at each learning rate for all, on validation classes, from tuning runs.

    For sweeps that compare numbers and tune one setting. Broad: the best for each.
    """
    [tuned] = sweep.tuned
    tried = _tried(sweep, runs)
    best = tried.groupby([*sweep.axes], sort=False)["validation R@1"].max().reset_index()
    lines = tried.assign(line=tried[tuned].map("{:g} for all".format), order=tried[tuned])
    words = {"behind_label": "the best for each", "legend": tuned.replace("_", " ")}
    title = f"One {words['legend']} for all, or the best for each (one run each)"
    return _draw_lines(sweep, lines, best, title, words)


def draw_equal_updates(sweep: Sweep, runs: pd.DataFrame, histories: pd.DataFrame) -> "Figure":
    """Draw final runs with different batch sizes after equal numbers of updates.

    This plot misleads: after equal updates the larger batch has seen more images. The broad line
    behind has the same runs after equal numbers of images.
    """
    readings = _readings(sweep, sweep_history(sweep, runs, histories))
    names = readings["updates"].map("{:,} updates each".format)
    ends = readings.assign(**{"validation R@1": readings["at its end"]})
    words = {"behind_label": "equal images (the ends)", "legend": "held equal"}
    lines = readings.assign(line=names, order=readings["updates"])
    return _draw_lines(sweep, lines, ends, "Equal updates, or equal images? The same runs", words)


def _draw_lines(
    sweep: Sweep, lines: pd.DataFrame, behind: pd.DataFrame, title: str, words: dict[str, str]
) -> "Figure":
    """Draw "validation R@1" of two tables: one by "line", in their "order", and a broad one."""
    lines, behind = _placed(sweep, lines), _placed(sweep, behind)
    fig, _ = plots.plot_lines(
        _nested(lines, ["series", "line", "value"], "validation R@1"),
        _nested(behind, ["series", "value"], "validation R@1"),
        names=list(lines.sort_values("order")["line"].unique()),
        xlabel=_axis_title(sweep),
        values=_in_order(lines["value"]),
        log2=_axis(sweep) == "batch_size",
        **words,
    )
    fig.suptitle(title, fontsize=11)
    return fig


def _tried(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that tuned, if they can be drawn against numbers."""
    tried = tuning_runs(sweep, runs)[[*sweep.axes, *sweep.tuned, "validation R@1"]]
    placed = _placed(sweep, tried)
    can_be_drawn = _is_numeric(placed["value"]) and placed["series"].nunique() <= PANELS
    return tried if can_be_drawn and len(sweep.tuned) == 1 else tried.iloc[:0]


def _readings(sweep: Sweep, history: pd.DataFrame) -> pd.DataFrame:
    """Return readings after equal updates, of each value of SiMix, of a sweep over batch sizes."""
    columns = ["simix", "updates", "batch_size", "validation R@1", "at its end"]
    if _axis(sweep) != "batch_size" or history.empty:
        return pd.DataFrame(columns=columns)
    lines = pd.DataFrame({"simix": sweep.config({}).simix, **history})
    tables = [
        batch_sizes.equal_updates(curves).assign(simix=on) for on, curves in lines.groupby("simix")
    ]
    return pd.concat(tables).rename(columns={"R@1": "validation R@1"})[columns]


def _placed(sweep: Sweep, table: pd.DataFrame) -> pd.DataFrame:
    """Add where each row stands: its "value" on the axis, and its "series"."""
    axis, base = _axis(sweep), vars(sweep.config({}))
    values, series = [], []
    for row in table.to_dict("records"):
        others = {name: row[name] for name in sweep.axes if name not in (axis, "simix")}
        mixed = f"SiMix {as_text(bool(row.get('simix', base['simix'])))}"
        changed = in_words({k: v for k, v in others.items() if v != base[k]})
        values.append(_label(row[axis]) if axis else changed)
        series.append(in_words(others) if axis and others else mixed)
    return table.assign(value=pd.Series(values, table.index, dtype=object), series=series)


def _axis(sweep: Sweep) -> str:
    """Return the setting along the axis; "" where whole settings stand there."""
    others = [name for name in sweep.axes if name != "simix"]
    return others[0] if len(others) == 1 or len(others) == len(sweep.axes) == 2 else ""


def _axis_title(sweep: Sweep) -> str:
    return AXIS_TITLES.get(_axis(sweep), _axis(sweep).replace("_", " "))


def _label(value: Any) -> Any:
    """Return a number as it is, anything else in words."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else as_text(value)


def _is_numeric(values: Iterable[Any]) -> bool:
    return not any(isinstance(value, str) for value in values)


def _in_order(values: Iterable[Any]) -> list[Any]:
    values = list(dict.fromkeys(values))
    return sorted(values) if _is_numeric(values) else values


def _nested(table: pd.DataFrame, levels: Sequence[str], leaf: Any) -> Any:
    """Return a mapping of mappings, a level a column; at its end the values of ``leaf``.

    That is a column, or a list of columns, whose values in the first row are taken.
    """
    if not levels:
        return table[leaf].iloc[0]
    groups = table.groupby(levels[0], sort=False) if len(table) else ()
    return {value: _nested(rows, levels[1:], leaf) for value, rows in groups}


def _slant(ax: "Axes", room: int) -> None:
    """Turn the words below the axis where there is no room for so many letters."""
    texts = [text.get_text() for text in ax.get_xticklabels()]
    if max(map(len, texts)) * len(texts) > room:
        ax.tick_params(axis="x", rotation=30, labelsize=8)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")


def _frame(fig: "Figure", sweep: Sweep, summary: pd.DataFrame) -> None:
    """Write the question above a figure, and the footnotes below."""
    width = int(fig.get_figwidth() * 11)
    question = textwrap.wrap(plots.legible(sweep.question), width)
    fig.suptitle("\n".join(question), fontsize=11, **plots.name_style(*question))
    why = _why_no_seconds(summary)
    notes = footnotes(sweep, summary) + ([f"seconds are not compared: {why}"] if why else [])
    _write_below(fig, [line for note in notes for line in textwrap.wrap(note, 2 * width)])


def _write_below(fig: "Figure", lines: Sequence[str]) -> None:
    if lines:
        shown = [plots.legible(line) for line in lines]
        style = {"fontsize": 7, "x": 0.02, "ha": "left", "color": "#444444"}
        fig.supxlabel("\n".join(shown), **style, **plots.name_style(*shown))


def footnotes(sweep: Sweep, summary: pd.DataFrame) -> list[str]:
    """List what a reader of :func:`.sweep_summary` must know: solved, not flat, or not run."""
    stored, diverged = summary["seeds"] > 0, summary["failed"] | (summary["diverged"] > 0)
    rising = f"still rising (by more than {100 * FLAT:g} points at the last evaluation)"
    tuned = " or ".join(sweep.tuned).replace("_", " ")
    which = {
        AT_FLOOR: ended_at_floor(summary),
        rising: summary["rise"] > FLAT,
        "no interval (one seed)": summary["seeds"] == 1,
        f"{tuned} at the edge of its candidates": stored & (summary["edges"] != ""),
        "diverged": diverged,
        "not run": ~stored & ~diverged,
    }
    settings = pd.Series([in_words(setting) for setting in settings_of(sweep, summary)])
    named = {note: settings[holds.to_numpy()].to_list() for note, holds in which.items()}
    notes = [f"{note}: {_listed(some, len(settings))}" for note, some in named.items() if len(some)]
    return warnings_of(summary) + notes


def _listed(settings: Sequence[str], of: int) -> str:
    if len(settings) == of > 1:
        return "all"
    return f"{len(settings)} of {of}" if len(settings) > NAMED else "; ".join(settings)


def _devices(summary: pd.DataFrame) -> list[str]:
    return sorted({name for names in summary["device"] for name in names.split(" and ") if name})


def _why_no_seconds(summary: pd.DataFrame) -> str:
    """Return why the seconds of runs cannot be compared; nothing if they can."""
    if len(devices := _devices(summary)) > 1:
        return f"runs were made on {' and '.join(devices)}"
    return "several runs shared the GPU" if summary["shared"].any() else ""


def draw_batch_sizes(runs: pd.DataFrame) -> "Figure":
    """Draw all stored sweeps over batch sizes side by side; a point is as high in each panel."""
    import matplotlib.pyplot as plt

    sweeps = [sweep for sweep in batch_sizes.batch_sweeps() if len(sweep_runs(sweep, runs))]
    sweeps = sweeps or [SWEEPS["batch-size"]]  # one at least, that says "not run"
    columns = min(len(sweeps), 3)
    count = math.ceil(len(sweeps) / columns)
    size = (1 + 3.4 * columns, 0.7 + 3.2 * count)
    fig, axes = plt.subplots(count, columns, figsize=size, squeeze=False, layout="constrained")
    handles, notes = {}, []
    for ax, sweep in zip(axes.flat, sweeps, strict=False):
        draw_results(sweep, runs, ax=ax)
        config = sweep.config({})
        trained = [plots.legible(batch_sizes.trained_on(config)), f"{config.images:,} images seen"]
        ax.set_title("\n".join(trained), fontsize=10, **plots.name_style(*trained))
        drawn, names = ax.get_legend_handles_labels()
        handles |= dict(zip(names, drawn, strict=True))
        summary = sweep_summary(sweep, runs)
        notes += [f"{', '.join(trained)}: {warning}" for warning in warnings_of(summary)]
        if len(devices := _devices(summary)) > 1:
            notes.append(f"{', '.join(trained)}: on {' and '.join(devices)}")
    _share_span(axes.flat[: len(sweeps)])
    for ax in axes.flat[len(sweeps) :]:
        ax.remove()
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    fig.legend(handles.values(), handles, loc="outside upper right", ncols=2)
    fig.suptitle("Batch size at equal images seen, each with its own learning rate", fontsize=11)
    _write_below(fig, notes)
    return fig


def _share_span(axes: "Iterable[Axes]") -> None:
    """Give all axes the span of the largest, in percent, around the middle that each has."""
    limits = {ax: ax.get_ylim() for ax in axes}
    span = max(high - low for low, high in limits.values())
    for ax, (low, high) in limits.items():
        bottom = min((low + high - span) / 2, 102 - span)  # nothing above 100 %, but a mark there
        ax.set_ylim(bottom, bottom + span)


def draw_simix(runs: pd.DataFrame) -> "Figure":
    """Draw R@1 with SiMix less R@1 without, at each batch size of each stored sweep."""
    effects = _named(batch_sizes.simix_effects(runs), "{trained}, {images:,} images")
    fig, ax = plots.plot_comparison(
        _nested(effects, ["name", "batch_size"], ["change", "margin"]),
        {},
        xlabel="batch size",
        ylabel="R@1 with SiMix − without (points)",
        values=sorted(set(effects.get("batch_size", [128]))),
        log2=True,
        styles=_family_styles(effects),
    )
    ax.axhline(0, color="black", linewidth=0.8)
    fig.suptitle("What SiMix adds, on test classes (95 % intervals)", fontsize=11)
    return fig


def draw_lengths(runs: pd.DataFrame) -> "Figure":
    """Draw R@1 of the larger of two batches less that of the smaller, by the length of training."""
    effects = batch_sizes.length_effects(runs)
    effects["on"] = [as_text(mixed) for mixed in effects.get("simix", [])]
    effects = _named(effects, "{trained}, SiMix {on}: {larger:,} − {smaller:,}")
    means = _nested(effects, ["name", "images"], ["change", "margin"])
    fig, _ = plots.plot_lengths(means, _family_styles(effects))
    fig.suptitle("What the larger of two batches adds, on test classes", fontsize=11)
    note = "{trained}, {images:,} images: the smaller on {smaller on}, the larger on {larger on}"
    rows = effects.to_dict("records")
    _write_below(fig, [note.format_map(r) for r in rows if r["smaller on"] != r["larger on"]])
    return fig


def _named(effects: pd.DataFrame, template: str) -> pd.DataFrame:
    """Add the "name" of the series of each row."""
    return effects.assign(name=[template.format_map(row) for row in effects.to_dict("records")])


def _family_styles(effects: pd.DataFrame) -> dict[str, Any]:
    """Return the style of each "name": one for each thing "trained", the same in all figures."""
    styles = plots.series_styles(
        batch_sizes.trained_on(sweep.config({})) for sweep in batch_sizes.batch_sweeps()
    )
    names = effects.get(["name", "trained"], pd.DataFrame())
    return {name: styles[trained] for name, trained in names.to_numpy()}


TOGETHER: Mapping[str, tuple[Callable[[pd.DataFrame], Any], Callable[[pd.DataFrame], Any]]] = {
    "batch-sizes": (draw_batch_sizes, batch_sizes.batch_summary),
    "simix": (draw_simix, batch_sizes.simix_effects),
    "lengths": (draw_lengths, batch_sizes.length_effects),
}
"""Name of a figure of several sweeps → what draws it, and the table of its numbers."""


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
    import matplotlib.pyplot as plt

    write_atomically(path, lambda file: fig.savefig(file, dpi=150))
    plt.close(fig)
    return path
