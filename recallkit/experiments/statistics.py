"""Means over seeds with their intervals, and differences between settings with a verdict.

A mean has the 95 % interval of Student's t, a difference that of Welch's t. A difference "rises" or
"falls" if its interval leaves out 0; otherwise there is "no difference seen", and the interval says
how large one could be nevertheless. At 95 %, expect one false difference in twenty comparisons.

In all functions ``runs`` is a table of :func:`.load_results`. A run counts for a sweep if it has
the settings, in whatever sweep it is stored.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recallkit.experiments.plan import Stored, Tuning, final_runs, tune
from recallkit.experiments.results import project_results
from recallkit.experiments.sweep_files import find_sweep
from recallkit.experiments.sweeps import Setting, Sweep

Values = Sequence[float] | pd.Series

RISES, FALLS, UNSEEN = "rises", "falls", "no difference seen"
ONE_SEED, NOT_RUN = "one seed", "not run"


class Interval(NamedTuple):
    """A mean, and half of its 95 % interval: NaN for one value."""

    mean: float
    margin: float


class Comparison(NamedTuple):
    """A difference of two means, with its verdict.

    Attributes:
        change: after − before.
        margin: half of its 95 % interval; NaN if a side has one value.
        verdict: "rises", "falls", "no difference seen", "one seed" or "not run".
    """

    change: float
    margin: float
    verdict: str


def _t(degrees: Any) -> Any:
    """Student's t for 95 %, two-sided, by degrees of freedom."""
    from scipy.stats import t  # here: importing it takes a second

    return t.ppf(0.975, degrees)


def interval(values: Values) -> Interval:
    """Return mean and half of the 95 % interval of independent values.

    Raises:
        ValueError: if there is no value.
    """
    count = len(values)
    if count == 0:
        raise ValueError("values must hold at least one number")
    mean = float(np.mean(values))
    if count == 1:
        return Interval(mean, math.nan)
    return Interval(mean, float(_t(count - 1) * np.std(values, ddof=1) / math.sqrt(count)))


def compare(before: Values, after: Values) -> Comparison:
    """Compare two means by Welch's t: the two sides may scatter differently.

    With variances v of n values, the difference has the variance V = v₁/n₁ + v₂/n₂ and, by
    Satterthwaite, V² / ((v₁/n₁)²/(n₁−1) + (v₂/n₂)²/(n₂−1)) degrees of freedom.

    Args:
        before: a value a seed, of one setting.
        after: a value a seed, of another.
    """
    sides = [np.asarray(values, dtype=float) for values in (before, after)]
    counts = [len(values) for values in sides]
    if min(counts) == 0:
        return Comparison(math.nan, math.nan, NOT_RUN)
    change = float(sides[1].mean() - sides[0].mean())
    if min(counts) == 1:
        return Comparison(change, math.nan, ONE_SEED)
    parts = [values.var(ddof=1) / len(values) for values in sides]
    variance = sum(parts)
    if variance == 0:  # no seed differs from another
        margin = 0.0
    else:
        spread = sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
        margin = float(_t(variance**2 / spread) * math.sqrt(variance))
    if abs(change) <= margin:
        return Comparison(change, margin, UNSEEN)
    return Comparison(change, margin, RISES if change > 0 else FALLS)


def summarise(runs: pd.DataFrame, by: str | list[str], metric: str = "R@1") -> pd.DataFrame:
    """Summarise runs over their seeds: a row for each value of ``by``.

    Args:
        runs: of :func:`.load_results`; those that lack the metric are left out.
        by: the settings that tell groups apart.
        metric: a column.

    Returns:
        Indexed by ``by``, in its order: "mean" and "margin", half of its 95 % interval (NaN for
        one run), "count" of runs, and their "device", several joined by "and".
    """
    groups = runs.dropna(subset=[metric]).groupby(by, dropna=False)
    table = groups[metric].agg(["mean", "sem", "count"])
    margin = table.pop("sem") * _t(table["count"] - 1)
    table.insert(1, "margin", margin)
    return table.assign(device=groups["device"].agg(joined))


def joined(names: Iterable[str]) -> str:
    """Join different names with "and", in alphabetical order."""
    return " and ".join(sorted(set(names)))


def sweep_runs(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the final runs of a sweep: the seeds of each compared setting, as it was tuned."""
    stored = Stored.of(runs)
    tunings = [tune(sweep, setting, stored) for setting in sweep.in_order()]
    return pd.concat([_finals(sweep, tuning, runs) for tuning in tunings])


def _finals(sweep: Sweep, tuning: Tuning, runs: pd.DataFrame) -> pd.DataFrame:
    keys = [] if tuning.due else [run.key for run in final_runs([tuning], sweep.seeds)]
    return runs[(runs["stage"] == "final") & runs["key"].isin(keys)].drop_duplicates("key")


def tuning_runs(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that tuned a sweep, without those that diverged; see :func:`sweep_runs`."""
    stored = Stored.of(runs)
    tuning = runs[runs["stage"] == "tuning"].drop_duplicates("key")
    done = [tune(sweep, setting, stored).done for setting in sweep.in_order()]
    return pd.concat([tuning[tuning["key"].isin([run.key for run in group])] for group in done])


def sweep_summary(sweep: Sweep, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise a sweep: a row a compared setting, in the order of its values.

    Returns:
        The compared settings; the tuned ones, NaN while they are not tuned. Over the seeds, NaN
        where not run: "R@1" and "mAP@R" on test classes and "validation R@1" at the last
        evaluation, means, and half of their 95 % intervals, "R@1 ±", …; "rise" of the latter since
        the evaluation before; "seconds", and "processor_seconds" on a CPU. Numbers of final runs,
        "seeds" and "diverged"; whether all candidates "failed", and the "edges", what was tuned to
        its outermost candidate. The "device", and whether runs "shared" a GPU.
    """
    stored = Stored.of(runs)
    rows = []
    for setting in sweep.in_order():
        tuning = tune(sweep, setting, stored)
        finals = _finals(sweep, tuning, runs)
        row = sweep.values(setting) | _tuned(sweep, tuning) | _over_seeds(finals)
        wanted = [] if tuning.due else final_runs([tuning], sweep.seeds)
        row["diverged"] = sum(map(stored.has, wanted)) - len(finals)
        rows.append(row | {"failed": tuning.failed, "edges": " ".join(tuning.edges)})
    return pd.DataFrame(rows)


def _tuned(sweep: Sweep, tuning: Tuning) -> dict[str, Any]:
    known = not tuning.due and not tuning.failed
    return {name: getattr(tuning.config, name) if known else math.nan for name in sweep.tuned}


def _over_seeds(runs: pd.DataFrame) -> dict[str, Any]:
    on_cpu = bool((runs["device_type"] == "cpu").all())
    row: dict[str, Any] = {"seeds": len(runs)}
    for metric in ("R@1", "mAP@R", "validation R@1"):
        values = interval(runs[metric]) if len(runs) else Interval(math.nan, math.nan)
        row |= {metric: values.mean, f"{metric} ±": values.margin}
    return row | {
        "rise": runs["validation rise"].mean(),
        "seconds": runs["seconds"].mean(),
        "processor_seconds": runs["processor_seconds"].mean(skipna=False) if on_cpu else math.nan,
        "device": joined(runs["device"]),
        "shared": not on_cpu and bool((runs["side_by_side"] > 1).any()),
    }


def contrast(
    sweep: str | Sweep, before: Setting, after: Setting, runs: pd.DataFrame | None = None
) -> Comparison:
    """Compare R@1 on test classes of two settings of a sweep, each as it was tuned.

    Args:
        sweep: the sweep, or its name.
        before: a value for each setting that the sweep varies.
        after: the same, of the other setting.
        runs: stored runs. None: those that come with the project, on which its sentences rest;
            yours do not count.

    Raises:
        ValueError: if the sweep does not compare such a setting.
    """
    sweep = find_sweep(sweep) if isinstance(sweep, str) else sweep
    finals = sweep_runs(sweep, project_results() if runs is None else runs)
    sides = [_runs_of(sweep, finals, setting)["R@1"] for setting in (before, after)]
    return compare(*sides)


def verdict(
    sweep: str | Sweep, before: Setting, after: Setting, runs: pd.DataFrame | None = None
) -> str:
    """Say what R@1 on test classes does from one setting of a sweep to another.

    For example ``verdict("losses", {"loss": "smooth-ap"}, {"loss": "recall@k"})``; for arguments
    and errors see :func:`contrast`.

    Returns:
        "rises", "falls", "no difference seen", "one seed" or "not run".
    """
    return contrast(sweep, before, after, runs).verdict


def _runs_of(sweep: Sweep, runs: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    if dict(setting) not in [sweep.values(compared) for compared in sweep.compared]:
        raise ValueError(
            f"sweep {sweep.name} compares no {dict(setting)}; name a value of each of "
            f"{', '.join(sweep.axes)}, such as {sweep.values(sweep.compared[0])}"
        )
    return with_values(runs, setting)


def with_values(runs: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Return the rows that have these values; a tuple of cut-offs is a value."""
    same = np.ones(len(runs), dtype=bool)
    for name, value in setting.items():
        same &= np.array([each == value for each in runs[name]], dtype=bool)
    return runs[same]


def sweep_history(sweep: Sweep, runs: pd.DataFrame, histories: pd.DataFrame) -> pd.DataFrame:
    """Summarise the evaluations on the way of a sweep's final runs, over their seeds.

    Args:
        sweep: what is compared.
        runs: stored runs.
        histories: of :func:`.load_histories`, from the same folders.

    Returns:
        A row for each evaluation of each compared setting, in the order of the values: the compared
        settings; "updates" done, "images_seen"; "seconds" and "processor_seconds" of training, the
        mean over seeds; "R@1" on validation classes, "R@1 ±" and "seeds".
    """
    names = {"step": "updates", "images": "images_seen"}
    lines = histories[histories["stage"] == "final"].rename(columns=names)
    costs = ["images_seen", "seconds", "processor_seconds"]
    lines = lines[["key", "updates", *costs, "R@1"]].drop_duplicates(["key", "updates"])
    finals = sweep_runs(sweep, runs)[["key", *sweep.axes]].merge(lines, on="key")
    groups = finals.groupby([*sweep.axes, "updates"], sort=False, dropna=False)
    table = groups["R@1"].agg(**{"R@1": "mean", "R@1 ±": _margin, "seeds": "count"})
    return groups[costs].mean().join(table).reset_index()


def _margin(values: pd.Series) -> float:
    return interval(values).margin
