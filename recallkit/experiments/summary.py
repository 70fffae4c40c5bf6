"""Several seeds of one setting as one number and how far it can be trusted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Student's t for 95 %, two-sided, by degrees of freedom: 1 … 9. More seeds: the table can grow.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: of the values.
        margin: half of the 95 % interval of the mean by Student's t; infinite for one value.
        count: of values.
    """

    mean: float
    margin: float
    count: int


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % interval of independent values.

    Raises:
        ValueError: if there is none, or more than ten.
    """
    count = len(values)
    if not 1 <= count <= len(_T95) + 1:
        raise ValueError(f"values must be 1 to {len(_T95) + 1} numbers, not {count}")
    mean = sum(values) / count
    if count == 1:
        return Estimate(mean, math.inf, 1)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    return Estimate(mean, _T95[count - 2] * deviation / math.sqrt(count), count)


def difference(before: Estimate, after: Estimate) -> Estimate:
    """How far one mean lies above another, with the 95 % interval of Welch's t.

    Welch's: the two may scatter differently. Its degrees of freedom are those of Satterthwaite.

    Args:
        before: mean over the seeds of one setting.
        after: of another.

    Returns:
        after − before; an infinite margin if one of the two has a single seed.
    """
    from scipy.stats import t

    mean, count = after.mean - before.mean, min(before.count, after.count)
    if count == 1:
        return Estimate(mean, math.inf, 1)
    parts = [(_standard_error(e) ** 2, e.count - 1) for e in (before, after)]
    variance = sum(part for part, _ in parts)
    if variance == 0:  # no seed differs from another
        return Estimate(mean, 0.0, count)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return Estimate(mean, float(t.ppf(0.975, freedom)) * math.sqrt(variance), count)


def _standard_error(value: Estimate) -> float:
    return value.margin / _T95[value.count - 2]


def over_seeds(results: Sequence[Mapping], row: str) -> dict[str, Estimate]:
    """Each metric on test classes over the seeds of one setting.

    Args:
        results: stored results that differ in their seed only.
        row: "pixels", "untrained" or "trained".

    Raises:
        ValueError: if there is no result, they differ in more than the seed, or a seed comes twice.
    """
    settings = [dict(result["config"], seed=None) for result in results]
    seeds = [result["seed"] for result in results]
    if not results or settings.count(settings[0]) != len(settings) or len(set(seeds)) < len(seeds):
        raise ValueError("results must be of one setting, each with a seed of its own")
    metrics = [result["test"][row] for result in results]
    return {name: estimate([values[name] for values in metrics]) for name in metrics[0]}
