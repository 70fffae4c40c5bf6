"""Circle loss against float64 loops, other implementations, and its limits."""

import math
import pickle

import pytest
import torch
from helpers import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize

from recallkit.large_batch import LargeBatchStep
from recallkit.related import CircleLoss, ClassCircleLoss
from recallkit.simix import SimilarityMixup

LABELS = torch.tensor([70, 3, 70, 3, 41, 41, 3, 41, -(2**60)])  # one of them alone


def unit(seed, count=9, dim=8):
    return strategies.unit_vectors(count, dim, seed, torch.float64)


def one_term(positives, negatives, margin, gamma, weighted=True):
    """The formula on Python lists of similarities; weights are numbers, without a gradient."""
    exponents = []
    for n in negatives:
        weight = max(n.item() + margin, 0) if weighted else 1
        for p in positives:
            other = max(1 + margin - p.item(), 0) if weighted else 1
            exponents.append(gamma * weight * (n - margin) - gamma * other * (p - (1 - margin)))
    if not exponents:
        return torch.zeros((), dtype=torch.float64)
    largest = max(0.0, *(e.item() for e in exponents))
    total = math.exp(-largest) + sum(torch.exp(e - largest) for e in exponents)
    return largest + torch.log(total)


def by_loops(s, labels, others=None, reduce="anchor", **formula):
    """The loss of similarities (Q, N), pair by pair."""
    within = others is None
    others = labels if within else others
    pairs = [(q, z) for q in range(len(labels)) for z in range(len(others)) if not within or q != z]
    same = {pair: labels[pair[0]] == others[pair[1]] for pair in pairs}
    if reduce == "pairs":
        chosen = [(q, z) for q, z in pairs if not within or q < z]
        groups = [chosen]
    else:
        groups = [[pair for pair in pairs if pair[0] == q] for q in range(len(labels))]
    terms = []
    for group in groups:
        near, far = [s[x] for x in group if same[x]], [s[x] for x in group if not same[x]]
        if near:
            terms.append(one_term(near, far, **formula))
    return sum(terms) / len(terms) + 0 * s.sum()


def value_and_gradients(loss, *leaves):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    value = loss(*leaves)
    value.backward()
    return [value.detach(), *(leaf.grad for leaf in leaves)]


batches = st.lists(st.integers(-2, 1), min_size=2, max_size=7).filter(
    lambda labels: len(set(labels)) < len(labels)
)
forms = st.fixed_dictionaries(
    {
        "margin": st.sampled_from([0.0, 0.25, 0.4, 1.0]),
        "gamma": st.sampled_from([1.0, 80.0, 256.0]),
        "reduce": st.sampled_from(["anchor", "pairs"]),
        "weighted": st.booleans(),
    }
)


@settings(max_examples=40)
@given(batches, forms, st.integers(0, 99), st.sampled_from(["none", "ties", "opposite", "one"]))
def test_value_and_gradient_are_those_of_loops(labels, form, seed, extreme):
    labels, embeddings = torch.tensor(labels), unit(seed, len(labels), 3)
    if extreme != "none":
        embeddings[1:] = embeddings[0]  # similarities of 1
    if extreme == "opposite":
        embeddings[1] = -embeddings[0]  # and of −1
    if extreme == "one":
        labels[:] = 7
    result = value_and_gradients(lambda e: CircleLoss(**form)(e, labels), embeddings)
    expected = value_and_gradients(lambda e: by_loops(e @ e.T, labels, **form), embeddings)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("reduce", ["anchor", "pairs"])
@pytest.mark.parametrize("seed", range(3))
def test_queries_against_a_gallery_are_loops_too(reduce, seed):
    queries, gallery, others = unit(seed), unit(seed + 9, 12), torch.tensor([70, 3, 41, 5] * 3)
    form = {"margin": 0.25, "gamma": 30.0, "reduce": reduce}
    result = value_and_gradients(
        lambda q, g: CircleLoss(**form)(q, LABELS, g, others), queries, gallery
    )
    expected = value_and_gradients(
        lambda q, g: by_loops(q @ g.T, LABELS, others, **form), queries, gallery
    )
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


def test_a_gallery_that_holds_the_queries_gives_the_loss_of_the_batch():
    embeddings, loss = unit(1), CircleLoss()
    places = torch.tensor([4, 0, 1, 2, 3, 5, 6, 7, 8])
    again = loss(embeddings[places], LABELS[places], embeddings, LABELS, places)
    torch.testing.assert_close(again, loss(embeddings, LABELS))


@pytest.mark.parametrize("cut", [2, 5])
def test_processes_that_share_a_batch_have_its_mean(cut):
    """Queries of each with their places in the whole; a process counts by its queries."""
    embeddings, loss, labels = unit(2), CircleLoss(), LABELS[:8]
    total = 0
    for places in torch.arange(8).split([cut, 8 - cut]):
        own = loss(embeddings[places], labels[places], embeddings[:8], labels, places)
        total = total + len(places) / 8 * own
    torch.testing.assert_close(total, loss(embeddings[:8], labels))


@pytest.mark.parametrize(("margin", "gamma"), [(0.4, 80.0), (0.25, 256.0), (0.25, 128.0)])
@pytest.mark.parametrize("seed", range(3))
def test_the_mean_over_anchors_is_that_of_pytorch_metric_learning(margin, gamma, seed):
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    theirs = losses.CircleLoss(m=margin, gamma=gamma)
    embeddings = unit(seed)
    result = value_and_gradients(
        lambda e: CircleLoss(margin, gamma)(normalize(e, dim=1), LABELS), embeddings
    )
    expected = value_and_gradients(lambda e: theirs(e, LABELS), embeddings)
    torch.testing.assert_close(result, expected, rtol=1e-8, atol=1e-8)  # its softplus is cut at 20


def test_all_pairs_at_once_hear_one_pair_of_the_batch():
    """The other form: a single pair of images that is far from right has nearly all gradient."""
    embeddings = torch.eye(6, dtype=torch.float64)[[0, 0, 1, 1, 2, 3]]
    labels = torch.tensor([0, 0, 1, 1, 2, 2])  # only the last class is torn
    [_, anchors] = value_and_gradients(lambda e: CircleLoss()(e, labels), embeddings)
    [_, pairs] = value_and_gradients(lambda e: CircleLoss(reduce="pairs")(e, labels), embeddings)
    assert (pairs[:4] - anchors[:4]).norm() > 0.01 * anchors.norm()
    assert not torch.isclose(
        CircleLoss()(embeddings, labels), CircleLoss(reduce="pairs")(embeddings, labels)
    )


def test_the_boundary_is_a_circle():
    """Where (s_n)² + (s_p − 1)² = 2 m², the exponents cancel and the loss is log 2."""
    for angle in torch.linspace(-0.6, 1.5, 8, dtype=torch.float64):
        s_n, s_p = 0.4 * 2**0.5 * angle.sin(), 1 - 0.4 * 2**0.5 * angle.cos()
        if not (s_n >= -0.4 and s_p <= 1.4):
            continue
        query = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
        gallery = torch.stack([vector(s_p), vector(s_n)])
        value = CircleLoss()(query, torch.tensor([1]), gallery, torch.tensor([1, 2]))
        assert value.item() == pytest.approx(math.log(2), abs=1e-9)


def vector(cosine):
    return torch.stack([cosine, (1 - cosine**2).clamp(min=0).sqrt(), torch.zeros_like(cosine)])


@pytest.mark.parametrize("margin", [0.25, 0.4])
@pytest.mark.parametrize("seed", range(4))
def test_a_steep_unweighted_loss_of_one_triplet_is_the_triplet_loss(seed, margin):
    query, gallery = unit(seed, 1), unit(seed + 50, 2)
    loss = CircleLoss(margin, gamma=1e5, weighted=False)
    arguments = torch.tensor([3]), gallery, torch.tensor([3, 4])
    result = value_and_gradients(lambda q: loss(q, *arguments) / 1e5, query)
    expected = value_and_gradients(
        lambda q: ((q @ gallery[1]) - (q @ gallery[0]) + 1 - 2 * margin).clamp(min=0).sum(), query
    )
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


def test_unweighted_class_level_is_am_softmax():
    weights, embeddings = unit(1, 5) * 3, unit(2, 7)
    labels = torch.tensor([0, 4, 2, 2, 1, 3, 0])
    loss = ClassCircleLoss(weights, margin=0.3, gamma=30.0, weighted=False)

    def am_softmax(e):
        cosines = e @ normalize(weights, dim=1).T
        cosines = cosines - (1 - 2 * 0.3) * torch.nn.functional.one_hot(labels, 5).double()
        return cross_entropy(30.0 * cosines, labels)

    result = value_and_gradients(lambda e: loss(e, labels), embeddings)
    expected = value_and_gradients(am_softmax, embeddings)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from([-7, 2**60, 5]), min_size=1, max_size=6),
    st.sampled_from([1.0, 256.0]),
    st.booleans(),
    st.integers(0, 99),
)
def test_class_level_is_loops_over_images_and_classes(labels, gamma, extreme, seed):
    classes, weights, embeddings = [5, -7, 2**60], unit(seed, 3), unit(seed + 1, len(labels))
    if extreme:
        embeddings[0], weights[2] = weights[0], -weights[0]
    loss = ClassCircleLoss(weights, classes, gamma=gamma)

    def loops(e, w):
        s, total = e @ normalize(w, dim=1).T, 0
        for i, label in enumerate(labels):
            near = [s[i, c] for c in range(3) if classes[c] == label]
            far = [s[i, c] for c in range(3) if classes[c] != label]
            total = total + one_term(near, far, 0.25, gamma)
        return total / len(labels) + 0 * s.sum()

    expected = value_and_gradients(loops, embeddings, weights)
    leaf = embeddings.clone().requires_grad_()
    value = loss(leaf, labels)
    value.backward()
    result = [value.detach(), leaf.grad, loss.weights.grad]
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


def test_class_level_takes_names_and_has_nothing_to_do_for_one_class():
    weights, embeddings = unit(3, 2), unit(4, 3)
    named = ClassCircleLoss(weights, ["cat", "dog"])(embeddings, ["dog", "cat", "dog"])
    assert named.equal(ClassCircleLoss(weights)(embeddings, torch.tensor([1, 0, 1])))
    assert ClassCircleLoss(weights[:1])(embeddings, torch.zeros(3, dtype=torch.int64)) == 0


def test_half_precision_is_computed_in_float32():
    embeddings = unit(5).float()
    weights = ClassCircleLoss(unit(6, 3).float(), [1, 2, 3])
    for dtype in (torch.bfloat16, torch.float16):
        half = embeddings.to(dtype).requires_grad_()
        value = CircleLoss(gamma=256.0)(half, LABELS)
        assert value.dtype == torch.float32
        assert value.equal(CircleLoss(gamma=256.0)(half.float(), LABELS))
        value.backward()
        assert half.grad.dtype == dtype
        assert half.grad.isfinite().all()
        assert weights(half, torch.ones(9, dtype=torch.int64)).dtype == torch.float32
    outside = CircleLoss()(embeddings, LABELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert CircleLoss()(embeddings, LABELS).equal(outside)


def test_order_and_names_of_labels_do_not_matter():
    embeddings, shuffle = unit(7), torch.randperm(9, generator=torch.Generator().manual_seed(0))
    for reduce in ("anchor", "pairs"):
        loss = CircleLoss(reduce=reduce)
        renamed = [f"class {label}" for label in LABELS[shuffle].tolist()]
        torch.testing.assert_close(loss(embeddings, LABELS), loss(embeddings[shuffle], renamed))


def test_an_image_without_a_positive_is_no_query_but_competes():
    embeddings, loss = unit(8), CircleLoss()
    torch.testing.assert_close(
        loss(embeddings, LABELS), by_loops(embeddings @ embeddings.T, LABELS, margin=0.4, gamma=80)
    )
    assert not torch.isclose(loss(embeddings, LABELS), loss(embeddings[:8], LABELS[:8]))


def test_the_arguments_of_pytorch_metric_learning():
    embeddings, gallery, labels = unit(1), unit(2), LABELS.roll(1)
    expected = CircleLoss()(embeddings, LABELS, gallery, labels)
    assert CircleLoss()(embeddings, LABELS, ref_emb=gallery, ref_labels=labels).equal(expected)


def test_a_large_batch_step_gives_the_gradient_of_the_plain_step():
    torch.manual_seed(0)
    network = torch.nn.Linear(5, 4).double()
    images, labels = unit(1, 12, 5), torch.arange(12) // 4

    def embedder(x):
        return normalize(network(x), dim=1)

    CircleLoss()(embedder(images), labels).backward()
    expected = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    normed = torch.nn.Sequential(network, Normalised())
    LargeBatchStep(normed, CircleLoss(), chunk_size=5)(images, labels)
    torch.testing.assert_close([p.grad for p in network.parameters()], expected)


class Normalised(torch.nn.Module):
    def forward(self, x):
        return normalize(x, dim=1)


def test_virtual_examples_are_compared_by_mixed_similarities():
    mixed, labels = SimilarityMixup()(unit(3), LABELS)
    value = CircleLoss()(mixed, labels)
    expected = by_loops(mixed @ mixed.T, labels, margin=0.4, gamma=80)
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": -0.1}, "margin must be"),
        ({"margin": math.nan}, "margin must be"),
        ({"gamma": 0}, "gamma must be"),
        ({"gamma": math.inf}, "gamma must be"),
        ({"reduce": "mean"}, 'reduce must be "anchor" or "pairs", not \'mean\''),
    ],
)
def test_bad_settings_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        CircleLoss(**options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(4, 2), torch.arange(4)), "no query has a positive"),
        ((torch.ones(4, 2), torch.zeros(3, dtype=torch.int64)), r"labels must be of shape \(4,\)"),
        ((torch.ones(4, 2), torch.zeros(4)), "labels must be integers"),
        ((torch.full((2, 2), torch.nan), torch.tensor([0, 0])), "embeddings must be finite"),
        ((torch.ones(2, 2), torch.tensor([0, 0]), torch.ones(2, 2)), "must be given together"),
        (
            (torch.eye(2), torch.tensor([0, 0]), torch.eye(2), torch.tensor([0, 0]), LABELS[:2]),
            "itself must lie between 0 and 1",
        ),
    ],
)
def test_bad_batches_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        CircleLoss()(*arguments)


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        (torch.ones(3), {}, r"weights must be a non-empty \(N, D\) tensor"),
        (torch.eye(3), {"classes": [1, 2]}, r"classes must be of shape \(3,\)"),
        (torch.eye(3), {"classes": [1, 2, 2]}, "classes must hold each label once"),
        (torch.eye(3), {"gamma": -1.0}, "gamma must be"),
    ],
)
def test_bad_class_weights_are_refused_by_name(weights, options, message):
    with pytest.raises(ValueError, match=message):
        ClassCircleLoss(weights, **options)


def test_a_label_without_a_vector_is_named_with_its_row():
    loss = ClassCircleLoss(torch.eye(3))
    with pytest.raises(ValueError, match=r"labels must stand in classes.*row 1, counted from 0"):
        loss(torch.eye(3)[:2], torch.tensor([2, 3]))
    with pytest.raises(ValueError, match="embeddings must have D = 3 columns"):
        loss(torch.ones(2, 4), torch.tensor([2, 1]))


def test_lengths_that_are_no_cosines_are_warned_of_once():
    loss = CircleLoss()
    with pytest.warns(RuntimeWarning, match="lengths up to 10, not 1.*margins made for cosines"):
        loss(10 * unit(1), LABELS)
    loss(10 * unit(1), LABELS)


def test_such_lengths_are_warned_of_with_vectors_of_classes_too():
    loss, labels = ClassCircleLoss(5 * torch.eye(3)), torch.arange(3)
    loss(torch.eye(3), labels)  # the vectors of the classes may be of any length
    with pytest.warns(RuntimeWarning, match="lengths up to 10, not 1.*margins made for cosines"):
        loss(10 * torch.eye(3), labels)
    loss(10 * torch.eye(3), labels)


def test_a_loss_shows_its_settings_and_can_be_stored():
    loss = CircleLoss(0.25, 128, "pairs")
    assert repr(loss) == "CircleLoss(margin=0.25, gamma=128.0, reduce='pairs', weighted=True)"
    embeddings = unit(1)
    assert pickle.loads(pickle.dumps(loss))(embeddings, LABELS) == loss(embeddings, LABELS)
    assert "classes=3, margin=0.25, gamma=256.0" in repr(ClassCircleLoss(torch.eye(3)))
