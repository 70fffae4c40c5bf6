"""RS@k against loops in float64, known values, and the definition's corners."""

import pytest
import torch
from helpers import reference
from helpers.products import counted_products
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from recallkit import RecallAtKLoss, SmoothAPLoss, relaxed_ranks
from recallkit.losses import VARIANTS, RecallVariant, ranking_task
from recallkit.soft_recall import soft_count, soft_recall_at_k


def unit(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)


def value_and_gradient(loss, *leaves_and_labels):
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in leaves_and_labels]
    value = loss(*leaves)
    value.backward()
    return [value.detach()] + [x.grad for x in leaves if x.is_floating_point()]


@pytest.mark.filterwarnings("ignore:each query is ranked among")
@settings(max_examples=40)
@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=9).filter(
        lambda labels: len(set(labels)) < len(labels)
    ),
    ks=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    duplicate=st.booleans(),
    query_in_database=st.booleans(),
    temperature=st.sampled_from([0.01, 0.2]),
    engine=st.sampled_from(["auto", "blocks", "dense"]),
)
def test_batch_equals_loops(labels, ks, duplicate, query_in_database, temperature, engine):
    labels = torch.tensor(labels)
    embeddings = unit(len(labels), len(labels), 3)
    if duplicate:
        embeddings[-1] = embeddings[0]
    options = {
        "ks": ks,
        "rank_temperature": temperature,
        "query_in_database": query_in_database,
    }
    result = value_and_gradient(RecallAtKLoss(engine=engine, **options), embeddings, labels)
    expected = value_and_gradient(
        lambda e, y: reference.recall_at_k_loss(e, y, **options), embeddings, labels
    )
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ["auto", "blocks", "dense"])
def test_query_against_gallery_equals_loops(engine):
    queries, gallery = unit(1, 5, 3), unit(2, 8, 3)
    query_labels, gallery_labels = torch.tensor([0, 1, 7, 1, 0]), torch.arange(8) % 3
    arguments = queries, query_labels, gallery, gallery_labels
    result = value_and_gradient(RecallAtKLoss(engine=engine), *arguments)
    expected = value_and_gradient(reference.recall_at_k_loss, *arguments)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


@settings(max_examples=40)
@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=9).filter(
        lambda labels: len(set(labels)) < len(labels)
    ),
    duplicate=st.booleans(),
    temperature=st.sampled_from([0.01, 0.2]),
    engine=st.sampled_from(["blocks", "dense"]),
)
def test_smooth_ap_equals_loops(labels, duplicate, temperature, engine):
    labels = torch.tensor(labels)
    embeddings = unit(len(labels), len(labels), 3)
    if duplicate:
        embeddings[-1] = embeddings[0]
    result = value_and_gradient(SmoothAPLoss(temperature, engine), embeddings, labels)
    expected = value_and_gradient(
        lambda e, y: reference.smooth_ap_loss(e, y, rank_temperature=temperature),
        embeddings,
        labels,
    )
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


def test_smooth_ap_of_queries_against_a_gallery():
    queries, gallery = unit(1, 5, 3), unit(2, 8, 3)
    arguments = queries, torch.tensor([0, 1, 7, 1, 0]), gallery, torch.arange(8) % 3
    result = value_and_gradient(SmoothAPLoss(), *arguments)
    expected = value_and_gradient(reference.smooth_ap_loss, *arguments)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


def test_smooth_ap_of_a_perfect_ranking_is_0():
    embeddings = torch.eye(3, dtype=torch.float64).repeat_interleave(3, dim=0)
    assert SmoothAPLoss()(embeddings, torch.arange(9) // 3).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("query_in_database", "ks", "expected"),
    [(True, (1,), 0.4527), (True, (1, 2, 4, 8, 16), 0.2146), (False, (1, 2, 4, 8, 16), 0.1130)],
)
def test_two_collapsed_classes_of_four(query_in_database, ks, expected):
    """Each class is one point. With the query in its database, the soft rank is 1 + 3/2 = 2.5."""
    embeddings = torch.eye(2, dtype=torch.float64).repeat_interleave(4, dim=0)
    labels = torch.tensor([0, 1]).repeat_interleave(4)
    loss = RecallAtKLoss(ks=ks, query_in_database=query_in_database)
    assert loss(embeddings, labels).item() == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("offset", "expected"), [(1, 0.2851), (0, 0.1021)])
def test_perfect_ranking_of_three_positives(offset, expected):
    """Ranks 1, 2, 3, or one more each where the query is first in its own ranking."""
    ranks = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64) + offset
    recall = soft_recall_at_k(ranks, (1, 2, 4, 8, 16))
    assert 1 - recall.mean().item() == pytest.approx(expected, abs=5e-5)


def test_no_more_than_k_are_found():
    ranks = torch.full((1, 6), 0.1, dtype=torch.float64)  # Σ sigmoid(2 − 0.1) = 5.2 of 2
    assert soft_recall_at_k(ranks, (2,)).item() == 1


def test_order_and_names_of_labels_do_not_matter():
    embeddings, labels = unit(3, 40, 8), torch.arange(40) % 9
    shuffle = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    loss = RecallAtKLoss()
    renamed = (labels * 977 - 2**40)[shuffle]
    torch.testing.assert_close(loss(embeddings, labels), loss(embeddings[shuffle], renamed))


def test_queries_without_a_positive_are_left_out_of_the_mean_but_compete():
    embeddings, labels = unit(4, 10, 4), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 4, 5])
    loss = RecallAtKLoss(rank_temperature=0.1)
    expected = reference.recall_at_k_loss(embeddings, labels, rank_temperature=0.1)
    torch.testing.assert_close(loss(embeddings, labels), expected)
    assert not torch.isclose(loss(embeddings, labels), loss(embeddings[:8], labels[:8]))


def test_descent_finds_a_perfect_ranking():
    embeddings = unit(5, 32, 16).requires_grad_()
    labels = torch.arange(32) // 4
    loss = RecallAtKLoss(rank_temperature=0.1)  # at 0.01 the farthest items have no gradient
    optimizer = torch.optim.Adam([embeddings], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss(normalize(embeddings, dim=1), labels).backward()
        optimizer.step()
    similarity = (normalize(embeddings, dim=1) @ normalize(embeddings, dim=1).T).fill_diagonal_(-2)
    nearest = similarity.topk(3).indices
    assert (labels[nearest] == labels[:, None]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ks": ()}, "ks must be"),
        ({"ks": (0, 1)}, "ks must be"),
        ({"ks": (1.5,)}, "ks must be"),
        ({"ks": 4}, "ks must be"),
        ({"k_temperature": 0}, "k_temperature must be"),
        ({"rank_temperature": -0.01}, "rank_temperature must be"),
        ({"rank_temperature": float("inf")}, "rank_temperature must be"),
        ({"engine": "foo"}, "engine must be one of .* not 'foo'"),
        ({"precision": "bf16"}, "precision must be one of .* not 'bf16'"),
    ],
)
def test_bad_settings_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        RecallAtKLoss(**options)
    if not {"ks", "k_temperature"} & {*options}:
        with pytest.raises(ValueError, match=message):
            SmoothAPLoss(**options)


PAIR = (torch.ones(2, 2), torch.zeros(2, dtype=torch.int64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(4, 2), torch.arange(4)), "no query has a positive"),
        ((torch.ones(4, 2), torch.zeros(3, dtype=torch.int64)), r"labels must be of shape \(4,\)"),
        ((torch.ones(4, 2), torch.zeros(4)), "labels must be integers"),
        ((torch.ones(0, 2), torch.zeros(0, dtype=torch.int64)), "embeddings must be a non-empty"),
        (
            (torch.ones(2, 2).log() * torch.inf, torch.zeros(2, dtype=torch.int64)),
            "embeddings must be finite",
        ),
        ((torch.ones(2, 2), torch.tensor([0, 0]), torch.ones(2, 2)), "must be given together"),
        ((*PAIR, *PAIR, torch.tensor([0, -1])), "itself must lie between 0 and 1"),
        ((*PAIR, *PAIR, torch.tensor([0, 2])), "itself must lie between 0 and 1"),
        ((*PAIR, *PAIR, torch.tensor([0])), r"itself must be .* of shape \(2,\)"),
        ((*PAIR, None, None, torch.tensor([0, 1])), "itself is the place .* give gallery"),
    ],
)
@pytest.mark.parametrize("loss", [RecallAtKLoss(), SmoothAPLoss()])
def test_bad_batches_are_refused_by_name(arguments, message, loss):
    with pytest.raises(ValueError, match=message):
        loss(*arguments)


@pytest.mark.filterwarnings("ignore:each query is ranked among")
@given(
    labels=st.lists(st.integers(0, 3), min_size=3, max_size=9).filter(
        lambda labels: len(set(labels)) < len(labels)
    ),
    ks=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    k_temperature=st.sampled_from([0.1, 1.0, 5.0]),
    rows=st.booleans(),
    query_in_database=st.booleans(),
)
def test_the_gradient_that_is_written_out_is_that_of_the_definition(
    labels, ks, k_temperature, rows, query_in_database
):
    """Of a batch, and of a gallery that has a gradient, too; once and twice."""
    labels = torch.tensor(labels)
    batches = [unit(1, len(labels), 3)] + rows * [unit(2, len(labels), 3)]
    others = {"gallery_labels": labels.flip(0)} if rows else {}
    settings = {"rank_temperature": 0.2, "k_temperature": k_temperature}
    settings["query_in_database"] = query_in_database

    def derivatives(engine):
        loss = RecallAtKLoss(ks, engine=engine, **settings)
        leaves = [batch.clone().requires_grad_() for batch in batches]
        value = 3 * loss(leaves[0], labels, *leaves[1:], **others)
        once = torch.autograd.grad(value, leaves, retain_graph=True)
        again = torch.autograd.grad(value, leaves, create_graph=True)
        twice = torch.autograd.grad(sum(slope.square().sum() for slope in again), leaves)
        return value, *once, *again, *twice

    task = ranking_task(batches[0], labels, *batches[1:], **others)
    counts = soft_count(task.ranks(0.2), torch.tensor(ks), k_temperature)
    assume((counts != torch.tensor(ks)).all())  # there any slope up to 1 is right
    torch.testing.assert_close(derivatives("auto"), derivatives("dense"), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("fixed", [0, 1])
def test_a_small_batch_has_the_gradient_that_is_wanted(fixed):
    """A memory of earlier embeddings has none, and no product is spent on it."""
    leaves = [unit(seed, 12, 3) for seed in (1, 2)]
    leaves[1 - fixed].requires_grad_()
    labels = torch.arange(12) // 3
    with counted_products() as counted:
        RecallAtKLoss()(leaves[0], labels, leaves[1], labels).backward()
    assert counted.get_total_flops() == 2 * (2 * 12 * 12 * 3)
    assert leaves[fixed].grad is None
    assert leaves[1 - fixed].grad.abs().sum() > 0


def test_a_loss_without_gradient_makes_none():
    with counted_products() as counted:
        RecallAtKLoss()(unit(1, 12, 3), torch.arange(12) // 3)
    assert counted.get_total_flops() == 2 * 12 * 12 * 3


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # of torch's own forward mode
def test_the_loss_has_every_derivative_that_torch_func_takes():
    """Plain operations throughout: no part of the definition hides its derivative."""
    labels, loss = torch.arange(8) // 4, RecallAtKLoss(engine="dense", rank_temperature=0.3)
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(8, 4, generator=generator, dtype=torch.float64).requires_grad_()
    value = loss(embeddings, labels)
    [by_autograd] = torch.autograd.grad(value, embeddings)
    gradient = torch.func.grad(lambda e: loss(e, labels))(embeddings.detach())
    torch.testing.assert_close(gradient, by_autograd)
    along = torch.func.jvp(lambda e: loss(e, labels), (embeddings.detach(),), (gradient,))[1]
    torch.testing.assert_close(along, gradient.square().sum())


@pytest.mark.parametrize("engine", ["auto", "dense", "blocks"])
def test_half_precision_keeps_a_batch_its_own_gallery(engine):
    """Its gradient is that of its float32 copy, rounded once."""
    drawn = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    half = torch.nn.functional.normalize(drawn, dim=1).half().requires_grad_()
    single = half.detach().float().requires_grad_()
    for embeddings in (half, single):
        RecallAtKLoss(engine=engine)(embeddings, torch.arange(32) // 4).backward()
    assert torch.equal(half.grad, single.grad.half())


def variant_by_hand(variant, s, labels, ks):
    total = []
    for q in range(len(labels)):
        others = [z for z in range(len(labels)) if z != q]
        own = [z for z in others if labels[z] == labels[q]]
        ranks = [
            1 + sum(torch.sigmoid((s[q, z] - s[q, p]) / 0.05) for z in others if z != p)
            for p in own
        ]
        for k in ks:
            count = sum(torch.sigmoid(k - rank) for rank in ranks)
            count = count if variant == VARIANTS[0] else min(count, torch.tensor(float(k)))
            total.append(count / {1: len(own), 2: k}.get(VARIANTS.index(variant), min(k, len(own))))
    return 1 - sum(total) / len(total)


@given(st.sampled_from(VARIANTS), st.integers(0, 999))
def test_variants_are_what_they_say(variant, seed):
    embeddings, labels = unit(seed, 8, 8), torch.tensor([70, 3, 70, 3, 41, 41, 3, 41])
    loss = RecallVariant(variant, (1, 2, 5), 1.0, 0.05)
    expected = variant_by_hand(variant, embeddings @ embeddings.T, labels, (1, 2, 5))
    torch.testing.assert_close(loss(embeddings, labels), expected.to(torch.float64))


def test_the_cap_makes_a_difference_where_many_positives_tie():
    embeddings = torch.ones(10, 1)  # nine positives at one point: soft rank 5
    labels = torch.zeros(10, dtype=torch.int64)
    capped = RecallAtKLoss((8,))(embeddings, labels)
    assert capped == 0
    assert RecallVariant(VARIANTS[0], (8,))(embeddings, labels) < -0.05


def test_an_unknown_variant_is_named():
    with pytest.raises(ValueError, match=r"variant must be one of .*not 'recall'"):
        RecallVariant("recall")


def test_a_variant_takes_the_settings_by_name_and_shows_itself():
    loss = RecallVariant("recall@k-over-k", ks=(1, 3), rank_temperature=0.2)
    assert (loss.ks, loss.rank_temperature) == ((1, 3), 0.2)
    assert "variant='recall@k-over-k', ks=(1, 3)" in repr(loss)


def test_a_task_holds_the_queries_that_have_a_positive():
    embeddings, labels = unit(6, 6, 4), torch.tensor([5, 9, 5, 9, 9, -1])
    task = ranking_task(embeddings, labels)
    assert torch.equal(task.queries, embeddings[:5])
    assert task.gallery is embeddings
    assert task.positives.tolist() == [[2, -1], [3, 4], [0, -1], [1, 4], [1, 3]]
    assert task.left_out.tolist() == [0, 1, 2, 3, 4]
    expected = relaxed_ranks(
        task.queries, embeddings, task.positives, left_out=task.left_out, temperature=0.3
    )
    assert torch.equal(task.ranks(0.3), expected)


def test_queries_of_classes_of_unequal_sizes_are_not_copied():
    embeddings, labels = unit(8, 5, 4), torch.tensor([5, 9, 5, 9, 9])
    task = ranking_task(embeddings, labels)
    assert task.queries is embeddings
    assert not task.full
    assert task.positives.tolist() == [[2, -1], [3, 4], [0, -1], [1, 4], [1, 3]]


def test_a_task_against_a_gallery_that_holds_the_queries():
    gallery, labels = unit(7, 6, 4), torch.tensor([0, 1, 0, 1, 1, 2])
    itself = torch.tensor([4, 5, 0])
    task = ranking_task(gallery[itself], labels[itself], gallery, labels, itself)
    assert torch.equal(task.queries, gallery[[4, 0]])
    assert task.positives.tolist() == [[1, 3, -1], [-1, 2, -1]]
    assert task.left_out.tolist() == [4, 0]
    elsewhere = ranking_task(gallery[itself], labels[itself], gallery, labels)
    assert elsewhere.left_out is None
    without_own = ranking_task(gallery[:2], labels[:2], gallery[:4], labels[:4], torch.arange(2))
    assert without_own.positives.tolist() == [[-1, 2], [-1, 3]]
    assert not without_own.full
    inside = ranking_task(gallery, labels, query_in_database=True)
    assert inside.left_out is None
    pairs = ranking_task(gallery[:4], labels[:4])
    assert pairs.full
