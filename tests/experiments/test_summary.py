"""Means over seeds and their intervals."""

import math

import numpy as np
import pytest
from scipy import stats

from recallkit.experiments.summary import Estimate, difference, estimate, over_seeds


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


@pytest.mark.parametrize("counts", [(2, 2), (3, 3), (3, 10), (5, 2)])
def test_a_difference_has_welchs_interval(counts):
    random = np.random.default_rng(sum(counts))
    one, other = random.normal(50, 0.5, counts[0]), random.normal(51, 3, counts[1])
    found = difference(estimate(one.tolist()), estimate(other.tolist()))
    low, high = stats.ttest_ind(other, one, equal_var=False).confidence_interval(0.95)
    assert found.mean == pytest.approx((low + high) / 2)
    assert found.margin == pytest.approx((high - low) / 2, rel=1e-3)
    assert found.count == min(counts)


def test_a_difference_from_one_seed_has_no_interval_and_of_equal_seeds_no_width():
    sure, lone = estimate([0.5, 0.5]), estimate([0.7])
    assert difference(sure, lone) == Estimate(pytest.approx(0.2), math.inf, 1)
    assert difference(lone, lone).margin == math.inf
    assert difference(sure, estimate([0.75, 0.75])) == Estimate(0.25, 0.0, 2)


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
