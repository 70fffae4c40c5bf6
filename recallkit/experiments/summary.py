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
