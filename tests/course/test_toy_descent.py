"""The toy in which batch size cannot matter: its formula against descents, and its three views."""

import re

import pytest
import torch

from recallkit.course.explorables import ThreeViews
from recallkit.course.toy_descent import LEARNING_RATES, expected_error, three_views


@pytest.mark.parametrize(("batch", "updates", "rate"), [(4, 30, 0.05), (16, 8, 0.5), (1, 3, 1.0)])
def test_formula_is_the_mean_of_many_descents(batch, updates, rate):
    generator = torch.Generator().manual_seed(0)
    guess = torch.full((20_000,), 1.0, dtype=torch.float64)
    for _ in range(updates):
        readings = 2 * torch.randn(20_000, batch, generator=generator, dtype=torch.float64)
        guess -= rate * (guess - readings.mean(dim=1))
    expected = expected_error(batch, updates, rate, noise=4.0, start=1.0)
    assert guess.square().mean().item() == pytest.approx(expected.item(), rel=0.05)


def test_no_update_leaves_the_start():
    assert expected_error(8, 0, 0.1, start=3.0).item() == 9.0


def test_shapes_broadcast():
    error = expected_error(torch.tensor([4, 8]), torch.tensor([10, 5]), torch.tensor([[0.1], [1]]))
    assert error.shape == (2, 2)
    assert error[1, 1].item() == pytest.approx(4 / 8)  # at rate 1 only the last batch is left


def test_what_is_held_equal_decides_which_batch_wins():
    updates, images, tuned = three_views([4, 16, 64, 256], learning_rate=0.05, images=1024).values()
    assert (updates.diff() < 0).all()  # the largest
    assert images.argmin() == 1
    assert tuned.max() < 1.2 * tuned.min()  # none
    assert (tuned <= images).all()
    assert 0.05 in [pytest.approx(rate, rel=0.06) for rate in LEARNING_RATES]


def test_the_axis_of_the_figure_holds_every_error():
    [lowest] = re.findall(r"const SMALL_ERROR = ([\de-]+)", ThreeViews.module_text())
    sizes = [4, 8, 16, 32, 64, 128, 256, 512]
    for images in (2**power for power in range(9, 15)):
        for rate in torch.logspace(-2, 0, 41).tolist():
            views = three_views(sizes, learning_rate=rate, images=images)
            assert min(errors.min().item() for errors in views.values()) > float(lowest)
