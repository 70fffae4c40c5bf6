"""UniLoss against finite differences and exact arithmetic; the released gradient beside it."""

import math
import pickle
from decimal import Decimal, localcontext
from functools import partial

import pytest
import torch
from helpers import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize, one_hot

from recallkit.large_batch import LargeBatchStep
from recallkit.related import (
    UniLoss,
    accuracy,
    average_precision,
    draw_anchors,
    interpolate,
    recall_at_k,
)
from recallkit.simix import SimilarityMixup

LABELS = torch.tensor([70, 3, 70, 3, 41, 41, 3, 41, -(2**60)])  # one of them alone


def unit(seed, count=9, dim=8):
    return strategies.unit_vectors(count, dim, seed, torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(seed, anchors=7, count=5):
    """Values, comparisons and different anchors."""
    g = seeded(seed)
    corners = (torch.randperm(2**count, generator=g)[:anchors, None] >> torch.arange(count)) % 2
    comparisons = torch.rand(count, generator=g, dtype=torch.float64) * 2 - 1
    return torch.rand(anchors, generator=g, dtype=torch.float64), comparisons, 2 * corners - 1


def exactly(values, comparisons, anchors):
    """Value and gradient with fifty digits."""
    with localcontext() as context:
        context.prec = 50
        g, b = ([Decimal(x) for x in vector.tolist()] for vector in (values, comparisons))
        offsets = [[x - a for x, a in zip(b, row, strict=True)] for row in anchors.long().tolist()]
        d = [sum(x * x for x in row).sqrt() for row in offsets]
        total = sum(1 / x for x in d)
        value = sum(x / y for x, y in zip(g, d, strict=True)) / total
        slopes = [
            -sum((g[i] - value) * offsets[i][j] / d[i] ** 3 for i in range(len(g))) / total
            for j in range(len(b))
        ]
    return float(value), [float(x) for x in slopes]


def value_and_gradient(function, leaf):
    leaf = leaf.clone().requires_grad_()
    value = function(leaf)
    value.backward()
    return value.item(), leaf.grad


def differences(function, leaf, step=1e-5):
    """The gradient by central differences."""
    gradient = torch.zeros_like(leaf)
    for i in range(leaf.numel()):
        changed = [leaf.clone(), leaf.clone()]
        changed[0].view(-1)[i] += step
        changed[1].view(-1)[i] -= step
        gradient.view(-1)[i] = (function(changed[0]) - function(changed[1])) / (2 * step)
    return gradient


@settings(max_examples=50)
@given(st.integers(0, 9999), st.integers(1, 9), st.integers(4, 7))
def test_the_interpolation_is_its_formula(seed, anchors, count):
    values, comparisons, corners = problem(seed, anchors, count)
    value, gradient = value_and_gradient(lambda b: interpolate(values, b, corners), comparisons)
    expected, slopes = exactly(values, comparisons, corners)
    assert value == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(gradient, torch.tensor(slopes).double(), rtol=1e-6, atol=1e-6)
    assert gradient.tolist() == pytest.approx(slopes, rel=1e-11, abs=1e-12)
    assert values.min() - 1e-12 <= value <= values.max() + 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_its_gradient_is_that_of_finite_differences(seed):
    values, comparisons, anchors = problem(seed)
    function = partial(interpolate, values, anchors=anchors)
    _, gradient = value_and_gradient(lambda b: function(comparisons=b), comparisons)
    expected = differences(lambda b: function(comparisons=b), comparisons)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_at_an_anchor_it_is_the_metric_there(dtype):
    values, _, anchors = problem(1)
    values = values.to(dtype)
    for i in range(len(values)):
        value, gradient = value_and_gradient(
            lambda b: interpolate(values, b, anchors), anchors[i].to(dtype)
        )
        assert value == values[i].item()
        assert (gradient == 0).all()


@pytest.mark.parametrize("distance", [1e-1, 1e-3, 1e-6, 1e-9, 1e-12])
def test_beside_an_anchor_value_and_gradient_are_right(distance):
    """Numbers as they are in float64, so that rounding of the place itself does not count."""
    values, away, anchors = problem(2)
    comparisons = anchors[3] - distance * anchors[3] * away.abs()
    value, gradient = value_and_gradient(lambda b: interpolate(values, b, anchors), comparisons)
    expected, slopes = exactly(values, comparisons, anchors)
    assert value == pytest.approx(expected, rel=1e-14)
    assert gradient.tolist() == pytest.approx(slopes, rel=1e-9)
    assert gradient.norm() > 0.01  # a cone, not a plateau


def test_equal_anchors_count_as_often_as_they_occur():
    values, comparisons, anchors = problem(3)
    twice = [0, 0, *range(len(values))]
    result = value_and_gradient(
        lambda b: interpolate(values[twice], b, anchors[twice]), comparisons
    )
    expected, slopes = exactly(values[twice], comparisons, anchors[twice])
    assert result[0] == pytest.approx(expected)
    assert result[1].tolist() == pytest.approx(slopes)
    assert interpolate(values[twice], anchors[0].double(), anchors[twice]) == values[0]


def test_many_anchors_are_handled_in_blocks(monkeypatch):
    values, comparisons, anchors = problem(4)
    whole = value_and_gradient(lambda b: interpolate(values, b, anchors), comparisons)
    monkeypatch.setattr("recallkit.related.uniloss.BLOCK", 10)  # two anchors at a time
    parts = value_and_gradient(lambda b: interpolate(values, b, anchors), comparisons)
    assert parts[0] == pytest.approx(whole[0], abs=1e-15)
    torch.testing.assert_close(parts[1], whole[1])


@pytest.mark.parametrize(
    ("values", "comparisons", "anchors", "message"),
    [
        (torch.ones(2), torch.ones(3), torch.ones(2, 4), r"anchors must be of shape \(A, 3\)"),
        (torch.ones(0), torch.ones(3), torch.ones(0, 3), "at least one row"),
        (torch.ones(3), torch.ones(3), torch.ones(2, 3), r"values must be of shape \(2,\)"),
        (torch.ones(2), torch.ones(0), torch.ones(2, 0), "comparisons must be a non-empty"),
        (torch.ones(2), torch.ones(3).int(), torch.ones(2, 3), "comparisons must be a non-empty"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values, comparisons, anchors, message):
    with pytest.raises(ValueError, match=message):
        interpolate(values, comparisons, anchors)


@settings(max_examples=50)
@given(st.integers(0, 9999), st.integers(1, 12), st.sampled_from(["mixed", "right", "ties"]))
def test_anchors_are_the_truth_good_ones_near_ones_and_random_ones(seed, count, kind):
    g = seeded(seed)
    comparisons = torch.rand(count, generator=g) * 2 - 1
    comparisons = {"mixed": comparisons, "right": comparisons.abs() + 0.1, "ties": 0 * comparisons}
    real = torch.rand(count, generator=g) < 0.7
    real[0] = True
    b = torch.where(real, comparisons[kind], 0)
    anchors = draw_anchors(b, real, 5, g)
    assert anchors.shape == (16, count)
    assert anchors.dtype == torch.int8
    assert ((anchors != 0) == real).all()
    assert (anchors[0] == real).all()
    assert ((anchors[1:6] != anchors[0]).sum(dim=1) == 1).all()
    wrong = real & (b <= 0)
    if wrong.any():
        before = torch.where(b > 0, 1, -1) * real
        changed = anchors[6:11] != before
        assert (changed.sum(dim=1) == 1).all()
        assert (changed <= wrong).all()
    else:
        assert ((anchors[6:11] != anchors[0]).sum(dim=1) == 1).all()


def test_random_anchors_are_fair_and_flips_reach_every_place():
    real = torch.ones(4, dtype=torch.bool)
    b = torch.tensor([-0.5, -0.2, 0.3, 0.9])
    anchors = draw_anchors(b, real, 2000, seeded()).float()
    _, good, near, random = anchors.split([1, 2000, 2000, 2000])
    assert (random.mean(dim=0).abs() < 0.1).all()
    assert ((good < 0).float().mean(dim=0) - 0.25).abs().max() < 0.05
    assert ((near > 0).float().mean(dim=0) - torch.tensor([0.5, 0.5, 1, 1])).abs().max() < 0.05


@pytest.mark.parametrize(
    ("comparisons", "real", "count", "message"),
    [
        ([1.0], torch.ones(1).bool(), 2, "comparisons must be a tensor, not list"),
        (torch.ones(2, 2), torch.ones(2, 2).bool(), 2, r"comparisons must be numbers \(C,\)"),
        (
            torch.ones(3).bool(),
            torch.ones(3).bool(),
            2,
            r"comparisons must be numbers.*torch\.bool",
        ),
        (torch.ones(3), torch.ones(3), 2, r"real must be bool of shape \(3,\).*float32"),
        (torch.ones(3), torch.ones(2).bool(), 2, r"real must be bool of shape \(3,\)"),
        (torch.ones(3), torch.zeros(3).bool(), 2, "with at least one True"),
        (torch.ones(3), torch.ones(3).bool(), 0, "count must be at least 1, not 0"),
    ],
)
def test_anchors_of_what_does_not_fit_are_refused_by_name(comparisons, real, count, message):
    with pytest.raises(ValueError, match=message):
        draw_anchors(comparisons, real, count)


def test_binary_comparisons_may_be_integers():
    signs, real = torch.tensor([1, -1, -1, 1]), torch.tensor([True, True, True, False])
    drawn = [draw_anchors(signs.to(t), real, 4, seeded()) for t in (torch.int8, torch.float32)]
    assert torch.equal(*drawn)


METRICS = {"ap": average_precision, "accuracy": accuracy, "recall": partial(recall_at_k, ks=(1, 2))}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_the_gradient_of_the_embeddings_is_that_of_finite_differences(metric, temperature):
    def loss(e):
        return UniLoss(metric, temperature=temperature, generator=seeded(3))(e, LABELS)

    _, gradient = value_and_gradient(loss, unit(1))
    torch.testing.assert_close(gradient, differences(loss, unit(1)), rtol=0, atol=1e-8)
    assert gradient.norm() > 1e-4


def test_the_loss_of_a_batch_is_its_definition():
    """Differences, comparisons, metric and interpolation once more, in loops."""
    embeddings, s = unit(2), unit(2) @ unit(2).T
    b, shape = [], []
    for q in range(8):  # the last image has no positive
        positives = [p for p in range(9) if p != q and LABELS[p] == LABELS[q]]
        negatives = [n for n in range(9) if LABELS[n] != LABELS[q]]
        shape.append((len(positives), len(negatives)))
        b += [2 / (1 + math.exp(s[q, n] - s[q, p])) - 1 for p in positives for n in negatives]
    seen = []

    def share_of_right(comparisons):
        rows = [c[c != 0] for c in comparisons]
        seen.extend(rows)
        return torch.stack([(row > 0).double().mean() for row in rows])

    value = UniLoss(share_of_right, generator=seeded(5))(embeddings, LABELS)
    assert len(seen) == 49
    assert {len(row) for row in seen} == {sum(p * n for p, n in shape)}
    values = torch.stack([(row > 0).double().mean() for row in seen])
    expected, _ = exactly(values, torch.tensor(b).double(), torch.stack(seen))
    assert value.item() == pytest.approx(1 - expected, abs=1e-7)


def released_gradient(values, comparisons, anchors):
    """The gradient as published with the paper: − in front of the second term."""
    offsets = comparisons - anchors
    d = offsets.norm(dim=1)
    total, weighted = (1 / d).sum(), (values / d).sum()
    first = -(values / d**3) @ offsets / total
    return first - weighted / total**2 * (d**-3) @ offsets


def test_the_released_gradient_has_another_sign_and_is_not_that_of_the_interpolation():
    """Average precision of a random batch of six, as in the release: values are negative."""
    cosines = []
    for seed in range(20):
        scores = torch.rand(6, generator=seeded(seed), dtype=torch.float64)
        positive = torch.tensor([True, False, True, False, False, True])
        d = (scores[positive][:, None] - scores[~positive]).flatten()
        b, real = torch.tanh(d / 2), torch.ones(9, dtype=torch.bool)
        anchors = draw_anchors(b, real, 16, seeded(seed))
        values = -average_precision(anchors.double().reshape(49, 1, 3, 3))
        expected = differences(lambda x, g=values, a=anchors: interpolate(g, x, a), b)
        _, right = value_and_gradient(lambda x, g=values, a=anchors: interpolate(g, x, a), b)
        released = released_gradient(values, b, anchors)
        assert (right - expected).abs().max() < 1e-9
        assert (released - expected).abs().max() > 0.01
        cosines.append(torch.nn.functional.cosine_similarity(released, expected, dim=0).item())
    assert sum(cosines) / 20 == pytest.approx(0.82, abs=0.12), cosines


def test_average_precision_of_a_classifier_and_accuracy_of_another():
    scores, targets = torch.linspace(-1, 1, 8).double(), torch.arange(8) % 3 == 0
    ap = UniLoss(average_precision, generator=seeded()).of_scores(scores[None], targets[None])
    assert 0 < ap < 1
    logits, labels = unit(3, 6, 4), torch.tensor([0, 3, 1, 2, 2, 0])
    right = one_hot(labels, 4).bool()

    def loss(x):
        return UniLoss(accuracy, generator=seeded()).of_scores(x, right)

    _, gradient = value_and_gradient(loss, logits)
    torch.testing.assert_close(gradient, differences(loss, logits), rtol=0, atol=1e-8)
    torch.testing.assert_close(gradient.sum(dim=1), torch.zeros(6).double())  # differences only
    assert (gradient[right] < 0).all()


def test_all_right_and_steep_is_0_and_all_wrong_is_1():
    embeddings = torch.eye(3, dtype=torch.float64).repeat_interleave(3, dim=0)
    labels = torch.arange(9) // 3
    for metric in METRICS.values():
        steep = UniLoss(metric, temperature=1e-3)
        assert steep(embeddings, labels).item() == pytest.approx(0, abs=1e-12)
    query, others = torch.tensor([[1.0, 0.0]]), torch.tensor([1, 2])
    turned = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    worst = UniLoss(accuracy, anchors=400, temperature=1e-3)(query, [1], turned, others)
    assert worst.item() == pytest.approx(1, abs=1e-6)


def test_a_seed_gives_the_same_anchors_and_no_seed_the_default_generator():
    embeddings = unit(4)
    one, same, other = (UniLoss(recall_at_k, generator=seeded(s)) for s in (1, 1, 2))
    first = one(embeddings, LABELS)
    assert first.equal(same(embeddings, LABELS))
    assert not first.equal(other(embeddings, LABELS))
    assert not first.equal(one(embeddings, LABELS))  # new anchors in each call
    values = []
    for _ in range(2):
        torch.manual_seed(7)
        values.append(UniLoss(recall_at_k)(embeddings, LABELS))
    assert values[0].equal(values[1])


@settings(max_examples=30)
@given(
    st.lists(st.integers(-2, 1), min_size=2, max_size=9).filter(lambda x: len(set(x)) < len(x)),
    st.sampled_from(list(METRICS)),
    st.sampled_from([1.0, 1e-3]),
    st.booleans(),
    st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    st.integers(0, 99),
)
def test_any_batch_has_a_finite_loss_and_gradient(labels, metric, temperature, ties, dtype, seed):
    embeddings = unit(seed, len(labels), 3).to(dtype)
    if ties:
        embeddings[1:] = embeddings[0]
        embeddings[-1] = -embeddings[0]
    loss = UniLoss(METRICS[metric], 3, temperature, seeded(seed))
    leaf = embeddings.requires_grad_()
    value = loss(leaf, torch.tensor(labels) * 2**59)
    value.backward()
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    assert -1e-6 <= value.item() <= 1 + 1e-6
    assert leaf.grad.dtype == dtype
    assert leaf.grad.isfinite().all()
    if len(set(labels)) == 1:
        assert value.item() == 0
        assert (leaf.grad == 0).all()


def test_descent_finds_a_perfect_ranking():
    embeddings = unit(5, 16, 8).requires_grad_()
    labels, loss = torch.arange(16) // 4, UniLoss(recall_at_k, generator=seeded())
    optimizer = torch.optim.Adam([embeddings], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss(normalize(embeddings, dim=1), labels).backward()
        optimizer.step()
    similarity = (normalize(embeddings, dim=1) @ normalize(embeddings, dim=1).T).fill_diagonal_(-2)
    assert (labels[similarity.topk(3).indices] == labels[:, None]).all()


class Normalised(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(5, 4).double()

    def forward(self, x):
        return normalize(self.linear(x), dim=1)


@pytest.mark.parametrize("mixup", [None, SimilarityMixup])
def test_a_large_batch_step_gives_the_gradient_of_the_plain_step(mixup):
    network, images, labels = Normalised(), unit(1, 12, 5), torch.arange(12) // 4
    mix = mixup(seeded(8)) if mixup else None
    batch = network(images), labels
    UniLoss(average_precision, generator=seeded(9))(*(mix(*batch) if mix else batch)).backward()
    expected = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    loss = UniLoss(average_precision, generator=seeded(9))
    step = LargeBatchStep(network, loss, chunk_size=5, mixup=mixup(seeded(8)) if mixup else None)
    step(images, labels)
    torch.testing.assert_close([p.grad for p in network.parameters()], expected)


def test_queries_and_gallery_and_the_arguments_of_pytorch_metric_learning():
    queries, gallery, labels = unit(1), unit(2, 12), torch.tensor([70, 3, 41, 5] * 3)

    def loss():
        return UniLoss(recall_at_k, generator=seeded())

    value = loss()(queries, LABELS, gallery, labels)
    assert loss()(queries, LABELS, ref_emb=gallery, ref_labels=labels).equal(value)
    inside = loss()(gallery, labels, gallery.clone(), labels, torch.arange(12))
    assert inside.equal(loss()(gallery, labels))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "recall"}, "metric must be a function such as recall_at_k, not 'recall'"),
        ({"metric": accuracy, "anchors": 0}, "anchors must be a whole number of at least 1"),
        ({"metric": accuracy, "anchors": 1.5}, "anchors must be a whole number"),
        ({"metric": accuracy, "temperature": 0}, "temperature must be"),
    ],
)
def test_bad_settings_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        UniLoss(**arguments)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda c: c.mean(), "metric must return 49 numbers"),
        (lambda c: 0.5, "metric must return 49 numbers.*not float"),
        (lambda c: c.sum(dim=(1, 2, 3)) * torch.nan, "metric must return finite numbers"),
    ],
)
def test_what_is_no_metric_is_refused(metric, message):
    with pytest.raises(ValueError, match=message):
        UniLoss(metric)(unit(1), LABELS)


@pytest.mark.parametrize(
    ("scores", "positive", "negative", "message"),
    [
        ([[1.0, 0.0]], torch.ones(1, 2) > 0, None, "scores must be a tensor, not list"),
        (torch.ones(1, 2), [[True, False]], None, "positive must be a tensor, not list"),
        (torch.ones(3), torch.ones(3) > 0, None, r"scores must be .* \(R, N\)"),
        (torch.full((1, 2), torch.inf), torch.ones(1, 2) > 0, None, "scores must be finite"),
        (torch.ones(1, 2), torch.ones(1, 2), None, r"positive must be bool of shape \(1, 2\)"),
        (torch.ones(1, 2), torch.ones(1, 3) > 0, None, "positive must be bool"),
        (torch.ones(1, 2), torch.ones(1, 2) > 0, torch.ones(2) > 0, "negative must be bool"),
        (torch.ones(1, 2), torch.eye(2)[:1] > 0, torch.ones(1, 2) > 0, "negative must not hold"),
    ],
)
def test_bad_scores_are_refused_by_name(scores, positive, negative, message):
    with pytest.raises(ValueError, match=message):
        UniLoss(accuracy).of_scores(scores, positive, negative)


def test_bad_batches_are_refused_as_by_the_other_losses():
    with pytest.raises(ValueError, match="no query has a positive"):
        UniLoss(accuracy)(torch.ones(4, 2), torch.arange(4))
    with pytest.raises(ValueError, match="embeddings must be finite"):
        UniLoss(accuracy)(torch.full((2, 2), torch.nan), torch.tensor([0, 0]))


def test_a_loss_shows_its_settings_and_can_be_stored():
    loss = UniLoss(partial(recall_at_k, ks=(1, 2)), temperature=0.5)
    assert repr(loss) == "UniLoss(metric=recall_at_k, anchors=16, temperature=0.5)"
    torch.manual_seed(0)
    value = loss(unit(1), LABELS)
    torch.manual_seed(0)
    assert pickle.loads(pickle.dumps(loss))(unit(1), LABELS).equal(value)
