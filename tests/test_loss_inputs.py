"""Losses called as pytorch-metric-learning does, and warnings about lengths and cut-offs."""

import copy
import pickle
import warnings

import pytest
import torch
from torch.nn.functional import normalize

from recallkit import RecallAtKLoss, SimilarityMixup, SmoothAPLoss
from recallkit.loss_inputs import left_out_by
from recallkit.losses import RecallVariant

pml = pytest.importorskip("pytorch_metric_learning")

LABELS = torch.arange(24) // 4
LOSSES = {
    "recall": RecallAtKLoss(),
    "smooth-ap": SmoothAPLoss(),
    "variant": RecallVariant("recall@k-no-cap"),
    "with the query": RecallAtKLoss(query_in_database=True),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def unit(seed, count=24, dim=8):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=1)


def all_pairs(labels, others=None):
    from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_pairs_indices

    return get_all_pairs_indices(labels, others)


@each_loss
def test_references_are_the_gallery(loss):
    queries, gallery, labels = unit(1), unit(2, 30), torch.arange(30) % 7
    expected = loss(queries, LABELS, gallery, labels)
    assert torch.equal(loss(queries, LABELS, ref_emb=gallery, ref_labels=labels), expected)
    assert torch.equal(loss(queries, LABELS, None, gallery, labels), expected)
    pairs = all_pairs(LABELS, labels)
    assert torch.equal(loss(queries, LABELS, pairs, gallery, labels), expected)
    assert torch.equal(
        loss(queries, LABELS, indices_tuple=pairs, ref_emb=gallery, ref_labels=labels), expected
    )


@each_loss
def test_all_pairs_of_a_batch_change_nothing(loss):
    embeddings = unit(1)
    expected = loss(embeddings, LABELS)
    assert torch.equal(loss(embeddings, LABELS, all_pairs(LABELS)), expected)
    assert torch.equal(loss(embeddings, LABELS, ref_emb=embeddings, ref_labels=LABELS), expected)


def mined():
    from pytorch_metric_learning import miners

    return {
        "pairs": miners.MultiSimilarityMiner(),
        "triplets": miners.TripletMarginMiner(),
        "hard": miners.BatchHardMiner(),
    }


@pytest.mark.parametrize("miner", mined().values(), ids=mined())
@each_loss
def test_the_choice_of_a_miner_is_refused_with_the_remedy(loss, miner):
    embeddings = unit(1)
    with pytest.raises(ValueError, match="ranks each query among all items: leave out the miner"):
        loss(embeddings, LABELS, miner(embeddings, LABELS))
    with pytest.raises(ValueError, match="leave out the miner"):
        loss(embeddings, LABELS, indices_tuple=miner(embeddings, LABELS))


def test_pairs_that_leave_out_two_or_others_are_refused():
    a, p, b, n = all_pairs(LABELS)
    for pairs in ((a[1:], p[1:], b, n), (a, p, b[:0], n[:0]), (a, p.roll(1), b, n)):
        with pytest.raises(ValueError, match="leave out the miner"):
            RecallAtKLoss()(unit(1), LABELS, pairs)


@pytest.mark.parametrize(
    "others",
    [
        [0, 0, 3],  # what is missing in the sum is 3
        [1, 2, 2, 3],
        [0, 1, 2, 3, 3],
        [0, -1, 2],
        [0, 1, 4],
    ],
)
def test_pairs_that_come_twice_or_are_outside_the_gallery_are_refused(others):
    query, item = torch.zeros(len(others), dtype=torch.int64), torch.tensor(others)
    none = item[:0]
    with pytest.raises(ValueError, match="leave out the miner"):
        left_out_by((query, item, none, none), queries=1, items=4)


def test_places_outside_the_gallery_are_refused():
    query, none = torch.tensor([0, 0]), torch.empty(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="leave out the miner"):  # what is missing would be 3
        left_out_by((query, query, none, none), queries=1, items=3)
    for wrong in (-1, 1):
        with pytest.raises(ValueError, match="leave out the miner"):
            left_out_by((query + wrong, torch.tensor([0, 1]), none, none), queries=1, items=3)


def test_what_is_left_out_is_found_in_any_order():
    query, item = torch.tensor([1, 0, 1, 0]), torch.tensor([2, 1, 0, 0])
    left_out = left_out_by((query[:1], item[:1], query[1:], item[1:]), queries=2, items=3)
    assert left_out is not None
    assert left_out.tolist() == [2, 1]


def test_both_names_of_an_argument_are_refused():
    gallery = unit(2)
    with pytest.raises(ValueError, match="gallery and ref_emb are two names"):
        RecallAtKLoss()(unit(1), LABELS, gallery, LABELS, ref_emb=gallery, ref_labels=LABELS)
    with pytest.raises(ValueError, match="ref_emb and ref_labels must be given together"):
        RecallAtKLoss()(unit(1), LABELS, ref_emb=gallery)


@each_loss
@pytest.mark.parametrize("memory_size", [24, 40, 100])
def test_a_memory_of_past_batches(loss, memory_size):
    """By hand: a ring of embeddings in which each query is left out."""
    from recallkit.pml import CrossBatchMemory

    memory = CrossBatchMemory(loss, embedding_size=8, memory_size=memory_size)
    ring, ring_labels, at = torch.zeros(memory_size, 8).double(), torch.full((memory_size,), -1), 0
    for seed in range(6):
        batch = unit(seed).requires_grad_()
        itself = torch.arange(at, at + 24) % memory_size
        ring[itself], ring_labels[itself], at = batch.detach(), LABELS, (at + 24) % memory_size
        filled = ring_labels >= 0
        expected = loss(batch, LABELS, ring[filled], ring_labels[filled], itself)
        [gradient] = torch.autograd.grad(expected, batch)
        value = memory(batch, LABELS)
        value.backward()
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(batch.grad, gradient)


def test_a_memory_of_another_network():
    """As in MoCo: what is put into the memory is not ranked."""
    from recallkit.pml import CrossBatchMemory

    memory = CrossBatchMemory(RecallAtKLoss(), embedding_size=8, memory_size=100)
    queries, keys = unit(1, 12), unit(2, 12)
    mask = torch.arange(24) >= 12
    labels = torch.arange(12) // 4
    value = memory(torch.cat([queries, keys]), labels.repeat(2), enqueue_mask=mask)
    torch.testing.assert_close(value, RecallAtKLoss()(queries, labels, keys, labels))


@each_loss
def test_as_a_loss_of_the_other_library(loss):
    from pytorch_metric_learning.losses import MultipleLosses

    from recallkit.pml import MetricLoss

    embeddings, expected = unit(1), loss(unit(1), LABELS)
    torch.testing.assert_close(MetricLoss(loss)(embeddings, LABELS), expected)
    torch.testing.assert_close(
        MetricLoss(loss)(embeddings, LABELS, ref_emb=unit(2), ref_labels=LABELS),
        loss(embeddings, LABELS, unit(2), LABELS),
    )
    both = MultipleLosses([loss, MetricLoss(loss)], weights=[1, 2])
    torch.testing.assert_close(both(embeddings, LABELS), 3 * expected)


@pytest.mark.parametrize("scale", [0.4, 0.7, 1.0, 1.9])
def test_no_warning_near_unit_length(scale):
    for loss in LOSSES.values():
        copy.deepcopy(loss)(scale * unit(1), LABELS)


@pytest.mark.parametrize(("scale", "words"), [(10, "flat"), (3, "flat"), (0.1, "the same rank")])
def test_a_warning_once_about_other_lengths(scale, words):
    loss = RecallAtKLoss()
    with pytest.warns(RuntimeWarning, match=f"lengths up to {scale}, not 1.*{words}") as caught:
        loss(scale * unit(1), LABELS)
    assert caught[0].filename == __file__
    loss(scale * unit(2), LABELS)


def test_lengths_that_grow_later_are_noticed():
    loss = RecallAtKLoss()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for scale in (1, 1, 1, 10, 10, 10, 10, 10):
            loss(scale * unit(1), LABELS)
    assert len(caught) == 1


def test_a_temperature_that_fits_the_lengths():
    RecallAtKLoss(rank_temperature=1.0)(10 * unit(1), LABELS)
    RecallAtKLoss(rank_temperature=1e-4)(0.1 * unit(1), LABELS)
    RecallAtKLoss(rank_temperature=0.001)(unit(1), LABELS)
    SmoothAPLoss()(0.01 * unit(1), LABELS)
    with pytest.warns(RuntimeWarning, match="rank_temperature near 1"):
        SmoothAPLoss()(10 * unit(1), LABELS)


def test_with_a_gallery_both_sides_must_be_long_or_short():
    def call(queries, gallery):
        RecallAtKLoss()(queries, LABELS, gallery, LABELS)

    call(10 * unit(1), unit(2))  # the similarities of one query to unit vectors are such
    call(unit(1), 0.1 * unit(2))
    for scale in (0.1, 10):
        with pytest.warns(RuntimeWarning, match=f"lengths up to {scale}, not 1"):
            call(scale * unit(1), scale * unit(2))


def test_virtual_examples_are_shorter_and_cause_no_warning():
    embeddings = torch.cat([unit(1, 12), -unit(1, 12)])
    mixed, labels = SimilarityMixup()(embeddings, torch.zeros(24, dtype=torch.int64))
    assert mixed.norm(dim=1).min() < 0.5
    RecallAtKLoss()(mixed, labels)


def test_the_reason_for_the_bounds():
    """Relative gradients within the bounds, and beyond them."""

    def relative_gradient(scale):
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(64) // 4
        centres = torch.randn(16, 16, generator=generator)[labels]
        noisy = normalize(centres + 0.5 * torch.randn(64, 16, generator=generator), dim=1)
        embeddings = (scale * noisy).requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            RecallAtKLoss()(embeddings, labels).backward()
        return float(scale * embeddings.grad.norm())

    inside = [relative_gradient(scale) for scale in (0.5, 1.0, 2.0)]
    assert min(inside) > 0.005
    assert relative_gradient(10.0) < 1e-3 * min(inside)
    assert relative_gradient(0.05) < 1e-3 * min(inside)


def test_a_loss_that_has_looked_can_be_copied_and_stored():
    loss = RecallAtKLoss()
    loss(unit(1), LABELS)
    assert torch.equal(pickle.loads(pickle.dumps(loss))(unit(1), LABELS), loss(unit(1), LABELS))


@pytest.mark.filterwarnings("ignore")
def test_compiled_losses_agree():
    for loss in (RecallAtKLoss(), SmoothAPLoss()):
        compiled = torch.compile(loss, backend="aot_eager")
        torch.testing.assert_close(compiled(unit(1), LABELS), loss(unit(1), LABELS))


@pytest.mark.parametrize(
    ("ks", "settings", "warned"),
    [
        ((33, 64), {}, True),
        ((32, 64), {}, False),
        ((33,), {"query_in_database": True}, False),
        ((33,), {"k_temperature": 2.0}, False),
    ],
    ids=["far beyond the end", "near the end", "the query is ranked too", "a soft step"],
)
def test_a_warning_once_where_every_k_is_far_beyond_the_end(ks, settings, warned):
    loss = RecallAtKLoss(ks, **settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for seed in (1, 2):
            embeddings = unit(seed).requires_grad_()
            loss(embeddings, LABELS).backward()
    assert [str(w.message)[:36] for w in caught] == warned * [
        "each query is ranked among 23 items,"
    ]
    assert all(w.filename == __file__ for w in caught)
    assert not warned or embeddings.grad.abs().max() < 1e-5


def test_a_gallery_counts_for_the_end_of_the_ranking():
    loss = RecallAtKLoss(ks=(40,))
    loss(unit(1), LABELS, unit(2, 31), torch.arange(31) % 6)
    with pytest.warns(RuntimeWarning, match="among 30 items.*k is 40.*larger batch or gallery"):
        loss(unit(1), LABELS, unit(2, 30), torch.arange(30) % 6)


@each_loss
@pytest.mark.parametrize("kind", ["list", "numpy"])
def test_embeddings_that_are_no_tensor_are_named(loss, kind):
    wrong = unit(1).tolist() if kind == "list" else unit(1).numpy()
    with pytest.raises(
        ValueError,
        match=f"embeddings must be a tensor, not {'list' if kind == 'list' else 'ndarray'}",
    ):
        loss(wrong, LABELS)
    with pytest.raises(ValueError, match="gallery must be a tensor"):
        loss(unit(1), LABELS, wrong, LABELS)
    with pytest.raises(ValueError, match="embeddings must be a tensor"):
        SimilarityMixup()(wrong, LABELS)
