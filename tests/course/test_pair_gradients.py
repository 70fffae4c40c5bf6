"""The push on every pair, against the chain rule and against losses written by hand."""

import pytest
import torch
from torch.nn.functional import normalize

from recallkit import RecallAtKLoss, SmoothAPLoss
from recallkit.course.pair_gradients import (
    descend,
    list_gradient,
    losses_to_compare,
    pair_gradients,
    pull_by_rank,
    sphere_gradient,
)

LABELS = torch.tensor([4, 4, 7, 7, 7, 1, 1, 9])  # one class of a single image


def unit(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=1)


LOSSES = losses_to_compare(0.1) | {
    "query in database": RecallAtKLoss(rank_temperature=0.1, query_in_database=True),
    "blocks": RecallAtKLoss(rank_temperature=0.1, engine="blocks"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_pairs_give_the_gradient_of_the_embeddings(name):
    embeddings = unit(8, 3).requires_grad_()
    LOSSES[name](embeddings, LABELS).backward()
    pairs = pair_gradients(LOSSES[name], embeddings @ embeddings.T, LABELS)
    torch.testing.assert_close((pairs + pairs.T) @ embeddings.detach(), embeddings.grad)
    assert pairs.abs().sum() > 0


@pytest.mark.parametrize("loss", [RecallAtKLoss(), SmoothAPLoss(), losses_to_compare()["triplet"]])
def test_no_pair_with_oneself_and_none_for_queries_without_a_positive(loss):
    similarity = unit(8, 3) @ unit(8, 3).T
    pairs = pair_gradients(loss, similarity, LABELS)
    assert (pairs.diagonal() == 0).all()
    assert (pairs[-1] == 0).all()


def test_contrastive_pushes_each_violating_pair_alike():
    similarity = torch.tensor([0.9, 0.6, 0.4, 0.2], dtype=torch.float64)
    positive = torch.tensor([False, True, False, True])
    gradient = list_gradient(losses_to_compare()["contrastive"], similarity, positive)
    expected = torch.tensor([1, -0.5, 0, -0.5], dtype=torch.float64)  # a mean over each kind
    torch.testing.assert_close(gradient, expected)


def test_softmax_gradient_of_nt_xent():
    similarity = torch.linspace(0.9, 0.1, 6, dtype=torch.float64)
    positive = torch.arange(6) == 2
    gradient = list_gradient(losses_to_compare()["NT-Xent"], similarity, positive)
    expected = (torch.softmax(similarity / 0.07, dim=0) - positive.double()) / 0.07
    torch.testing.assert_close(gradient, expected)


def test_pull_by_rank_is_what_a_lone_positive_feels():
    similarity = torch.linspace(1, 0, 12, dtype=torch.float64)
    loss = losses_to_compare(0.05)["RS@k"]
    pulls = pull_by_rank(loss, similarity)
    positive = torch.arange(12) == 3
    assert pulls[3] == -list_gradient(loss, similarity, positive)[3]
    assert (pulls > 0).all()


def test_sphere_gradient_is_tangential():
    embeddings = unit(8, 3)
    gradient = sphere_gradient(LOSSES["RS@k"], embeddings, LABELS)
    torch.testing.assert_close((gradient * embeddings).sum(dim=1), torch.zeros(8).double())
    assert gradient.norm() > 0


def test_descent_stays_on_the_sphere_and_goes_down():
    start, loss = unit(8, 3), LOSSES["NT-Xent"]
    path = descend(loss, start, LABELS, steps=10, first_step=0.01)
    assert path.shape == (11, 8, 3)
    assert (path[0] == start).all()
    torch.testing.assert_close(path.norm(dim=2), torch.ones(11, 8).double())
    values = torch.stack([loss(points, LABELS) for points in path])
    assert (values.diff() < 0).all()
    assert (path[1] - start).norm(dim=1).max().item() == pytest.approx(0.01, rel=1e-3)


def test_descent_without_a_gradient_is_refused():
    start = torch.eye(4).repeat_interleave(2, dim=0)
    with pytest.raises(ValueError, match="no gradient at the start"):
        descend(losses_to_compare()["contrastive"], start, torch.arange(8) // 2, steps=1)
