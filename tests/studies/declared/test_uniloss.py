"""The study of UniLoss: its data, the gradient of the release, and that a run can be repeated."""

import pytest
import torch

from recallkit.related import UniLoss, average_precision, interpolate
from recallkit.studies import find_study
from recallkit.studies.declared import uniloss as study

STUDY = find_study("uniloss")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def batch():
    """Scores (16,) and targets with three zeros."""
    return torch.rand(16, generator=seeded(3)), torch.arange(16) % 6 == 0


def gradient_of(loss, scores, targets):
    leaf = scores.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf, targets), leaf)[0]


def test_parts_share_no_image_and_their_noise_is_the_same_in_each_call():
    parts = study.noisy_digits()
    assert {name: len(images) for name, (images, _) in parts.items()} == {
        "train": 1000,
        "validation": 297,
        "test": 500,
    }
    rows = [tuple(row) for images, _ in parts.values() for row in images.tolist()]
    assert len(set(rows)) == 1797
    first = parts["test"][0].clone()
    study.noisy_digits.cache_clear()
    assert study.noisy_digits()["test"][0].equal(first)


def test_a_training_has_ten_zeros_of_the_training_part():
    images, is_zero = study.draw_training(seeded())
    assert (len(images), int(is_zero.sum())) == (100, 10)
    known = {tuple(row) for row in study.noisy_digits()["train"][0].tolist()}
    assert {tuple(row) for row in images.tolist()} <= known
    assert not study.draw_training(seeded(1))[0].equal(images)


@pytest.mark.parametrize("seed", range(5))
def test_the_released_gradient_is_right_only_where_the_interpolated_metric_is_0(seed):
    g = seeded(seed)
    anchors = torch.randint(0, 2, (9, 6), generator=g).double() * 2 - 1
    b = (torch.rand(6, generator=g, dtype=torch.float64) * 2 - 1).requires_grad_()
    values = torch.rand(9, generator=g, dtype=torch.float64)
    value = interpolate(values, b, anchors)
    [right] = torch.autograd.grad(value, b)
    here = b.detach()
    released = study.released_gradient(values, here, anchors)
    assert (released - right).abs().max() > 0.05
    centred = study.released_gradient(values - value.detach(), here, anchors)
    torch.testing.assert_close(centred, right)


def test_a_metric_that_says_nothing_teaches_only_by_the_released_gradient(batch):
    scores, targets = batch
    right = UniLoss(study.says_nothing, generator=seeded())
    nothing = gradient_of(lambda s, t: right.of_scores(s[None], t[None]), scores, targets)
    assert nothing.abs().max() < 1e-6
    pull = gradient_of(study.loss_of("released gradient of a constant", seeded()), scores, targets)
    assert pull[targets].sum() < -0.1  # a step of descent raises the zeros
    assert pull[~targets].sum() > 0.1


def test_the_loss_of_the_release_has_the_released_gradient_through_the_differences(batch):
    scores, targets = batch
    loss = study.loss_of("released gradient", seeded())
    gradient = gradient_of(loss, scores, targets)
    torch.testing.assert_close(gradient.sum(), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert gradient.norm() > 1e-3
    right = UniLoss(average_precision, generator=seeded())
    other = gradient_of(lambda s, t: right.of_scores(s[None], t[None]), scores, targets)
    assert (gradient - other).abs().max() > 1e-3


def test_a_batch_without_zeros_teaches_nothing_but_cross_entropy():
    scores, targets = torch.rand(8, generator=seeded()), torch.zeros(8, dtype=torch.bool)
    for method in STUDY.candidates:
        gradient = gradient_of(study.loss_of(method, seeded()), scores, targets)
        assert bool(gradient.any()) == (method == "cross-entropy")


@pytest.mark.parametrize("method", STUDY.candidates)
def test_a_run_can_be_repeated_and_leaves_the_random_numbers_alone(monkeypatch, method):
    monkeypatch.setattr(study, "EPOCHS", 4)
    state = torch.random.get_rng_state()
    one, same = (STUDY.run(method, 0.1, 5) for _ in range(2))
    assert one == same
    assert torch.random.get_rng_state().equal(state)
    assert [row["epoch"] for row in one.history] == [4]
    assert 0 < one.metrics["average precision"] <= 1
    assert one.choice == one.history[-1]["validation average precision"]
    assert STUDY.run(method, 0.1, 6).choice != one.choice
