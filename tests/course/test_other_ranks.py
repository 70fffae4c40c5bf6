"""Other answers to "how can a rank have a gradient?" against independent references."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recallkit import relaxed_ranks
from recallkit.course import other_ranks

METHODS = ("sigmoids", "SoftRank", "NeuralSort", "SoftSort", "fast soft ranks", "FastAP")
EXACT_AT_TIES = METHODS[:5]  # in the limit each tied item gets the mean of the places
LIST = torch.tensor([0.31, 0.84, -0.22, 0.67, 0.55, 0.05], dtype=torch.float64)
each = pytest.mark.parametrize("name", METHODS)


def random_lists(count, number, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, number, generator=generator, dtype=torch.float64) - 1


def spaced_lists(count, number, seed=0):
    """Lists without ties: neighbours are at least 0.05 apart."""
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(number, generator=generator) for _ in range(count)]
    return 0.05 * torch.stack(orders).double() - 0.5


def sorted_places(similarity):
    """True ranks (1 is the largest) by sorting; there must be no ties."""
    return 1.0 + similarity.argsort(dim=-1, descending=True).argsort(dim=-1)


def test_true_ranks_are_the_places_of_a_sort_and_ties_share_the_best():
    lists = random_lists(20, 7)
    assert torch.equal(other_ranks.true_ranks(lists), sorted_places(lists).double())
    tied = torch.tensor([0.5, 0.9, 0.5, 0.1])
    assert other_ranks.true_ranks(tied).tolist() == [2, 1, 2, 4]


def test_sigmoid_ranks_are_those_of_the_package():
    query, gallery = torch.ones(1, 1, dtype=torch.float64), LIST[:, None]
    package = relaxed_ranks(query, gallery, torch.arange(6)[None], temperature=0.1)[0]
    assert torch.allclose(other_ranks.sigmoid_ranks(LIST, 0.1), package)


@pytest.mark.parametrize("similarity", [LIST, torch.tensor([0.2, 0.2, 0.5], dtype=torch.float64)])
def test_gaussian_ranks_are_the_mean_of_noisy_sorts(similarity):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(100_000, len(similarity), generator=generator, dtype=torch.float64)
    mean = sorted_places(similarity + 0.2 * noise).double().mean(dim=0)
    assert torch.allclose(other_ranks.gaussian_ranks(similarity, 0.2), mean, atol=0.02)


def test_gaussian_ranks_are_the_integral_of_their_definition():
    x = np.linspace(-4, 4, 20_001)
    density = np.exp(-((x - LIST.numpy()[:, None]) ** 2) / (2 * 0.2**2))
    density /= 0.2 * np.sqrt(2 * np.pi)
    below = np.cumsum(density, axis=1) * (x[1] - x[0]) - density * (x[1] - x[0]) / 2
    for p in range(6):
        ahead = (density[p] * (1 - below)).sum(axis=1) * (x[1] - x[0])
        expected = 1 + ahead.sum() - ahead[p]
        assert other_ranks.gaussian_ranks(LIST, 0.2)[p].item() == pytest.approx(expected, abs=1e-7)


def softmax_by_hand(scores):
    powers = np.exp(np.array(scores) - max(scores))
    return (powers / powers.sum()).tolist()


def neural_sort_by_hand(s, temperature):
    number, rows = len(s), []
    for i in range(1, number + 1):
        scores = []
        for j in range(number):
            spread = sum(abs(s[j] - s[k]) for k in range(number))
            scores.append(((number + 1 - 2 * i) * s[j] - spread) / temperature)
        rows.append(softmax_by_hand(scores))
    return rows


def soft_sort_by_hand(s, temperature):
    rows = []
    for largest in sorted(s, reverse=True):
        rows.append(softmax_by_hand([-abs(largest - other) / temperature for other in s]))
    return rows


@pytest.mark.parametrize(
    ("function", "by_hand"),
    [
        (other_ranks.neural_sort, neural_sort_by_hand),
        (other_ranks.soft_sort, soft_sort_by_hand),
    ],
)
def test_soft_sorts_follow_their_definitions(function, by_hand):
    for similarity in (LIST, torch.tensor([0.2, 0.5, 0.2, 0.2], dtype=torch.float64)):
        matrix = function(similarity, 0.3)
        expected = torch.tensor(by_hand(similarity.tolist(), 0.3), dtype=torch.float64)
        assert torch.allclose(matrix, expected, rtol=0, atol=1e-12)
        assert torch.allclose(matrix.sum(dim=1), torch.ones(len(similarity)).double())
    ranks = other_ranks.ranks_of_sort(function(LIST, 0.3))
    weighted = sum((i + 1) * row for i, row in enumerate(function(LIST, 0.3)))
    assert torch.allclose(ranks, weighted)


@pytest.mark.parametrize("strength", [0.02, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_projected_ranks_are_the_nearest_point_of_the_permutahedron(number, strength):
    """By brute force over its corners: the point lies inside, and no corner is a way nearer."""
    corners = np.array(list(permutations(range(1, number + 1))), dtype=float)
    tied = torch.zeros(1, number, dtype=torch.float64)
    for similarity in (*random_lists(20, number), *tied):
        ranks = other_ranks.projected_ranks(similarity, strength).numpy()
        assert ranks.sum() == pytest.approx(number * (number + 1) / 2)
        for chosen in range(1, number):  # Rado: the smallest values of each size are large enough
            assert np.sort(ranks)[:chosen].sum() >= chosen * (chosen + 1) / 2 - 1e-9
        towards = -similarity.numpy() / strength - ranks
        assert ((corners - ranks) @ towards).max() <= 1e-9 / strength


def test_projected_ranks_are_those_of_the_published_example():
    """The README of the paper's code: values 5, 1, 2, where the smallest has rank 1."""
    values = torch.tensor([5.0, 1.0, 2.0], dtype=torch.float64)
    published = torch.tensor([3.0, 1.25, 1.75], dtype=torch.float64)
    assert torch.allclose(other_ranks.projected_ranks(values, 2.0), 4 - published)
    assert other_ranks.projected_ranks(values, 1.0).tolist() == [1, 3, 2]


def histogram_ranks_by_hand(similarity, bins):
    """FastAP's bins: squared distances from 0 to 4, a triangle of the width of a bin at each."""
    distances = [2 - 2 * s for s in similarity]
    width = 4 / bins
    ranks = []
    for p, own in enumerate(distances):
        rank = 1.0
        for j in range(bins + 1):
            in_bin = max(0.0, 1 - abs(own - j * width) / width)
            for z, other in enumerate(distances):
                nearer = [max(0.0, 1 - abs(other - i * width) / width) for i in range(j + 1)]
                rank += in_bin * sum(nearer) if z != p else 0
        ranks.append(rank)
    return ranks


@pytest.mark.parametrize("bins", [1, 4, 10])
def test_histogram_ranks_follow_their_definition(bins):
    similarity = torch.tensor([1.0, 0.31, 0.31, -0.22, 0.05, -1.0], dtype=torch.float64)
    ranks = other_ranks.histogram_ranks(similarity, bins)
    assert ranks.tolist() == pytest.approx(histogram_ranks_by_hand(similarity.tolist(), bins))


def test_histogram_ranks_divide_as_fast_ap_does():
    """With one image a bin, FastAP is the mean of 1 … over such ranks: average precision."""
    similarity = torch.tensor([1.0, 0.5, 0.0, -0.5, -1.0], dtype=torch.float64)
    positive = torch.tensor([False, True, False, True, True])
    histogram = torch.eye(5, dtype=torch.float64)  # each image is at the centre of a bin of its own
    of_positives = histogram[positive].sum(dim=0)
    fast_ap = (of_positives * of_positives.cumsum(0) / histogram.sum(dim=0).cumsum(0)).sum() / 3
    ranks = other_ranks.histogram_ranks(similarity, 4)
    among = torch.arange(1, 4)
    assert fast_ap.item() == pytest.approx((among / ranks[positive]).mean().item())


@each
def test_the_limit_is_the_true_ranks(name):
    lists = spaced_lists(20, 8)
    ranks = other_ranks.of_equal_slope(0.0005)[name](lists)
    assert torch.allclose(ranks, sorted_places(lists).double(), atol=1e-9)


@pytest.mark.parametrize("name", EXACT_AT_TIES)
def test_the_limit_at_ties_is_the_mean_of_the_places(name):
    tied = torch.tensor([0.5, 0.9, 0.5, 0.1, 0.5], dtype=torch.float64)
    ranks = other_ranks.of_equal_slope(0.0005)[name](tied)
    assert ranks.tolist() == pytest.approx([3, 1, 3, 5, 3])


def test_histogram_ranks_count_more_than_half_of_a_tie():
    for place in torch.linspace(-1, 1, 23, dtype=torch.float64):
        ranks = other_ranks.histogram_ranks(place.expand(2), 10)
        assert ((ranks >= 1.75 - 1e-9) & (ranks <= 2 + 1e-9)).all()


@pytest.mark.parametrize("name", [name for name in METHODS if name != "FastAP"])
def test_the_rule_is_kept_by_the_slope_at_a_tie(name):
    tau, step = 0.04, 1e-5
    pair = torch.tensor([[0.3 + step, 0.3], [0.3 - step, 0.3]], dtype=torch.float64)
    ahead, behind = other_ranks.of_equal_slope(tau)[name](pair)[:, 0]
    assert ((behind - ahead) / (2 * step)).item() == pytest.approx(1 / (4 * tau), rel=1e-4)


def test_the_rule_is_kept_by_fast_ap_in_the_mean():
    tau, step = 0.04, 1e-6
    places = torch.linspace(-0.4, 0.4, 10_001, dtype=torch.float64)[:-1, None]  # ten bins
    pairs = torch.cat([places, places], dim=1)
    moved = torch.tensor([step, 0.0], dtype=torch.float64)
    ranks = other_ranks.of_equal_slope(tau)["FastAP"]
    slopes = (ranks(pairs - moved)[:, 0] - ranks(pairs + moved)[:, 0]) / (2 * step)
    assert slopes.mean().item() == pytest.approx(1 / (4 * tau), rel=1e-3)


def test_two_items_are_the_same_to_sigmoids_and_both_soft_sorts():
    pairs = random_lists(50, 2)
    first, *others = (
        other_ranks.of_equal_slope(0.1)[name](pairs)
        for name in ("sigmoids", "NeuralSort", "SoftSort")
    )
    assert all(torch.allclose(first, other) for other in others)
    triples = random_lists(50, 3)
    first, *others = (
        other_ranks.of_equal_slope(0.1)[name](triples)
        for name in ("sigmoids", "NeuralSort", "SoftSort")
    )
    assert not any(torch.allclose(first, other, atol=1e-2) for other in others)


@each
def test_gradients_are_those_of_finite_differences(name):
    leaf = torch.stack([LIST, LIST.flip(0) * 0.9]).requires_grad_()
    assert torch.autograd.gradcheck(other_ranks.of_equal_slope(0.1)[name], leaf)


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtypes_stay(name, dtype):
    lists = random_lists(6, 4).view(2, 3, 4).to(dtype)
    ranks = other_ranks.of_equal_slope(0.1)[name](lists)
    assert ranks.shape == lists.shape
    assert ranks.dtype == dtype
    alone = other_ranks.of_equal_slope(0.1)[name](lists[1, 2])
    assert torch.allclose(ranks[1, 2], alone)


def dcg(similarity, relevant):
    """DCG of one list, by sorting."""
    order = sorted(range(len(similarity)), key=lambda i: -similarity[i])
    return sum(1 / np.log2(2 + place) for place, i in enumerate(order) if relevant[i])


def test_swap_gradient_weighs_each_pair_by_the_change_of_ndcg():
    relevant, tau = [True, False, False, True, False, False], 0.1
    s = LIST.tolist()
    ideal = dcg([float(one) for one in relevant], relevant)
    expected = np.zeros(6)
    for i in (0, 3):
        for j in (1, 2, 4, 5):
            swapped = s.copy()
            swapped[i], swapped[j] = s[j], s[i]
            change = abs(dcg(swapped, relevant) - dcg(s, relevant)) / ideal
            push = change / (1 + np.exp((s[i] - s[j]) / tau)) / tau
            expected[i] -= push
            expected[j] += push
    gradient = other_ranks.swap_gradient(LIST, torch.tensor(relevant), tau)
    assert gradient.tolist() == pytest.approx(expected.tolist())
    lists = torch.stack([LIST, LIST.flip(0)])
    of_each = torch.stack([torch.tensor(relevant), torch.tensor(relevant).flip(0)])
    both = other_ranks.swap_gradient(lists, of_each, tau)
    assert torch.allclose(both[1], gradient.flip(0))


def test_blackbox_gradient_is_a_difference_of_two_sorts():
    of_ranks = torch.tensor([1.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    gradient = other_ranks.blackbox_gradient(LIST, of_ranks, 0.3)  # 0.31 goes to 0.61, past 0.55
    assert gradient.tolist() == pytest.approx([-1 / 0.3, 0, 0, 0, 1 / 0.3, 0])
    assert not other_ranks.blackbox_gradient(LIST, of_ranks, 0.2).any()  # no one within 0.2 ahead


def test_blackbox_gradient_of_one_item_is_the_slope_of_its_mean_rank_over_the_reach():
    ahead = torch.linspace(0, 0.3, 3001, dtype=torch.float64)

    def mean_rank(place):
        lists = LIST.repeat(3001, 1)
        lists[:, 0] = place + ahead
        return other_ranks.true_ranks(lists)[:, 0].mean()

    one = torch.eye(6, dtype=torch.float64)[0]
    slope = (mean_rank(0.31 + 0.05) - mean_rank(0.31 - 0.05)) / 0.1
    given = other_ranks.blackbox_gradient(LIST, one, 0.3)[0]
    assert slope.item() == pytest.approx(given.item(), rel=0.02)


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=30),
    st.floats(1e-3, 10),
)
def test_our_rank_is_within_its_bound(numbers, temperature):
    similarity = torch.tensor(numbers, dtype=torch.float64) / 20  # many ties
    gaps = (similarity[None, :] - similarity[:, None]).abs()
    bound = torch.sigmoid(-gaps / temperature).sum(dim=1) - 0.5  # without the item itself
    true = other_ranks.true_ranks(similarity)
    error = (other_ranks.sigmoid_ranks(similarity, temperature) - true).abs()
    assert (error <= bound + 1e-9).all()
    assert error[true == 1].tolist() == pytest.approx(bound[true == 1].tolist())  # it is reached
