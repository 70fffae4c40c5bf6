"""Means over seeds and their intervals."""

import math

import numpy as np
import pytest
from scipy import stats

from recallkit.experiments.summary import estimate, over_seeds


@pytest.mark.parametrize("count", range(2, 11))
def test_interval_is_students(count):
    values = np.random.default_rng(count).normal(50, 2, count)
    found = estimate(values.tolist())
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.margin == pytest.approx((high - low) / 2, rel=1e-3)


def test_one_seed_says_nothing():
    assert estimate([0.5]).margin == math.inf
    with pytest.raises(ValueError, match="values must be 1 to 10 numbers, not 0"):
        estimate([])


def result(seed, value, **config):
    return {"seed": seed, "config": {"seed": seed, **config}, "test": {"trained": {"R@1": value}}}


def test_over_seeds():
    found = over_seeds([result(0, 0.4), result(1, 0.6)], "trained")
    assert found["R@1"].mean == pytest.approx(0.5)
    assert found["R@1"].count == 2


@pytest.mark.parametrize(
    "results",
    [[], [result(0, 0.1), result(0, 0.1)], [result(0, 0.1), result(1, 0.1, batch_size=7)]],
)
def test_what_is_not_one_setting_is_refused(results):
    with pytest.raises(ValueError, match="results must be of one setting"):
        over_seeds(results, "trained")
