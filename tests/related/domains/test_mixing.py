"""Shares, mixtures and soft labels across two domains."""

import numpy as np
import pytest
import torch

from recallkit.related import domain_mixup, draw_share, mix, mixed_labels


@pytest.mark.parametrize("clearance", [0, 0.1, 0.3])
@pytest.mark.parametrize("concentration", [0.3, 2.0])
def test_a_share_is_rounded_and_kept_away_from_one_half(clearance, concentration):
    ours, theirs = np.random.default_rng(0), np.random.default_rng(0)
    shares = set()
    for _ in range(500):
        drawn = round(theirs.beta(concentration, concentration), 2)
        share = draw_share(ours, concentration, clearance)
        shares.add(share)
        if abs(drawn - 0.5) >= clearance - 1e-12:
            assert share == drawn
        else:
            assert share == 0.5 + clearance * (1 if drawn >= 0.5 else -1)
    assert min(abs(share - 0.5) for share in shares) >= clearance - 1e-12
    assert min(shares) < 0.5 < max(shares)
    assert min(shares) >= 0
    assert max(shares) <= 1


class Fixed:
    """A generator that always draws one share."""

    def __init__(self, share):
        self.share = share

    def beta(self, first, second):
        return self.share


@pytest.mark.parametrize(
    ("drawn", "share"),
    [
        *((0.5, 0.6), (0.599, 0.6), (0.6, 0.6), (0.61, 0.61), (1.0, 1.0)),
        *((0.494, 0.4), (0.496, 0.6), (0.401, 0.4), (0.4, 0.4), (0.39, 0.39), (0.001, 0.0)),
    ],
)
def test_the_borders_of_the_gap(drawn, share):
    assert draw_share(Fixed(drawn)) == share


def test_seeds_reproduce_shares():
    def draws(seed):
        rng = np.random.default_rng(seed)
        return [draw_share(rng) for _ in range(20)]

    assert draws(3) == draws(3)
    assert draws(3) != draws(4)
    assert len({draw_share() for _ in range(40)}) > 1


def test_a_mixture_is_that_of_the_loops():
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(2, 3, 2, 2, 2, generator=generator, dtype=torch.float64)
    labels, share = torch.tensor([2, 0, 1]), 0.37
    values, soft, used = domain_mixup(source, target, labels, 4, share)
    assert used == share
    pairs = zip(source.flatten().tolist(), target.flatten().tolist(), strict=True)
    expected = [share * a + (1 - share) * b for a, b in pairs]
    assert values.flatten().tolist() == pytest.approx(expected, abs=1e-15)
    rows = [[share * (k == c) + (1 - share) * (k == 4) for k in range(5)] for c in (2, 0, 1)]
    assert torch.allclose(soft, torch.tensor(rows))
    assert torch.allclose(soft.sum(dim=1), torch.ones(3))


def test_the_whole_share_is_the_source_and_none_the_target():
    source, target = torch.randn(2, 3, 4)
    labels = torch.tensor([0, 1, 1])
    assert torch.equal(mix(source, target, 1.0), source)
    assert torch.equal(mix(source, target, 0.0), target)
    assert mixed_labels(labels, 2, 1.0).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert mixed_labels(labels, 2, 0.0).tolist() == [[0, 0, 1]] * 3


def test_a_share_is_drawn_once_for_a_batch():
    source, target = torch.ones(5, 3), torch.zeros(5, 3)
    mixture = domain_mixup(source, target, torch.zeros(5, dtype=torch.int64), 2)
    other = domain_mixup(
        source, target, torch.zeros(5, dtype=torch.int64), 2, generator=np.random.default_rng(0)
    )
    assert mixture.values.unique().tolist() == [pytest.approx(mixture.share)]
    assert other.share == draw_share(np.random.default_rng(0))


pixels, classes = torch.zeros(2, 3), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((pixels, pixels[:1], classes, 2, 0.3), "source and target must be of the same shape"),
        ((pixels, pixels, classes[:1], 2, 0.3), "labels must be 2, one for each of source"),
        ((pixels, pixels, classes, 1, 0.3), "labels must lie between 0 and 0"),
        ((pixels, pixels, classes - 1, 2, 0.3), "labels must lie between 0 and 1"),
        ((pixels, pixels, classes.float(), 2, 0.3), "labels must be integers"),
        ((pixels, pixels, classes.tolist(), 2, 0.3), "labels must be a tensor, not list"),
        ((pixels, pixels, classes, 2, 1.1), "share must lie between 0 and 1"),
        ((pixels, pixels, classes, 2, float("nan")), "share must lie between 0 and 1"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        domain_mixup(*arguments)


def test_bad_settings_of_a_share_are_named():
    with pytest.raises(ValueError, match="concentration must be a finite number above 0"):
        draw_share(concentration=0)
    with pytest.raises(ValueError, match=r"clearance must lie between 0 and 0.5"):
        draw_share(clearance=0.6)
