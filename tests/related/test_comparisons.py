"""Metrics of comparisons against sorted lists, and of contradictory comparisons against a sort."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recallkit.metrics import retrieval_metrics
from recallkit.related import UniLoss, accuracy, average_precision, recall_at_k


def table(scores, positive):
    """The comparisons of one ranking without ties, (1, 1, P, N) and rows of zeros."""
    rows = []
    for p, is_positive in enumerate(positive):
        if is_positive:
            others = [
                0 if positive[z] else (1 if scores[p] > scores[z] else -1)
                for z in range(len(scores))
            ]
            rows.append(others)
    return torch.tensor([[rows or [[0] * len(scores)]]], dtype=torch.float64)


def sorted_list(scores, positive):
    order = sorted(range(len(scores)), key=lambda z: -scores[z])
    return [positive[z] for z in order]


def interpolated_ap(relevant):
    """Precision at each positive is the largest from there on; in loops."""
    precisions = [sum(relevant[: i + 1]) / (i + 1) for i in range(len(relevant))]
    return sum(max(precisions[i:]) for i in range(len(relevant)) if relevant[i]) / sum(relevant)


lists = st.integers(2, 8).flatmap(
    lambda n: st.tuples(
        st.permutations(range(n)),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda p: any(p) and not all(p)),
    )
)


@given(lists, st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_metrics_of_an_ordering_are_those_of_the_sorted_list(case, ks):
    scores, positive = case
    comparisons, relevant = table(scores, positive), sorted_list(scores, positive)
    assert average_precision(comparisons).item() == pytest.approx(interpolated_ap(relevant))
    recalls = [sum(relevant[:k]) / min(k, sum(relevant)) for k in ks]
    assert recall_at_k(comparisons, ks).item() == pytest.approx(sum(recalls) / len(ks))
    assert accuracy(comparisons).item() == float(all(relevant[: sum(relevant)]))


def sorted_by_comparisons(rows):
    """An order of positives and negatives that agrees with all comparisons; None for a cycle."""
    count, width = len(rows), len(rows[0])
    left = [("p", i) for i in range(count)] + [("n", j) for j in range(width)]
    order = []

    def comes_before(a, b):
        if a[0] == b[0]:
            return False
        i, j = (a[1], b[1]) if a[0] == "p" else (b[1], a[1])
        return (rows[i][j] > 0) == (a[0] == "p")

    while left:
        first = [a for a in left if not any(comes_before(b, a) for b in left)]
        if not first:
            return None
        order.append(first[0])
        left.remove(first[0])
    return order


@settings(max_examples=100)
@given(st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
def test_comparisons_of_no_ordering_have_average_precision_0(positives, negatives, random):
    rows = [[random.choice([-1, 1]) for _ in range(negatives)] for _ in range(positives)]
    order = sorted_by_comparisons(rows)
    expected = 0 if order is None else interpolated_ap([kind == "p" for kind, _ in order])
    value = average_precision(torch.tensor([[rows]], dtype=torch.float64))
    assert value.item() == pytest.approx(expected)


def test_a_cycle_is_0_for_average_precision_and_counted_by_the_others():
    cycle = torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]])
    assert average_precision(cycle).item() == 0
    assert recall_at_k(cycle, (1, 2)).item() == pytest.approx((0 + 1 / 2) / 2)
    assert accuracy(cycle).item() == 0


def test_padding_and_rankings_without_comparisons():
    alone = table([3, 2, 1], [False, True, False])[0, 0]
    padded = torch.zeros(1, 3, 2, 3, dtype=torch.float64)
    padded[0, 0, :1] = alone  # rank 2 of 3; then a ranking without a comparison
    padded[0, 2] = table([3, 2, 1], [True, False, True])[0, 0]
    assert average_precision(padded).item() == pytest.approx((1 / 2 + 1 + (1 + 2 / 3) / 2) / 3)
    assert recall_at_k(padded, (1,)).item() == pytest.approx((0 + 1 + 1) / 3)
    assert accuracy(padded).item() == pytest.approx((0 + 1 + 0) / 3)
    assert average_precision(padded.repeat(5, 1, 1, 1)).shape == (5,)


@pytest.mark.parametrize("seed", range(3))
def test_recall_at_1_of_a_batch_is_that_of_the_search(seed):
    """Comparisons that are all but binary give the metric of the batch, by any other code."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    embeddings = torch.nn.functional.normalize(embeddings, dim=1)
    labels = torch.arange(30) % 7
    seen = []

    def spy(comparisons):
        seen.append(comparisons)
        return recall_at_k(comparisons, (1,))

    UniLoss(spy, temperature=1e-9)(embeddings, labels)
    s = (embeddings @ embeddings.T).fill_diagonal_(-2)
    nearest = labels[s.argmax(dim=1)] == labels
    positive = (labels[:, None] == labels) & ~torch.eye(30, dtype=torch.bool)
    rows = [table(s[q].tolist(), positive[q].tolist())[0, 0] for q in range(30)]
    most = max(len(row) for row in rows)
    whole = torch.stack([torch.nn.functional.pad(row, (0, 0, 0, most - len(row))) for row in rows])
    truth = seen[0][0]
    assert (truth[truth != 0] == 1).all()
    assert recall_at_k(whole[None], (1,)).item() == pytest.approx(nearest.double().mean().item())
    measured = retrieval_metrics(embeddings, labels, ks=(1,))["R@1"]
    assert recall_at_k(whole[None], (1,)).item() == pytest.approx(measured)


def test_cut_offs_are_checked():
    with pytest.raises(ValueError, match="ks must be whole numbers"):
        recall_at_k(torch.ones(1, 1, 1, 1), (0,))


METRICS = (average_precision, accuracy, recall_at_k)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [torch.int8, torch.int64])
def test_integers_are_measured_as_the_same_floating_numbers(metric, dtype):
    signs = 2 * torch.randint(2, (7, 3, 2, 4), generator=torch.Generator().manual_seed(0)) - 1
    signs[:, 0, 1] = 0  # padding
    measured = metric(signs.to(dtype))
    assert measured.dtype == torch.float32
    assert torch.equal(measured, metric(signs.float()))


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_no_table_of_comparisons_is_refused_by_name(metric):
    with pytest.raises(ValueError, match="comparisons must be a tensor, not list"):
        metric([[1, -1]])
    with pytest.raises(ValueError, match=r"comparisons must be numbers \(A, R, P, N\).*\(2, 3\)"):
        metric(torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"comparisons must be numbers.*torch\.bool"):
        metric(torch.ones(1, 1, 2, 3).bool())
