"""The stored runs of a sweep as tables, and the comparisons of its settings.

In all functions ``runs`` is a table of :func:`.load_results`. A run counts for a sweep if it has
the settings, in whatever sweep it is stored.
"""

import math
from collections.abc import Sequence
from itertools import compress
from typing import Any

import pandas as pd

from recallkit.experiments.plan import Run, RunStage, Stored, Tuning, final_runs, tune
from recallkit.experiments.results import project_results
from recallkit.experiments.statistics import (
    Comparison,
    compare,
    correct,
    interval,
    joined,
    summarise,
)
from recallkit.experiments.sweep_files import find_sweep
from recallkit.experiments.sweeps import Setting, Sweep

Pair = tuple[Setting, Setting]
METRICS = ("R@1", "mAP@R", "validation R@1")


def sweep_runs(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the final runs of a sweep: the seeds of each compared setting, as it was tuned."""
    tuned = [tuning for tuning in _tunings(sweep, Stored.of(runs)) if not tuning.due]
    return _in_order(runs, "final", [run for t in tuned for run in final_runs([t], sweep.seeds)])


def tuning_runs(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that tuned a sweep, without those that diverged; see :func:`sweep_runs`."""
    done = [run for tuning in _tunings(sweep, Stored.of(runs)) for run in tuning.done]
    return _in_order(runs, "tuning", done)


def _tunings(sweep: Sweep, stored: Stored) -> list[Tuning]:
    return [tune(sweep, setting, stored) for setting in sweep.in_order()]


def _in_order(runs: pd.DataFrame, stage: RunStage, wanted: Sequence[Run]) -> pd.DataFrame:
    """Return the stored ones of the wanted runs, in their order."""
    stored = runs[runs["stage"] == stage].drop_duplicates("key")
    stored = stored.set_index(stored["key"].to_numpy())
    return stored.loc[[run.key for run in wanted if run.key in stored.index]]


def sweep_summary(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise a sweep: a row a compared setting, in the order of its values.

    Returns:
        The compared settings; the tuned ones, NaN while they are not tuned. Over the seeds, NaN
        where not run: "R@1" and "mAP@R" on test classes and "validation R@1" at the last
        evaluation, means, and half of their 95 % intervals, "R@1 ±", …; "rise" of the latter since
        the evaluation before; "excess" of the loss over its floor; "seconds", and
        "processor_seconds" on a CPU. Numbers of final runs, "seeds" and "diverged"; whether all
        candidates "failed", and the "edges", what was tuned to its outermost candidate. The
        "device", and whether runs "shared" a GPU.
    """
    stored, rows = Stored.of(runs), []
    for tuning in _tunings(sweep, stored):
        is_tuned = not (tuning.due or tuning.failed)
        wanted = [] if tuning.due else final_runs([tuning], sweep.seeds)
        finals = _in_order(runs, "final", wanted)
        row = sweep.values(tuning.setting)
        row |= {n: getattr(tuning.config, n) if is_tuned else math.nan for n in sweep.tuned}
        row |= _over_seeds(finals) | {"diverged": sum(map(stored.has, wanted)) - len(finals)}
        rows.append(row | {"failed": tuning.failed, "edges": " ".join(tuning.edges)})
    return pd.DataFrame(rows)


def _over_seeds(runs: pd.DataFrame) -> dict[str, Any]:
    on_cpu = bool((runs["device_type"] == "cpu").all())
    row: dict[str, Any] = {"seeds": len(runs)}
    for metric in METRICS:
        mean, margin = interval(runs[metric]) if len(runs) else (math.nan, math.nan)
        row |= {metric: mean, f"{metric} ±": margin}
    return row | {
        "rise": runs["validation rise"].mean(),
        "excess": runs["excess"].mean(skipna=False),
        "seconds": runs["seconds"].mean(),
        "processor_seconds": runs["processor_seconds"].mean(skipna=False) if on_cpu else math.nan,
        "device": joined(runs["device"]),
        "shared": not on_cpu and bool((runs["side_by_side"] > 1).any()),
    }


def sweep_history(sweep: Sweep, runs: pd.DataFrame, histories: pd.DataFrame) -> pd.DataFrame:
    """Summarise the evaluations on the way of a sweep's final runs, over their seeds.

    ``histories`` is a table of :func:`.load_histories`, from the same folders as ``runs``.

    Returns:
        A row for each evaluation of each compared setting, in the order of the values: the compared
        settings; "updates" done, "images_seen"; "seconds" and "processor_seconds" of training, the
        mean over seeds; "R@1" on validation classes, "R@1 ±" and "seeds".
    """
    names = {"step": "updates", "images": "images_seen"}
    lines = histories[histories["stage"] == "final"].rename(columns=names)
    costs = ["images_seen", "seconds", "processor_seconds"]
    lines = lines[["key", "updates", *costs, "R@1"]].drop_duplicates(["key", "updates"])
    finals = sweep_runs(sweep, runs)[["key", "device", *sweep.axes]].merge(lines, on="key")
    by = [*sweep.axes, "updates"]
    recalls = summarise(finals, by).drop(columns="device")
    recalls = recalls.set_axis(["R@1", "R@1 ±", "seeds"], axis=1)
    return finals.groupby(by, sort=False, dropna=False)[costs].mean().join(recalls).reset_index()


def settings_of(sweep: Sweep, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the compared settings of each row of a table."""
    return [{name: row[name] for name in sweep.axes} for row in table.to_dict("records")]


def with_values(runs: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Return the rows that have these values; a tuple of cut-offs is a value."""
    same = {name: runs[name].isin([value]) for name, value in setting.items()}
    return runs[pd.DataFrame(same, index=runs.index).all(axis=1)]


def reference_of(sweep: Sweep, values: Setting) -> dict[str, Any]:
    """Return what a setting is compared with: the preset's, at the same SiMix if that differs."""
    preset = sweep.values({})
    mixed = {name: value for name, value in values.items() if name == "simix"}
    return preset | mixed if preset | mixed != dict(values) else preset


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
    sweep: str | Sweep,
    pairs: Sequence[Pair],
    runs: pd.DataFrame | None = None,
    metric: str = "R@1",
) -> list[Comparison]:
    """Compare settings of a sweep, each as it was tuned, with one correction for the sweep.

    The correction is that of :func:`.holm`, over the :func:`comparisons` of the sweep; other pairs
    join these. What was not run, or has one seed, does not count.

    Args:
        sweep: the sweep, or its name.
        pairs: before and after, each a value for each setting that the sweep varies.
        runs: stored runs. None: those that come with the project, on which its sentences rest;
            yours do not count.
        metric: what is compared; "R@1" is that on test classes.

    Raises:
        ValueError: if the sweep does not compare such a setting.
    """
    sweep = find_sweep(sweep) if isinstance(sweep, str) else sweep
    settings = [sweep.values(setting) for setting in sweep.compared]
    for setting in (dict(side) for pair in pairs for side in pair):
        if setting not in settings:
            raise ValueError(
                f"sweep {sweep.name} compares no {setting}; name a value of each of "
                f"{', '.join(sweep.axes)}, such as {settings[0]}"
            )
    own = [pair for pair in comparisons(sweep) if pair not in pairs and pair[::-1] not in pairs]
    values: dict[tuple[Any, ...], list[float]] = {}
    for run in sweep_runs(sweep, project_results() if runs is None else runs).to_dict("records"):
        values.setdefault(tuple(run[name] for name in sweep.axes), []).append(run[metric])
    sides = [
        [values.get(tuple(side[name] for name in sweep.axes), []) for side in pair]
        for pair in (*pairs, *own)
    ]
    return correct([compare(*both) for both in sides])[: len(pairs)]


def verdict(
    sweep: str | Sweep, before: Setting, after: Setting, runs: pd.DataFrame | None = None
) -> str:
    """Say what R@1 on test classes does from one setting of a sweep to another.

    For example ``verdict("losses", {"loss": "smooth-ap"}, {"loss": "recall@k"})``; for arguments
    and errors see :func:`contrasts`.

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
    settings = settings_of(sweep, stored)
    pairs: list[Pair] = [(reference_of(sweep, setting), setting) for setting in settings]
    compared = [pair in comparisons(sweep) for pair in pairs]
    changes = contrasts(sweep, [*compress(pairs, compared)], runs)
    table = pd.DataFrame(changes, stored.index[compared], Comparison._fields)
    references = pd.Series([before for before, _ in pairs], stored.index, dtype=object)
    return stored.assign(reference=references).join(table)
