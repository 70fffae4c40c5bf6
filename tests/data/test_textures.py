"""Textures drawn from random numbers."""

import numpy as np

from recallkit.data.textures import draw_texture


def test_a_texture_is_coloured_noisy_and_decided_by_the_seed():
    first, again, other = (draw_texture(np.random.default_rng(seed), 32) for seed in (0, 0, 1))
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.ptp(first.astype(float).mean(axis=(0, 1))) > 5
    assert np.diff(first.astype(float), axis=0).std() > 5


def test_greys_bound_the_mean():
    means = [draw_texture(np.random.default_rng(i), 32, (60, 61)).mean() for i in range(20)]
    assert abs(np.mean(means) - 60) < 10
