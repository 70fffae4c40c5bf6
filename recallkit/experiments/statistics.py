"""Means over seeds with their intervals, and differences between settings with a verdict.

A mean has the 95 % interval of Student's t, a difference that of Welch's t. Seeds are not paired:
a setting such as the batch size or SiMix changes which random numbers a seed gives, so two runs of
one seed have hardly more in common than others, and pairs would halve the degrees of freedom.

A verdict is "rises" or "falls" if its p-value is at most 0.05, else "no difference seen". Among
several comparisons :func:`holm` corrects p; an interval stays that of its comparison alone.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

Values = Sequence[float] | pd.Series

RISES, FALLS, UNSEEN = "rises", "falls", "no difference seen"
ONE_SEED, NOT_RUN = "one seed", "not run"
LEVEL = 0.05  # the p-value from which a difference is seen


class Interval(NamedTuple):
    """A mean, and half of its 95 % interval: NaN for one value."""

    mean: float
    margin: float


class Comparison(NamedTuple):
    """A difference of two means, with its verdict.

    Attributes:
        change: after − before.
        margin: half of its 95 % interval; NaN if a side has one value.
        p: how often so large a difference would be seen if there was none; NaN likewise.
        of: the number of comparisons that p and the verdict are corrected for; 1: none.
        verdict: "rises", "falls", "no difference seen", "one seed" or "not run".
    """

    change: float
    margin: float
    p: float
    of: int
    verdict: str


def students_t(degrees: Any) -> Any:
    """Return Student's t for 95 %, two-sided, by degrees of freedom."""
    from scipy.stats import t  # here: importing it takes a second

    return t.ppf(0.975, degrees)


def interval(values: Values) -> Interval:
    """Return mean and half of the 95 % interval of independent values.

    NaN, which was not measured, is left out. Where nothing was measured, both are NaN.

    Raises:
        ValueError: if there is no value.
    """
    if len(values) == 0:
        raise ValueError("values must hold at least one number")
    measured = pd.Series(values, dtype=float).dropna()
    margin = students_t(len(measured) - 1) * measured.sem()
    return Interval(float(measured.mean()), float(margin))


def compare(before: Values, after: Values) -> Comparison:
    """Compare two means by Welch's t: the two sides may scatter differently.

    With variances v of n values, the difference has the variance V = v₁/n₁ + v₂/n₂ and, by
    Satterthwaite, V² / ((v₁/n₁)²/(n₁−1) + (v₂/n₂)²/(n₂−1)) degrees of freedom.

    Args:
        before: a value a seed, of one setting. NaN is not measured, and counts as not run.
        after: a value a seed, of another; likewise.
    """
    from scipy.stats import t

    sides = [pd.Series(values, dtype=float).dropna().to_numpy() for values in (before, after)]
    counts = np.array([len(values) for values in sides])
    if counts.min() == 0:
        return Comparison(math.nan, math.nan, math.nan, 1, NOT_RUN)
    change = float(sides[1].mean() - sides[0].mean())
    if counts.min() == 1:
        return Comparison(change, math.nan, math.nan, 1, ONE_SEED)
    parts = np.array([values.var(ddof=1) for values in sides]) / counts
    error = math.sqrt(parts.sum())
    if error == 0:  # no seed differs from another
        margin, p = 0.0, float(change == 0)
    else:
        degrees = error**4 / (parts**2 / (counts - 1)).sum()
        margin = float(students_t(degrees) * error)
        p = float(2 * t.sf(abs(change) / error, degrees))
    return Comparison(change, margin, p, 1, _verdict(change, p))


def _verdict(change: float, p: float) -> str:
    return UNSEEN if p > LEVEL else RISES if change > 0 else FALLS


def holm(p_values: Values) -> pd.Series:
    """Correct p-values for their number by Holm's step-down.

    Of n values, the smallest counts n times, the next n − 1 times, and so on; none counts less than
    the one before it, and none more than 1. Then the chance of one or more false differences is at
    most 5 %, however the comparisons depend on each other, as those with one reference do.
    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.

    Args:
        p_values: of all comparisons. A NaN stays, and does not count.
    """
    values = pd.Series(p_values, dtype=float)
    ordered = values.dropna().sort_values()
    counted = ordered * np.arange(len(ordered), 0, -1)
    return counted.cummax().clip(upper=1).reindex(values.index)


def correct(changes: Sequence[Comparison]) -> list[Comparison]:
    """Return comparisons with p and verdict corrected for the number of those that have a p."""
    p_values = holm([change.p for change in changes])
    known = int(p_values.count())
    return [
        change
        if math.isnan(p)
        else change._replace(p=p, of=known, verdict=_verdict(change.change, p))
        for change, p in zip(changes, p_values, strict=True)
    ]


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
    margin = table.pop("sem") * students_t(table["count"] - 1)
    table.insert(1, "margin", margin)
    return table.assign(device=groups["device"].agg(joined))


def joined(names: Iterable[str]) -> str:
    """Join different names with "and", in alphabetical order."""
    return " and ".join(sorted(set(names)))
