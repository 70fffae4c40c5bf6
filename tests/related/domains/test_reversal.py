"""Gradient reversal, soft domain labels, and the loss of DANN with and without mixtures."""

import math

import pytest
import torch
from torch import nn

from recallkit.related import DomainAdversary, domain_loss, reversal_strength, reverse_gradient


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_gradient_is_turned_round(strength):
    values = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    turned = reverse_gradient(values, strength)
    assert torch.equal(turned, values)
    (turned**3).sum().backward()
    assert torch.allclose(values.grad, -strength * 3 * values.detach() ** 2)


def test_the_strength_grows_from_0_towards_1():
    strengths = [reversal_strength(p / 10) for p in range(11)]
    assert strengths == [2 / (1 + math.exp(-p)) - 1 for p in range(11)]
    assert strengths[0] == 0
    assert 0.9999 < strengths[-1] < 1
    assert reversal_strength(0.5, slope=0) == 0
    for progress in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="progress must lie between 0 and 1"):
            reversal_strength(progress)


def soft_entropy(logits, share):
    """By definition, in Python's floats."""
    of_source = [1 / (1 + math.exp(-x)) for x in logits]
    losses = [-share * math.log(p) - (1 - share) * math.log(1 - p) for p in of_source]
    return math.fsum(losses) / len(losses)


@pytest.mark.parametrize("share", [0.0, 0.13, 0.4, 0.6, 0.99, 1.0])
def test_the_loss_of_a_soft_label(share):
    logits = torch.randn(6, dtype=torch.float64, requires_grad=True)
    loss = domain_loss(logits, share)
    assert loss.item() == pytest.approx(soft_entropy(logits.tolist(), share), abs=1e-12)
    loss.backward()
    assert torch.allclose(logits.grad, (logits.sigmoid() - share).detach() / 6, atol=1e-14)


def test_one_logit_is_the_difference_of_two():
    two = torch.randn(5, 2, dtype=torch.float64)
    soft = torch.tensor([0.3, 0.7], dtype=torch.float64).expand(5, 2)
    expected = nn.functional.cross_entropy(two, soft)
    assert domain_loss(two[:, 1] - two[:, 0], 0.7).item() == pytest.approx(expected.item())


def adversary():
    torch.manual_seed(0)
    classifier = nn.Linear(3, 1).double()
    source, target = torch.randn(2, 4, 3, dtype=torch.float64)
    return classifier, source.requires_grad_(), target.requires_grad_()


def logits_of(classifier, features):
    weights, [bias] = classifier.weight[0].tolist(), classifier.bias.tolist()
    rows = features.tolist()
    return [sum(w * v for w, v in zip(weights, row, strict=True)) + bias for row in rows]


@pytest.mark.parametrize("label", [None, 0.0])
@pytest.mark.parametrize("share", [None, 0.37, 0.8])
def test_the_loss_is_the_sum_of_its_terms(share, label):
    classifier, source, target = adversary()
    loss = DomainAdversary(classifier, mixed_weight=0.5)(source, target, 0.3, share, label)
    expected = soft_entropy(logits_of(classifier, source), 1)
    expected += soft_entropy(logits_of(classifier, target), 0)
    if share is not None:
        mixed = logits_of(classifier, share * source + (1 - share) * target)
        expected += 0.5 * soft_entropy(mixed, share if label is None else label)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def gradients(share, label, strength=1.0):
    classifier, source, target = adversary()
    DomainAdversary(classifier)(source, target, strength, share, label).backward()
    return classifier.weight.grad, source.grad


def test_labels_of_mixtures_are_not_truncated():
    """An integer label would be 0, which is what the released code computes."""
    for share in (0.2, 0.8):
        ours = gradients(share, None)
        assert all(torch.equal(*pair) for pair in zip(ours, gradients(share, share), strict=True))
        cut = gradients(share, float(int(share)))
        assert cut[0].allclose(gradients(share, 0.0)[0])
        assert (ours[0] - cut[0]).abs().max() > 0.01
        assert (ours[1] - cut[1]).abs().max() > 1e-3


def test_features_are_pushed_against_the_classifier_which_is_not():
    turned, plain = gradients(0.7, None, 0.25), gradients(0.7, None, -1.0)
    assert torch.allclose(turned[0], plain[0])
    assert torch.allclose(turned[1], -0.25 * plain[1])


def test_without_a_share_batches_may_differ_in_size():
    classifier, source, target = adversary()
    assert DomainAdversary(classifier)(source, target[:2]).isfinite()
    with pytest.raises(ValueError, match="source and target must be of the same shape"):
        DomainAdversary(classifier)(source, target[:2], share=0.3)


def test_half_precision_is_computed_in_float32():
    logits = torch.full((70_000,), 5.0, dtype=torch.float16)
    assert domain_loss(logits, 0.0).item() == pytest.approx(soft_entropy([5.0], 0), rel=1e-5)


def test_bad_input_is_named():
    classifier, source, target = adversary()
    with pytest.raises(ValueError, match="mixed_weight must be at least 0"):
        DomainAdversary(classifier, mixed_weight=-1)
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        DomainAdversary(classifier)(source, target, share=1.5)
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        DomainAdversary(classifier)(source, target, share=0.5, mixed_label=2.0)
    with pytest.raises(ValueError, match="target must be finite"):
        DomainAdversary(classifier)(source, target / 0)


def test_a_classifier_of_two_logits_is_refused():
    """Each of the two would be taken for a logit of the source."""
    _, source, target = adversary()
    with pytest.raises(ValueError, match="classifier must return one logit a row"):
        DomainAdversary(nn.Linear(3, 2).double())(source, target)
