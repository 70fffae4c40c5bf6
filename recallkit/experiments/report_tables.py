"""The tables of stored runs that pages show, as Markdown; each with a line that says where from.

Every function takes a folder of results. What was not run is not in a table.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from recallkit.config import PRESETS, Config
from recallkit.experiments.batch_sizes import batch_summary
from recallkit.experiments.duration import say_threads
from recallkit.experiments.figures import footnotes
from recallkit.experiments.results import SETTINGS, Row, load_results
from recallkit.experiments.statistics import (
    NOT_RUN,
    ONE_SEED,
    Comparison,
    compare,
    interval,
    joined,
    sweep_runs,
    sweep_summary,
    with_values,
)
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.experiments.sweeps import Setting, Sweep, as_text, in_words
from recallkit.files import read_json
from recallkit.tables import text_table

ROWS: dict[str, Row] = {
    "raw pixels": "pixels",
    "network, untrained": "untrained",
    "network, trained": "trained",
}
COLUMNS = ("R@1", "R@2", "R@4", "R@8", "mAP@R")
NOTHING = "Nothing is stored."
_BUT_THE_SEED = [name for name in SETTINGS if name != "seed"]
LINE = 118  # characters of a line below a table

CARDS: dict[str, dict[str, tuple[str, ...]]] = {
    "emoji": {"emoji": ("emoji", "emoji-frozen", "emoji-finetuned")},
    "glyphs": {
        "glyphs": ("glyphs", "glyphs-cpu", "glyphs-short"),
        "glyphs-distorted": ("glyphs", "glyphs-cpu"),
    },
}
"""Data card → its data sets → the presets that are trained on them."""

RECIPES: dict[str, str] = {
    "emoji": "two-minutes",
    "emoji-finetuned": "two-minutes-finetuned",
    "emoji-frozen": "batch-size-frozen",
    "glyphs-short": "batch-size-glyphs",
    "glyphs": "batch-size-glyphs-4m",
}
"""Preset → the sweep that compares it with rivals of the same length, all learning rates tuned."""


def first_light(results: Path) -> str:
    """Tabulate what ``recallkit train`` prints, over the stored seeds of its preset."""
    runs = {name: _of_config(_named(results, row), PRESETS["emoji"]) for name, row in ROWS.items()}
    trained = runs["network, trained"]
    if trained.empty:
        return NOTHING
    rows = [[name, *_percents(table, COLUMNS)] for name, table in runs.items()]
    first, seconds = trained.iloc[0], trained["seconds"].round().astype(int)
    return with_source(
        text_table(["test classes, %", *COLUMNS], rows),
        f"Mean ± 95 % interval of {len(trained)} seeds; {first['device']}, "
        f"{say_threads(first['threads'])}, {seconds.min()} to {seconds.max()} s a run, torch "
        f"{first['torch']}, commit {first['commit']}; made by `recallkit train --seed N --store "
        "first-light --project` (`data/results/first-light-seed*.json`).",
    )


def _named(results: Path, row: Row = "trained") -> pd.DataFrame:
    runs = load_results(results, row=row)
    return runs[runs["stage"] == "named"]


def _of_config(runs: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return the runs that have these settings, whatever their seed."""
    return with_values(runs, {name: getattr(config, name) for name in _BUT_THE_SEED})


def benchmarks(results: Path) -> str:
    """Tabulate what was stored by name or trained with a preset's settings, over its seeds."""
    runs = runs_of_presets(load_results(results))
    runs = runs.sort_values(["dataset", "pretrained", "frozen", "batch_size"], kind="stable")
    groups = runs.groupby(_BUT_THE_SEED, dropna=False, sort=False)
    return _table(
        "data set|network|batch|epochs or images|R@1, %|mAP@R, %|seeds|device|commit",
        [_benchmark(group) for _, group in groups],
        "Test classes, last epoch, mean ± 95 % interval over seeds; from `data/results/*.json` and "
        "`data/results/ablations`.",
    )


def runs_of_presets(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs stored by name, then final runs of sweeps whose settings are a preset's."""
    named = runs[runs["stage"] == "named"]
    finals = runs[(runs["stage"] == "final") & ~runs["key"].isin(named["key"])]
    of_presets = [_of_config(finals, config) for config in PRESETS.values()]
    return pd.concat([named, *of_presets])


def _benchmark(runs: pd.DataFrame) -> list[str]:
    first = runs.iloc[0]
    return [
        first["dataset"],
        first["network"] + (", frozen" if first["frozen"] else ""),
        f"{first['batch_size']:,}" + (" + SiMix" if first["simix"] else ""),
        f"{first['epochs']} epochs" if first["epochs"] else f"{first['images']:,} images",
        *_percents(runs, ["R@1", "mAP@R"]),
        ", ".join(map(str, sorted(runs["seed"]))),
        joined(runs["device"]),
        ", ".join(dict.fromkeys(commit[:7] for commit in runs["commit"])),
    ]


def recipes(results: Path) -> str:
    """Tabulate presets worth training beside the best of their rivals of the same length."""
    runs = load_results(results)
    rows = [_recipe(preset, SWEEPS[sweep], runs) for preset, sweep in RECIPES.items()]
    return _table(
        "preset|batch|learning rate|compared in|R@1 validation, %|of the best there|R@1 test, %|"
        "a run|device",
        [row for row in rows if row],
        "From `data/results/ablations`; a run is its training alone.",
    )


def _recipe(preset: str, sweep: Sweep, runs: pd.DataFrame) -> list[str]:
    """Return the row of a preset; nothing if its learning rate is not the one that was tuned."""
    config, summary = sweep.config({}), sweep_summary(sweep, runs)
    stored = summary[summary["seeds"] > 0]
    tuned = with_values(stored, {**sweep.values({}), "learning_rate": config.learning_rate})
    if tuned.empty:
        return []
    [row], [best, *_] = (_best_first(table).to_dict("records") for table in (tuned, stored))
    sides = [{name: side[name] for name in sweep.axes} for side in (row, best)]
    finals = sweep_runs(sweep, runs)
    change = compare(*(with_values(finals, side)["validation R@1"] for side in sides))
    return [
        f"`{preset}`",
        f"{config.batch_size:,}",
        f"{config.learning_rate:g}",
        f"`{sweep.name}`, {len(stored)} settings",
        _percent(row, "validation R@1"),
        "itself" if row == best else f"{_changed(*sides)}: {in_points(change)}, {change.verdict}",
        _percent(row, "R@1"),
        _time(row),
        row["device"],
    ]


def _best_first(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("validation R@1", ascending=False, kind="stable")


def _changed(before: Setting, after: Setting) -> str:
    return in_words({name: value for name, value in after.items() if value != before[name]})


def _time(row: Mapping[Any, Any]) -> str:
    if not math.isnan(row["processor_seconds"]):
        return f"{row['processor_seconds']:.0f} s of one thread"
    return f"{row['seconds']:.0f} s" + (", GPU shared" if row["shared"] else "")


def batch_sizes(results: Path) -> str:
    """Tabulate R@1 on test classes by batch size: a table a data set, a row a series."""
    summary = batch_summary(load_results(results))
    if summary.empty:
        return NOTHING
    datasets = [SWEEPS[name].config({}).dataset for name in summary["sweep"]]
    tables = [_by_batch_size(group) for _, group in summary.groupby(datasets)]
    source = "R@1 on test classes, mean ± 95 % interval over seeds; from `data/results/ablations`."
    return with_source("\n\n".join(tables), source)


def _by_batch_size(summary: pd.DataFrame) -> str:
    stored = summary[summary["seeds"] > 0]
    sizes = sorted(stored["batch_size"].unique())
    header = ["R@1, %", "images seen", "SiMix", *(f"{size:,}" for size in sizes)]
    rows = []
    for _, group in stored.groupby(["sweep", "simix"], sort=False):
        mixed = bool(group["simix"].iloc[0])
        cells = {row["batch_size"]: _percent(row, "R@1") for row in group.to_dict("records")}
        best = _best_first(group)["batch_size"].iloc[0]
        about = [f"`{group['preset'].iloc[0]}`", f"{group['images'].iloc[0]:,}", as_text(mixed)]
        rows.append([*about, *(cells.get(size, "") for size in sizes), f"{best:,}"])
    return text_table([*header, "validation chooses"], rows)


def sweeps(results: Path) -> str:
    """Tabulate every stored sweep: a row a setting, with its verdict against the preset's."""
    runs = load_results(results)
    parts = [_sweep(sweep, runs) for sweep in SWEEPS.values()]
    source = (
        "Mean ± 95 % interval over seeds on test classes; differences by Welch’s t, in points of "
        "R@1. A setting is compared with the preset’s, at the same SiMix where the sweep varies "
        "it. From `data/results/ablations`."
    )
    return with_source("\n\n".join(filter(None, parts)) or NOTHING, source)


def _sweep(sweep: Sweep, runs: pd.DataFrame) -> str:
    summary = sweep_summary(sweep, runs)
    stored = summary[summary["seeds"] > 0].to_dict("records")
    if not stored:
        return ""
    finals = sweep_runs(sweep, runs)
    rows = [_setting(sweep, row, finals) for row in stored]
    header = "setting|learning rate|R@1, %|mAP@R, %|compared with|Δ R@1|verdict|seeds|device"
    table = text_table(header.split("|"), rows)
    notes = "; ".join(footnotes(sweep, summary))
    parts = [f"**`{sweep.name}`**: {sweep.question}", table, f"*{notes}*" if notes else ""]
    return "\n\n".join(filter(None, parts))


def _setting(sweep: Sweep, row: Mapping[Any, Any], finals: pd.DataFrame) -> list[str]:
    values = {name: row[name] for name in sweep.axes}
    reference = reference_of(sweep, values)
    change = compare(*(with_values(finals, side)["R@1"] for side in (reference, values)))
    compared = [_changed(values, reference), in_points(change), change.verdict]
    if reference == values:
        compared = ["–", "", ""]
    tuned = ", ".join(as_text(row[name]) for name in sweep.tuned)
    metrics = [_percent(row, "R@1"), _percent(row, "mAP@R")]
    return [in_words(values), tuned, *metrics, *compared, str(row["seeds"]), row["device"]]


def reference_of(sweep: Sweep, values: Setting) -> dict[str, Any]:
    """Return what a setting is compared with: the preset's, at the same SiMix if that differs."""
    preset = sweep.values({})
    mixed = {name: value for name, value in values.items() if name == "simix"}
    return preset | mixed if preset | mixed != dict(values) else preset


def summary_table(sweep: Sweep, summary: pd.DataFrame) -> str:
    """Tabulate a sweep for a terminal: each setting, also where it is not run.

    Args:
        sweep: what is compared.
        summary: of :func:`.sweep_summary`.
    """
    header = ["setting", " ".join(sweep.tuned).replace("_", " ") or "tuned"]
    rows = []
    for row in summary.to_dict("records"):
        setting = in_words({name: row[name] for name in sweep.axes})
        tuned = ", ".join(as_text(row[name]) for name in sweep.tuned if not pd.isna(row[name]))
        metrics = [_percent(row, name) if row["seeds"] else "" for name in ("R@1", "mAP@R")]
        rows.append([setting, tuned, *metrics, _status(row)])
    return text_table([*header, "R@1 test, %", "mAP@R test, %", "runs"], rows)


def _status(row: Mapping[Any, Any]) -> str:
    """Say how many final runs are stored."""
    seeds, diverged = row["seeds"], row["diverged"]
    if not seeds:
        return "diverged" if diverged or row["failed"] else NOT_RUN
    words = f"{seeds} seeds" if seeds > 1 else ONE_SEED
    return f"{words}, {diverged} diverged" if diverged else words


def devices(results: Path) -> str:
    """Tabulate runs that were repeated on another device, beside the first ones."""
    runs = load_results(results)
    finals = runs[runs["stage"] == "final"]
    repeated = runs[(runs["stage"] == "device") & runs["key"].isin(finals["key"])]
    groups = repeated.groupby(_BUT_THE_SEED, dropna=False, sort=False)
    return _table(
        "data set|batch|images|device|R@1, %|other device|R@1, %|Δ R@1|verdict",
        [_repeated(finals[finals["key"].isin(group["key"])], group) for _, group in groups],
        "The same settings and seeds on two devices, R@1 on test classes; from "
        "`data/results/devices` and `data/results/ablations`.",
    )


def _repeated(first: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    settings, change = first.iloc[0], compare(first["R@1"], other["R@1"])
    cells = [settings["dataset"], f"{settings['batch_size']:,}", f"{settings['images']:,}"]
    for runs in (first, other):
        cells += [joined(runs["device"]), percent(*interval(runs["R@1"].to_list()))]
    return [*cells, in_points(change), change.verdict]


def baselines(card: str, results: Path) -> str:
    """Tabulate the data sets of a data card: pixels, an untrained network, trained presets."""
    tables = [_baselines(dataset, presets, results) for dataset, presets in CARDS[card].items()]
    text = "\n\n".join(filter(None, tables)) or NOTHING
    return with_source(text, "Mean ± 95 % interval over seeds; from `data/results`.")


def _baselines(dataset: str, presets: Sequence[str], results: Path) -> str:
    configs = {preset: replace(PRESETS[preset], dataset=dataset) for preset in presets}
    rows = []
    for name, row in list(ROWS.items())[:2]:
        named = _named(results, row)
        runs = [_of_config(named, config).dropna(subset=["R@1"]) for config in configs.values()]
        measured = next((table for table in runs if len(table)), None)
        cells = (
            _measured(results, dataset, row) if measured is None else _percents(measured, COLUMNS)
        )
        rows += [[name, *cells]] if cells else []
    trained = runs_of_presets(load_results(results))
    for preset, config in configs.items():
        if len(runs := _of_config(trained, config)):
            rows.append([f"preset `{preset}`, {len(runs)} seeds", *_percents(runs, COLUMNS)])
    return text_table([f"`{dataset}`, test classes, %", *COLUMNS], rows) if rows else ""


def _measured(results: Path, dataset: str, row: Row) -> list[str]:
    """Return cells of one measurement of what was not trained; none if there is none."""
    path = results / "baselines" / f"{dataset}.json"
    metrics = read_json(path)["test"].get(row) if path.is_file() else None
    return [] if metrics is None else [percent(metrics[name]) for name in COLUMNS]


def _table(header: str, rows: Sequence[Sequence[str]], source: str) -> str:
    return with_source(text_table(header.split("|"), rows) if rows else NOTHING, source)


def with_source(table: str, source: str) -> str:
    """Return a table, and below it in italics where its numbers are from."""
    return f"{table}\n\n{textwrap.fill(f'*{source}*', LINE, break_on_hyphens=False)}"


def percent(mean: float, margin: float = math.nan) -> str:
    """Return a mean and half of its interval in percent, without one that is not known or 0.0."""
    if math.isnan(margin) or margin < 5e-4:
        return f"{100 * mean:.1f}"
    return f"{100 * mean:.1f} ± {100 * margin:.1f}"


def in_points(change: Comparison) -> str:
    """Return a difference in points, with half of its interval, as far as they are known."""
    if math.isnan(change.change):
        return ""
    margin = "" if math.isnan(change.margin) else f" ± {100 * change.margin:.1f}"
    return f"{100 * change.change:+.1f}{margin}".replace("-", "−")


def _percent(row: Mapping[Any, Any], metric: str) -> str:
    return percent(row[metric], row[f"{metric} ±"])


def _percents(runs: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Return the mean of each metric over runs in percent; "–" where it was not measured."""
    values = (runs[name].dropna().to_list() for name in metrics)
    return [percent(*interval(numbers)) if numbers else "–" for numbers in values]


def near_duplicates(rows: Sequence[Mapping[str, Any]]) -> str:
    """Tabulate the share of drawings whose changed copy is found, a column for each threshold.

    Args:
        rows: "change" and, for each threshold as text, the share found at it.
    """
    thresholds = [name for name in rows[0] if name != "change"]
    cells = [[row["change"], *(f"{100 * row[t]:.1f} %" for t in thresholds)] for row in rows]
    return text_table(["compared with", *(f"at {t}" for t in thresholds)], cells)


LARGE_FOLDERS = ("objects", "places", "drawings")  # on which image sizes were compared


def photographs(runs: pd.DataFrame) -> str:
    """Tabulate R@1 of pretrained features and of heads on them: sizes first, then lengths.

    Args:
        runs: a row a head: "folder", "image_size", "learning_rate", "epochs", "seed", and R@1 of
            "features" and "trained" on validation classes, as shares.
    """
    sizes = runs[runs["folder"].isin(LARGE_FOLDERS)]
    sizes = sizes[(sizes["learning_rate"] == 1e-3) & (sizes["epochs"] == 20)]
    chosen = runs[runs["image_size"] == PRESETS["photos"].image_size]
    return "\n\n".join(
        [_of_folders(sizes, ["image_size"]), _of_folders(chosen, ["learning_rate", "epochs"])]
    )


def _of_folders(runs: pd.DataFrame, settings: list[str]) -> str:
    """Tabulate the means of each folder: features → trained head, a row for each setting."""
    means = 100 * runs.groupby([*settings, "folder"], sort=False)[["features", "trained"]].mean()
    folders = list(runs["folder"].unique())
    header = [name.replace("_", " ") for name in settings] + folders
    rows = []
    for key, of_key in means.groupby(level=list(range(len(settings))), sort=False):
        values = key if isinstance(key, tuple) else (key,)
        cells = of_key.droplevel(list(range(len(settings)))).reindex(folders)
        shown = [f"{row.features:.1f} → {row.trained:.1f}" for row in cells.itertuples()]
        rows.append([f"{value:g}" for value in values] + shown)
    return text_table(header, rows)
