"""The stored runs of a sweep as tables, and the comparisons of its settings.

In all functions ``runs`` is a table of :func:`.load_results`. A run counts for a sweep if it has
the settings, in whatever sweep it is stored. Of a past sweep, whose declaration is gone, those runs
count that its folder holds.
"""

import math
from collections.abc import Sequence
from itertools import compress
from typing import Any

import pandas as pd

from recallkit.experiments.plan import Run, Stored, Tuning, final_runs, tune
from recallkit.experiments.results import SETTINGS, project_results
from recallkit.experiments.statistics import Comparison, compare, correct, interval, joined
from recallkit.experiments.sweep_files import declared_names, find_sweep
from recallkit.experiments.sweeps import Setting, Sweep

Pair = tuple[Setting, Setting]
METRICS = ("R@1", "mAP@R", "validation R@1")
TUNED = ("learning_rate", "seed")  # differ between the runs of one setting of a past sweep


def sweep_runs(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the final runs of a sweep: the seeds of each compared setting, as it was tuned."""
    tuned = [tuning for tuning in _tunings(sweep, Stored.of(runs)) if not tuning.due]
    return _finals(runs, [run for t in tuned for run in final_runs([t], sweep.seeds)])


def _tunings(sweep: Sweep, stored: Stored) -> list[Tuning]:
    return [tune(sweep, setting, stored) for setting in sweep.in_order()]


def _finals(runs: pd.DataFrame, wanted: Sequence[Run]) -> pd.DataFrame:
    """Return the stored ones of the wanted final runs, in their order."""
    stored = runs[runs["stage"] == "final"].drop_duplicates("key")
    stored = stored.set_index(stored["key"].to_numpy())
    return stored.loc[[run.key for run in wanted if run.key in stored.index]]


def sweep_summary(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise a sweep: a row a compared setting, in the order of its values.

    Returns:
        The compared settings; the tuned ones, NaN while they are not tuned, or where they have no
        effect. Over the seeds, NaN where not run: "R@1" and "mAP@R" on test classes and
        "validation R@1" at the last evaluation, means, and half of their 95 % intervals, "R@1 ±",
        …; "rise" of the latter since the evaluation before; "excess" of the loss over its floor.
        The final "runs" themselves, R@1 of each. Their numbers, "seeds" and "diverged"; whether all
        candidates "failed", and the "edges", what was tuned to its outermost candidate. The
        "device".
    """
    stored, rows = Stored.of(runs), []
    for tuning in _tunings(sweep, stored):
        is_tuned, config = not (tuning.due or tuning.failed), tuning.config
        wanted = [] if tuning.due else final_runs([tuning], sweep.seeds)
        finals = _finals(runs, wanted)
        row = sweep.values(tuning.setting)
        known = [name for name in sweep.tuned if is_tuned and config.has_effect(name)]
        row |= {n: getattr(config, n) if n in known else math.nan for n in sweep.tuned}
        row |= _over_seeds(finals) | {"diverged": sum(map(stored.has, wanted)) - len(finals)}
        rows.append(row | {"failed": tuning.failed, "edges": " ".join(tuning.edges)})
    return _with_none(pd.DataFrame(rows), sweep.axes)


def _with_none(table: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    """Put None back where pandas has made NaN of it; a setting is never NaN."""
    lost = [name for name in axes if table[name].isna().any()]
    return table.assign(
        **{name: pd.Series([*map(_without_nan, table[name])], table.index, object) for name in lost}
    )


def _over_seeds(runs: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"seeds": len(runs), "device": joined(runs["device"])}
    row["runs"] = tuple(runs["R@1"])
    for metric in METRICS:
        mean, margin = interval(runs[metric]) if len(runs) else (math.nan, math.nan)
        row |= {metric: mean, f"{metric} ±": margin}
    rise, excess = runs["validation rise"].mean(), runs["excess"].mean(skipna=False)
    return row | {"rise": rise, "excess": excess}


def sweep_history(sweep: Sweep, runs: pd.DataFrame, histories: pd.DataFrame) -> pd.DataFrame:
    """Average the evaluations on the way of a sweep's final runs, over their seeds.

    ``histories`` is a table of :func:`.load_histories`, from the same folders as ``runs``.

    Returns:
        A row for each evaluation of each compared setting, in the order of the values: the compared
        settings; "updates" done, "images_seen"; "validation R@1"; "above floor", the training loss
        less that of a perfect ranking.
    """
    lines = histories[histories["stage"] == "final"].drop_duplicates(["key", "step"])
    names = {"step": "updates", "images": "images_seen", "R@1": "validation R@1"}
    lines = lines[["key", *names, "loss"]].rename(columns={**names, "loss": "above floor"})
    finals = sweep_runs(sweep, runs)
    lines = finals[["key", "floor", *sweep.axes]].merge(lines, on="key")
    lines["above floor"] -= lines["floor"]
    groups = lines.groupby([*sweep.axes, "updates"], sort=False, dropna=False)
    means = groups[["images_seen", "validation R@1", "above floor"]].mean().reset_index()
    return _with_none(means, sweep.axes)


def settings_of(axes: Sequence[str], table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return these settings of each row of a table; NaN is how pandas stores None."""
    rows = table[[*axes]].to_dict("records")
    return [{str(name): _without_nan(value) for name, value in row.items()} for row in rows]


def _without_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def with_values(runs: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Return the rows that have these values; a tuple of cut-offs is a value."""
    same = {
        name: runs[name].isna() if value is None else runs[name].isin([value])
        for name, value in setting.items()
    }
    return runs[pd.DataFrame(same, index=runs.index).all(axis=1)]


def past_sweeps(runs: pd.DataFrame) -> list[str]:
    """Return the sweeps of which final runs are stored, and whose declaration is gone."""
    stored = runs.loc[runs["stage"] == "final", "sweep"].unique()
    return sorted({*stored} - declared_names())


def compared_runs(sweep: str | Sweep, runs: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Return the settings that a sweep varies, and its final runs.

    A past sweep varies all settings that differ in its folder, but for :data:`TUNED`.

    Args:
        sweep: a sweep, its name, or the name of a past one.
        runs: of :func:`.load_results`.

    Raises:
        RecallkitError: if there is no such sweep.
    """
    if isinstance(sweep, str) and sweep in past_sweeps(runs):
        finals = runs[(runs["stage"] == "final") & (runs["sweep"] == sweep)]
        varied = [name for name in SETTINGS if finals[name].nunique(dropna=False) > 1]
        return [name for name in varied if name not in TUNED], finals
    declared = find_sweep(sweep) if isinstance(sweep, str) else sweep
    return list(declared.axes), sweep_runs(declared, runs)


def reference_of(sweep: Sweep, values: Setting) -> dict[str, Any]:
    """Return what a setting is compared with: the preset's, at the same SiMix and length.

    That holds as far as the sweep varies these two, ``simix`` and ``images``. Where the preset's
    value of a setting is not compared, that of the first declared setting takes its place.
    """
    compared = [sweep.values(setting) for setting in sweep.compared]
    preset = {
        name: value if any(one[name] == value for one in compared) else compared[0][name]
        for name, value in sweep.values({}).items()
    }
    same = {name: value for name, value in values.items() if name in ("simix", "images")}
    return preset | same if preset | same != dict(values) else preset


def comparisons(sweep: Sweep) -> list[Pair]:
    """Return the pairs that a sweep is made for, before and after, as far as it compares both.

    Each setting is compared with that of :func:`reference_of`, and SiMix on with SiMix off where
    all else is equal.
    """
    settings = [sweep.values(setting) for setting in sweep.in_order()]
    pairs: list[Pair] = [(reference_of(sweep, setting), setting) for setting in settings]
    for setting in settings:
        pair = ({**setting, "simix": False}, setting)
        if setting.get("simix") and pair not in pairs and pair[::-1] not in pairs:
            pairs.append(pair)
    return [(before, after) for before, after in pairs if before != after and before in settings]


def contrasts(
    sweep: str | Sweep, pairs: Sequence[Pair], runs: pd.DataFrame | None = None
) -> list[Comparison]:
    """Compare R@1 on test classes of settings, as they were tuned, with one correction a sweep.

    The correction is that of :func:`.holm`, over the :func:`comparisons` of the sweep; other pairs
    join these. Of a past sweep all its settings are compared with the first one of ``pairs``. What
    was not run, or has one seed, does not count.

    Args:
        sweep: the sweep, its name, or the name of a past one.
        pairs: before and after, each a value for each setting that the sweep varies.
        runs: stored runs. None: those that come with the project, on which its sentences rest;
            yours do not count.

    Raises:
        ValueError: if the sweep does not compare such a setting.
    """
    runs = project_results() if runs is None else runs
    axes, finals = compared_runs(sweep, runs)
    is_past = isinstance(sweep, str) and sweep in past_sweeps(runs)
    settings, own = _family_of_past(axes, finals, pairs) if is_past else _family(sweep)
    for setting in (dict(side) for pair in pairs for side in pair):
        if setting not in settings:
            raise ValueError(
                f"sweep {getattr(sweep, 'name', sweep)} compares no {setting}; name a value of "
                f"each of {', '.join(axes)}, such as {settings[0]}"
            )
    others = [pair for pair in own if pair not in pairs and pair[::-1] not in pairs]
    recalls = [[with_values(finals, side)["R@1"] for side in pair] for pair in (*pairs, *others)]
    return correct([compare(*sides) for sides in recalls])[: len(pairs)]


def _family(sweep: str | Sweep) -> tuple[list[dict[str, Any]], list[Pair]]:
    """Return the settings of a sweep, and the pairs that have one correction."""
    declared = find_sweep(sweep) if isinstance(sweep, str) else sweep
    return [declared.values(setting) for setting in declared.compared], comparisons(declared)


def _family_of_past(
    axes: Sequence[str], finals: pd.DataFrame, pairs: Sequence[Pair]
) -> tuple[list[dict[str, Any]], list[Pair]]:
    settings = settings_of(axes, finals.drop_duplicates([*axes]))
    first = [before for before, _ in pairs[:1]]
    return settings, [(before, after) for before in first for after in settings if after != before]


def verdict(
    sweep: str | Sweep, before: Setting, after: Setting, runs: pd.DataFrame | None = None
) -> str:
    """Say what R@1 on test classes does from one setting of a sweep to another.

    For example ``verdict("distorted-losses", {"loss": "circle"}, {"loss": "recall@k"})``; for
    arguments and errors see :func:`contrasts`.

    Returns:
        "rises", "falls", "no difference seen", "one seed" or "not run".
    """
    return contrasts(sweep, [(before, after)], runs)[0].verdict


def sweep_changes(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Compare each setting of a sweep that was run with its reference, see :func:`reference_of`.

    Returns:
        The rows of :func:`sweep_summary` that were run, with the "reference" and the fields of
        :class:`.Comparison`, NaN for the reference itself.
    """
    summary = sweep_summary(sweep, runs)
    stored = summary[summary["seeds"] > 0]
    settings = settings_of(sweep.axes, stored)
    pairs: list[Pair] = [(reference_of(sweep, setting), setting) for setting in settings]
    compared = [pair in comparisons(sweep) for pair in pairs]
    changes = contrasts(sweep, [*compress(pairs, compared)], runs)
    table = pd.DataFrame(changes, stored.index[compared], Comparison._fields)
    references = pd.Series([before for before, _ in pairs], stored.index, dtype=object)
    return stored.assign(reference=references).join(table)
