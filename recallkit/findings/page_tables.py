"""The tables of stored runs that pages show, as Markdown; each with a line that says where from.

Functions for pages take a folder of results. What was not run is not in a table.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recallkit.config import PRESETS, Config
from recallkit.experiments.results import SETTINGS, Row, load_results
from recallkit.experiments.statistics import interval, joined
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.experiments.sweep_tables import sweep_changes, sweep_summary, with_values
from recallkit.experiments.sweeps import Sweep
from recallkit.files import read_json
from recallkit.findings.notes import APART, footnotes
from recallkit.tables import text_table
from recallkit.words import as_text, changes_in_words, in_words, say_threads

ROWS: dict[str, Row] = {
    "raw pixels": "pixels",
    "network, untrained": "untrained",
    "network, trained": "trained",
}
COLUMNS = ("R@1", "R@2", "R@4", "R@8", "mAP@R")
NOTHING = "Nothing is stored."
_BUT_THE_SEED = [name for name in SETTINGS if name != "seed"]
UNLEARNT = 0.05  # R@1: other trainings end above 0.3; one below this embeds all images alike
LINE = 118  # characters of a line below a table

CARDS: dict[str, dict[str, tuple[str, ...]]] = {
    "emoji": {"emoji": ("emoji", "emoji-frozen", "emoji-finetuned")},
    "glyphs": {
        "glyphs": ("glyphs", "glyphs-cpu", "glyphs-short"),
        "glyphs-distorted": ("glyphs", "glyphs-cpu"),
    },
}
"""Data card → its data sets → the presets that are trained on them."""


def with_source(text: str, source: str) -> str:
    """Return a table, and below it in italics where its numbers are from, or what to note."""
    return f"{text}\n\n{textwrap.fill(f'*{source}*', LINE, break_on_hyphens=False)}"


def _table(header: str, rows: Sequence[Sequence[str]], source: str) -> str:
    return with_source(text_table(header.split("|"), rows) if rows else NOTHING, source)


def frame_table(table: pd.DataFrame) -> str:
    """Return a table with a named index as Markdown."""
    cells = table.reset_index().astype(str)
    return text_table([*cells.columns], cells.to_numpy().tolist())


def percent(mean: float, margin: float = math.nan) -> str:
    """Return a mean and half of its interval in percent, without one that is not known or 0.0."""
    if math.isnan(margin) or margin < 5e-4:
        return f"{100 * mean:.1f}"
    return f"{100 * mean:.1f} ± {100 * margin:.1f}"


def percent_of(row: Mapping[Any, Any], metric: str) -> str:
    """Return the mean of a metric in a row of :func:`.sweep_summary`, as :func:`percent`."""
    return percent(row[metric], row[f"{metric} ±"])


def _percents(runs: pd.DataFrame, metrics: Sequence[str] = COLUMNS) -> list[str]:
    """Return the mean of each metric over runs in percent; "–" where it was not measured."""
    values = (runs[name].dropna().to_list() for name in metrics)
    return [percent(*interval(numbers)) if numbers else "–" for numbers in values]


def in_points(change: float, margin: float = math.nan) -> str:
    """Return a difference in points, with half of its interval, as far as they are known."""
    if math.isnan(change):
        return ""
    shown = "" if math.isnan(margin) else f" ± {100 * margin:.1f}"
    return f"{100 * change:+.1f}{shown}".replace("-", "−")


def tests_of(count: int) -> str:
    """Say how a number of differences were tested."""
    several = f"Welch’s tests, Holm’s correction over {count} comparisons"
    return several if count > 1 else "Welch’s test of one comparison"


def _named(results: Path, row: Row = "trained") -> pd.DataFrame:
    runs = load_results(results, row=row)
    return runs[runs["stage"] == "named"]


def _of_config(runs: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return the runs that have these settings, whatever their seed."""
    return with_values(runs, {name: getattr(config, name) for name in _BUT_THE_SEED})


def first_light(results: Path) -> str:
    """Tabulate what ``recallkit train`` prints, over the stored seeds of its preset."""
    runs = {name: _of_config(_named(results, row), PRESETS["emoji"]) for name, row in ROWS.items()}
    trained = runs["network, trained"]
    if trained.empty:
        return NOTHING
    first, seconds = trained.iloc[0], trained["seconds"].round().astype(int)
    return with_source(
        text_table(
            ["test classes, %", *COLUMNS],
            [[name, *_percents(of_row)] for name, of_row in runs.items()],
        ),
        f"Mean ± 95 % interval of {len(trained)} seeds; {first['device']}, "
        f"{say_threads(first['threads'])}, {seconds.min()} to {seconds.max()} s a run, torch "
        f"{first['torch']}, commit {first['commit']}; made by `recallkit train --seed N --store "
        "first-light --project` (`data/results/first-light-seed*.json`).",
    )


def runs_of_presets(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs stored by name, then final runs of sweeps whose settings are a preset's."""
    named = runs[runs["stage"] == "named"]
    finals = runs[(runs["stage"] == "final") & ~runs["key"].isin(named["key"])]
    return pd.concat([named, *(_of_config(finals, config) for config in PRESETS.values())])


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
        ", ".join(runs["commit"].str[:7].unique()),
    ]


def sweeps(results: Path) -> str:
    """Tabulate every stored sweep: a row a setting, with its verdict against the preset's.

    A sweep is left out as long as one of its axes has a single value in what was run: it says
    nothing of that axis.
    """
    runs = load_results(results)
    parts = [_sweep(sweep, runs) for sweep in SWEEPS.values()]
    source = (
        "Mean ± 95 % interval over seeds on test classes; differences in points of R@1. A setting "
        "is compared with the preset’s, at the same SiMix where the sweep varies it. A verdict "
        "rests on the corrected test, for which SiMix on and off count too; the interval of a "
        "difference is not corrected. From `data/results/ablations`."
    )
    return with_source("\n\n".join(filter(None, parts)) or NOTHING, source)


def _sweep(sweep: Sweep, runs: pd.DataFrame) -> str:
    changes = sweep_changes(sweep, runs)
    if changes.empty or any(changes[axis].nunique() < 2 for axis in sweep.axes):
        return ""
    header = ["R@1, %", "mAP@R, %", "compared with", "Δ R@1", "verdict", "seeds", "device"]
    rows = [_setting(sweep, row) for row in changes.to_dict("records")]
    table = text_table(["setting", tuned_header(sweep), *header], rows)
    text = f"**`{sweep.name}`**: {sweep.question}\n\n{table}"
    notes = [tests_of(int(count)) for count in changes.loc[changes["p"].notna(), "of"].unique()]
    notes += footnotes(sweep, sweep_summary(sweep, runs))
    return with_source(text, "; ".join(notes)) if notes else text


def _setting(sweep: Sweep, row: Mapping[Any, Any]) -> list[str]:
    values = {name: row[name] for name in sweep.axes}
    compared = ["–", "", ""]
    if row["reference"] != values:
        change = in_points(row["change"], row["margin"])
        compared = [changes_in_words(values, row["reference"]), change, row["verdict"]]
    metrics = [percent_of(row, "R@1"), percent_of(row, "mAP@R")]
    return [
        in_words(values),
        tuned_values(sweep, row),
        *metrics,
        *compared,
        str(row["seeds"]),
        row["device"],
    ]


def tuned_header(sweep: Sweep) -> str:
    """Return the header of what is tuned: its name, unless each row names several."""
    return " ".join(sweep.tuned).replace("_", " ") if len(sweep.tuned) == 1 else "tuned"


def tuned_values(sweep: Sweep, row: Mapping[Any, Any]) -> str:
    """Name the values that a row of :func:`.sweep_summary` was tuned to, or that has effect."""
    values = {name: row[name] for name in sweep.tuned if not pd.isna(row[name])}
    if len(sweep.tuned) > 1 and values:
        return in_words(values)
    return ", ".join(map(as_text, values.values()))


def validation(results: Path) -> str:
    """Tabulate how well two searches of validation images foretell R@1 on test classes."""
    runs = load_results(results)
    runs = runs[(runs["stage"] == "final") & runs["distractors"]]
    if len(runs) < 3:
        return NOTHING
    usual = runs.groupby(_BUT_THE_SEED, dropna=False)["R@1"].transform("median")
    failed = (usual - runs["R@1"] > APART) | (runs["R@1"] < UNLEARNT)  # few such decide a slope
    left_out, runs = int(failed.sum()), runs[~failed]
    searches = {
        "among themselves": "validation alone R@1",
        "among the training images too": "validation R@1",
    }
    rows = [[words, *_foretells(runs[name], runs["R@1"])] for words, name in searches.items()]
    header = "validation images are searched|mean R@1, %|on test classes, %|slope|rank correlation"
    source = f"{len(runs)} final runs of {joined(sorted(runs['dataset']))}; slope: points on test "
    source += "classes for a point on validation classes; Spearman’s correlation; "
    failures = f"{left_out} far below their seeds or below {100 * UNLEARNT:g} %"
    source += f"left out: {failures}; " if left_out else ""
    return _table(header, rows, source + "from `data/results/ablations`.")


def _foretells(recalls: pd.Series, test: pd.Series) -> list[str]:
    slope, order = np.polyfit(recalls, test, 1)[0], recalls.corr(test, "spearman")
    means = [f"{100 * values.mean():.1f}" for values in (recalls, test)]
    return [*means, f"{slope:.2f}", f"{order:.3f}"]


def baselines(card: str, results: Path) -> str:
    """Tabulate the data sets of a data card: pixels, an untrained network, trained presets."""
    tables = [_baselines(dataset, presets, results) for dataset, presets in CARDS[card].items()]
    text = "\n\n".join(filter(None, tables)) or NOTHING
    return with_source(text, "Mean ± 95 % interval over seeds; from `data/results`.")


def _baselines(dataset: str, presets: Sequence[str], results: Path) -> str:
    """Tabulate stored runs of a data set, or one measurement of what was not trained."""
    configs = {preset: replace(PRESETS[preset], dataset=dataset) for preset in presets}
    path = results / "baselines" / f"{dataset}.json"
    measured = read_json(path)["test"] if path.is_file() else {}
    runs: dict[str, pd.DataFrame] = {}
    for name, row in [*ROWS.items()][:2]:
        named = _named(results, row).dropna(subset=["R@1"])
        tables = [_of_config(named, config) for config in configs.values()]
        tables.append(pd.DataFrame([measured[row]] if row in measured else []))
        runs[name] = next((table for table in tables if len(table)), pd.DataFrame())
    trained = runs_of_presets(load_results(results))
    of_presets = {preset: _of_config(trained, config) for preset, config in configs.items()}
    runs |= {f"preset `{name}`, {len(table)} seeds": table for name, table in of_presets.items()}
    rows = [[name, *_percents(table)] for name, table in runs.items() if len(table)]
    return text_table([f"`{dataset}`, test classes, %", *COLUMNS], rows) if rows else ""
