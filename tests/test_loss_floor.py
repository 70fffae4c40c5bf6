"""The loss of a perfect ranking: the limit of the real loss, and what it is a floor of."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recallkit.constants import PAPERS_KS
from recallkit.loss_floor import (
    NEARLY_SOLVED,
    Floor,
    batch_floor,
    count_positives,
    perfect_ranking_loss,
)
from recallkit.losses import VARIANTS, RecallAtKLoss, RecallVariant, SmoothAPLoss
from recallkit.sampling import ClassBalancedSampler
from recallkit.simix import SimilarityMixup

LONG = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32)


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def written_out(ranks, ks, tau, kind="recall@k"):
    """The loss of one query from its ranks, in plain floats."""
    losses = []
    for k in ks:
        count = sum(sigmoid((k - rank) / tau) for rank in ranks)
        if kind != "recall@k-no-cap":
            count = min(count, k)
        divisor = {"recall@k-over-positives": len(ranks), "recall@k-over-k": k}
        losses.append(1 - count / divisor.get(kind, min(k, len(ranks))))
    return sum(losses) / len(losses)


def perfect(loss, positives, wrong=0):
    return perfect_ranking_loss(loss, [positives], wrong).item()


@pytest.mark.parametrize(
    ("positives", "value"), [(1, 0.1635), (2, 0.1401), (3, 0.1021), (5, 0.0790), (9, 0.0789)]
)
def test_the_papers_loss_of_a_perfect_ranking(positives, value):
    assert perfect(RecallAtKLoss(), positives) == pytest.approx(value, abs=5e-5)


@settings(max_examples=60)
@given(
    st.integers(1, 40),
    st.lists(st.integers(1, 50), min_size=1, max_size=5, unique=True),
    st.floats(0.05, 10),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(["recall@k", *VARIANTS]),
)
def test_it_is_the_loss_written_out(positives, ks, tau, inside, wrong, kind):
    arguments = (ks, tau, 0.01, inside)
    loss = RecallVariant(kind, *arguments) if kind in VARIANTS else RecallAtKLoss(*arguments)
    ranks = [j + wrong + inside for j in range(1, positives + 1)]
    assert perfect(loss, positives, wrong) == pytest.approx(written_out(ranks, ks, tau, kind))


def spaced_batch(sizes, dtype=torch.float64):
    """Classes at right angles to each other, each on an arc where no two pairs are alike."""
    ruler = torch.tensor([0, 1, 4, 9, 15, 22, 32, 34], dtype=dtype)
    embeddings = torch.zeros(sum(sizes), 2 * len(sizes), dtype=dtype)
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    for c, size in enumerate(sizes):
        angles = ruler[:size] / 34 * 1.4
        embeddings[labels == c, 2 * c] = angles.cos()
        embeddings[labels == c, 2 * c + 1] = angles.sin()
    return embeddings, labels


LOSSES = [
    *(RecallAtKLoss(ks, 1.0, 1e-9) for ks in (PAPERS_KS, LONG, (1,), (4,))),
    RecallAtKLoss(PAPERS_KS, 0.3, 1e-9),
    RecallAtKLoss(PAPERS_KS, 10.0, 1e-9, query_in_database=True),
    *(RecallVariant(variant, PAPERS_KS, 1.0, 1e-9) for variant in VARIANTS),
    *(RecallVariant(variant, PAPERS_KS, 3.0, 1e-9, True) for variant in VARIANTS),
    SmoothAPLoss(1e-9),
]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_it_is_the_limit_of_the_real_loss(loss):
    sizes = [4, 4, 2, 3, 7, 1]  # the class of one is no query
    of_batch = {size: sizes.count(size) for size in sizes}
    floor = batch_floor(loss, count_positives(of_batch, per_class=8))
    assert loss(*spaced_batch(sizes)).item() == pytest.approx(floor.perfect, abs=1e-9)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if "database=True" not in str(loss)])
def test_it_is_the_limit_with_virtual_examples_too(loss):
    mixed = SimilarityMixup(torch.Generator().manual_seed(0))(*spaced_batch([4, 4, 2, 3]))
    floor = batch_floor(loss, count_positives({4: 2, 2: 1, 3: 1}, 4, simix=True))
    assert loss(*mixed).item() == pytest.approx(floor.perfect, abs=1e-9)


def test_one_wrong_image_before_all_positives_is_one_step():
    loss = RecallAtKLoss(rank_temperature=1e-9)
    queries = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    gallery = torch.tensor([[0.9], [0.8], [0.7], [0.6], [0.1]], dtype=torch.float64)
    gallery = torch.cat([gallery, gallery], dim=1)
    value = loss(queries, [0], gallery, [1, 0, 0, 0, 2]).item()
    floor = batch_floor(loss, {3: 1})
    assert value == pytest.approx(floor.one_wrong)
    assert floor.excess(value) == pytest.approx(1)


@pytest.mark.parametrize("simix", [False, True])
@pytest.mark.parametrize("per_class", [2, 4, 5])
def test_queries_are_counted_as_batches_have_them(simix, per_class):
    labels = torch.arange(600).repeat_interleave(torch.tensor([1, 2, 4, 5, 6, 8] * 100))
    counted = {}
    for batch in ClassBalancedSampler(labels, 120, per_class):
        of_batch = labels[batch]
        if simix:
            _, of_batch = SimilarityMixup()(torch.zeros(len(batch), 2), of_batch)
        for size in of_batch.unique(return_counts=True)[1].tolist():
            counted[size - 1] = counted.get(size - 1, 0) + size
    expected = count_positives(dict.fromkeys((1, 2, 4, 5, 6, 8), 100), per_class, simix)
    shares = [
        sum(p * n for p, n in table.items() if p) / sum(n for p, n in table.items() if p)
        for table in (counted, expected)
    ]
    assert shares[0] == pytest.approx(shares[1], rel=0.05)  # the last groups are cut or left out
    assert set(expected) <= set(counted)


def test_groups_of_a_class_count_one_by_one():
    assert count_positives({5: 10}, 4) == {3: 40}  # the fifth image is left out of an epoch
    assert count_positives({6: 1}, 4) == {3: 4, 1: 2}
    assert count_positives({3: 2}, 4) == {2: 6}
    assert count_positives({1: 7}, 4) == {}
    assert count_positives({4: 1, 2: 1}, 4, simix=True) == {9: 10, 2: 3}


def relaxed_ranks_of(similarities):
    """(n, P) similarities over τ₂ → the ranks of P positives without any wrong image."""
    return 0.5 + torch.sigmoid(similarities[:, None, :] - similarities[:, :, None]).sum(dim=2)


def lowest_without_wrong_images(loss, positives, count=8_000):
    """The lowest loss of many rankings, whose positives tie, nearly tie, or are well spaced."""
    generator = torch.Generator().manual_seed(0)
    similarities = torch.randn(count, positives, generator=generator, dtype=torch.float64)
    similarities *= torch.logspace(-3, 2, count, dtype=torch.float64)[:, None]
    tied = torch.randint(0, positives, (count, positives), generator=generator).double() * 50
    ranks = relaxed_ranks_of(torch.cat([similarities, tied]))
    return (1 - loss.recall(ranks).mean(dim=1)).min().item()


@pytest.mark.parametrize("ks", [PAPERS_KS, LONG])
@pytest.mark.parametrize("positives", [1, 3, 5, 9])
@pytest.mark.parametrize("make", [RecallAtKLoss, lambda k: RecallVariant("recall@k-no-cap", k)])
def test_nothing_is_lower_at_the_papers_settings(ks, positives, make):
    loss = make(ks)
    assert lowest_without_wrong_images(loss, positives) >= perfect(loss, positives) - 1e-12


@pytest.mark.parametrize(
    ("loss", "positives", "least", "most"),
    [
        (RecallAtKLoss(), 2, 0.0001, 0.0002),
        (RecallAtKLoss((4,)), 5, 0.08, 0.081),
        (RecallAtKLoss((2,)), 3, 0.005, 0.01),
        (RecallAtKLoss(k_temperature=10.0), 9, 0.0005, 0.001),
        (RecallVariant("recall@k-over-positives"), 3, 0.001, 0.002),
    ],
)
def test_ties_may_be_lower_elsewhere(loss, positives, least, most):
    gain = perfect(loss, positives) - lowest_without_wrong_images(loss, positives)
    assert least < gain < most


def test_smooth_ap_has_no_lower_value_than_0():
    assert perfect(SmoothAPLoss(), 5) == 0
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4).repeat_interleave(3)
    for width in (1e-4, 0.01, 0.1, 1.0):
        noise = width * torch.randn(12, 8, generator=generator)
        embeddings = torch.nn.functional.normalize(spaced_batch([3] * 4)[0] + noise, dim=1)
        assert SmoothAPLoss()(embeddings, labels).item() >= -1e-12
    collapsed = spaced_batch([3] * 4)[0][::3].repeat_interleave(3, dim=0)
    assert SmoothAPLoss()(collapsed, labels).item() == pytest.approx(0, abs=1e-9)


def test_a_collapsed_class_is_lower_with_the_query_in_its_database():
    loss = RecallAtKLoss(query_in_database=True)
    embeddings, labels = spaced_batch([4, 4])
    collapsed = loss(embeddings[::4].repeat_interleave(4, dim=0), labels).item()
    assert perfect(loss, 3) == pytest.approx(0.2851, abs=5e-5)
    assert collapsed == pytest.approx(0.2146, abs=5e-5)


def test_a_virtual_example_comes_after_a_positive_in_its_own_ranking():
    loss = RecallAtKLoss(rank_temperature=1e-9, query_in_database=True)
    mixed = SimilarityMixup(torch.Generator().manual_seed(0))(*spaced_batch([4, 4]))
    assert loss(*mixed).item() < perfect(loss, 9) - 0.01


@pytest.mark.parametrize("loss", [RecallAtKLoss(), RecallAtKLoss((3,), 0.2), SmoothAPLoss()])
def test_no_wrong_image_lowers_the_loss(loss):
    """Among well-spaced positives the perfect ranking is the least: all orders of 3 among 6."""
    values = {}
    for places in combinations(range(1, 7), 3):
        ranks = torch.tensor([places], dtype=torch.float64)
        if isinstance(loss, SmoothAPLoss):
            values[places] = 1 - (torch.tensor([1, 2, 3]) / ranks).mean().item()
        else:
            values[places] = 1 - loss.recall(ranks).mean().item()
    assert min(values, key=values.get) == (1, 2, 3)
    assert values[1, 2, 3] == pytest.approx(perfect(loss, 3))


def test_a_loss_on_pairs_has_no_floor():
    floor = batch_floor(torch.nn.Identity(), {3: 1})
    assert math.isnan(floor.perfect)
    assert math.isnan(floor.excess(0.5))
    assert not floor.is_nearly_solved(0.0)
    assert floor.describe(0.5849) == "training loss 0.585"


@pytest.mark.parametrize("positives", [{}, {0: 3, 2: 1}])
def test_queries_without_positives_are_refused(positives):
    with pytest.raises(ValueError, match="positives must hold"):
        batch_floor(RecallAtKLoss(), positives)


def test_the_words_of_a_loss():
    floor = Floor(0.1021, 0.2851)
    assert floor.describe(0.114) == "training loss 0.114, floor 0.102: the batch is nearly solved"
    assert floor.describe(0.18) == "training loss 0.180, floor 0.102"
    assert floor.describe(0.09).endswith("floor 0.102: below the loss of a perfect ranking")
    border = 0.1021 + NEARLY_SOLVED * 0.183
    assert floor.is_nearly_solved(border - 1e-6)
    assert not floor.is_nearly_solved(border + 1e-6)


def test_a_wrong_image_that_costs_nothing_is_no_step():
    floor = batch_floor(RecallAtKLoss((1000,)), {1: 1})
    assert math.isnan(floor.excess(0.5))
