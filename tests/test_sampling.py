"""Class-balanced batches: what every epoch promises, for classes of any size."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recallkit import ClassBalancedSampler

class_sizes = st.lists(st.integers(1, 12), min_size=1, max_size=15).filter(lambda n: max(n) > 1)


def labels_of(sizes, seed=0):
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)) * 7 - 3
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]


@given(class_sizes, st.integers(4, 40), st.integers(2, 4), st.integers(0, 5))
@pytest.mark.filterwarnings("ignore:a batch of")
def test_promises(sizes, batch_size, per_class, seed):
    labels = labels_of(sizes)
    sampler = ClassBalancedSampler(labels, batch_size, per_class, seed)
    planned = len(sampler)
    batches = list(sampler)
    assert len(batches) == planned >= 1
    used = Counter(index for batch in batches for index in batch)
    assert max(used.values()) == 1
    for batch in batches:
        assert sampler.batch_size - 1 <= len(batch) <= sampler.batch_size
        counts = Counter(labels[batch].tolist())
        assert max(counts.values()) <= per_class
        for label, count in counts.items():
            assert count > 1 or (labels == label).sum() == 1
        assert max(counts.values()) > 1  # a query has a positive


def test_equal_classes_give_full_groups_and_use_every_image():
    labels = labels_of([8] * 32)
    batches = list(ClassBalancedSampler(labels, 64))
    assert sorted(i for batch in batches for i in batch) == list(range(256))
    for batch in batches:
        assert set(Counter(labels[batch].tolist()).values()) == {4}


def test_small_classes_are_used():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
    [batch] = ClassBalancedSampler(labels, 9)
    assert Counter(labels[batch].tolist()) == {0: 3, 1: 2, 2: 4}


def smallest_largest_group(batches, labels):
    """Return the size of the largest group of a batch, of the batch where that is smallest."""
    return min(max(Counter(labels[batch].tolist()).values()) for batch in batches)


@pytest.mark.parametrize(
    ("pairs", "singles", "batches"),
    [
        (20, 1000, {20}),  # the images would fill 32 batches, but there are 20 pairs
        (33, 990, {33}),  # a pair for each batch
        (60, 1000, {35, 36}),  # chance alone would leave some batches without a pair
    ],
)
def test_every_batch_has_a_positive_among_many_single_images(pairs, singles, batches):
    labels = labels_of([2] * pairs + [1] * singles)
    for seed in range(5):
        epoch = list(ClassBalancedSampler(labels, 32, seed=seed))
        assert len(epoch) in batches
        assert smallest_largest_group(epoch, labels) == 2


def test_a_large_class_among_single_images_is_in_every_batch():
    labels = labels_of([80] + [1] * 1000)
    epoch = list(ClassBalancedSampler(labels, 32))
    assert len(epoch) == 20  # groups of 4
    assert smallest_largest_group(epoch, labels) == 4


def test_single_images_are_drawn_in_other_epochs():
    labels = labels_of([2] * 5 + [1] * 100)
    sampler = ClassBalancedSampler(labels, 20)
    used = [{index for batch in sampler for index in batch} for _ in range(8)]
    assert len(used[0]) < len(labels)
    assert set.union(*used) == set(range(len(labels)))


DRAWN = [
    [15, 28, 18, 36, 22, 31, 0, 3, 35, 14],
    [4, 19, 12, 17, 8, 37, 23, 21, 27, 25],
    [34, 29, 33, 9, 24, 10, 30, 32, 26],
]


def test_the_draws_of_classes_without_single_images_stay():
    """Stored runs were drawn so."""
    sizes = [5, 3, 2, 9, 4, 6, 2, 7]
    epoch = list(ClassBalancedSampler(labels_of(sizes), 10, seed=5))
    assert epoch == DRAWN


def test_whole_classes():
    labels = labels_of([3, 7, 2])
    [batch] = ClassBalancedSampler(labels, 12, per_class=None)
    assert sorted(batch) == list(range(12))


def test_a_batch_larger_than_the_classes_is_clamped_with_a_warning():
    with pytest.warns(UserWarning, match="98 classes give 392 images"):
        sampler = ClassBalancedSampler(labels_of([9] * 98), 4000)
    assert sampler.batch_size == 392
    assert len(next(iter(sampler))) == 392


def test_epochs_differ_and_come_back():
    labels = labels_of([6] * 20)
    sampler = ClassBalancedSampler(labels, 16, seed=3)
    first, second = list(sampler), list(sampler)
    assert first != second
    assert sampler.epoch == 2
    sampler.set_epoch(1)
    assert list(sampler) == second
    assert list(ClassBalancedSampler(labels, 16, seed=3)) == first
    assert list(ClassBalancedSampler(labels, 16, seed=4)) != first


def test_serves_a_data_loader():
    labels = labels_of([4] * 8)
    loader = torch.utils.data.DataLoader(labels, batch_sampler=ClassBalancedSampler(labels, 16))
    assert [len(batch) for batch in loader] == [16, 16]


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 1, 2], {"batch_size": 4}, "no query has a positive"),
        ([], {"batch_size": 4}, "no query has a positive"),
        ([0, 0], {"batch_size": 4, "per_class": 1}, "per_class must be at least 2"),
        ([0, 0], {"batch_size": 3}, "batch_size must be at least per_class = 4"),
        ([0.5, 0.5], {"batch_size": 4}, "labels must be integers"),
        (7, {"batch_size": 4}, r"labels must be of shape .*, not \(\)"),
        ([[0, 0]], {"batch_size": 4}, "labels must be of shape"),
    ],
)
def test_bad_input_is_refused_by_name(labels, options, message):
    dtype = torch.int64 if labels == [] else None
    with pytest.raises(ValueError, match=message):
        ClassBalancedSampler(torch.tensor(labels, dtype=dtype), **options)


@pytest.mark.parametrize("options", [{"batch_size": 6}, {}, {"batch_size": 6, "drop_last": True}])
def test_a_batch_sampler_in_the_place_of_a_sampler_is_refused(options):
    labels = labels_of([4] * 8)
    loader = torch.utils.data.DataLoader(
        labels, sampler=ClassBalancedSampler(labels, 16), **options
    )
    with pytest.raises(ValueError, match=r"makes whole batches: .*batch_sampler=sampler"):
        next(iter(loader))


def test_whole_batches_as_a_sampler_without_batching():
    """torch's own way to have a data set that is read a batch at a time."""
    labels = labels_of([4] * 8)
    sampler = ClassBalancedSampler(labels, 16)
    data = torch.utils.data.TensorDataset(labels)
    loader = torch.utils.data.DataLoader(data, batch_size=None, sampler=sampler)
    assert [len(batch) for [batch] in loader] == [16, 16]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_an_epoch(world):
    labels = labels_of([4] * 28)
    whole = list(ClassBalancedSampler(labels, 16, seed=3))
    assert len(whole) == 7
    samplers = [ClassBalancedSampler(labels, 16, seed=3, rank=r, world=world) for r in range(world)]
    shares = [list(sampler) for sampler in samplers]
    each = 7 // world
    assert [len(share) for share in shares] == [each] * world
    assert [batch for round in zip(*shares, strict=True) for batch in round] == whole[
        : each * world
    ]
    assert all(len(sampler) == each for sampler in samplers)  # of the next epoch


@pytest.mark.parametrize(("rank", "world"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_is_not_there(rank, world):
    with pytest.raises(ValueError, match="rank must be within 0 … world − 1"):
        ClassBalancedSampler(labels_of([4] * 8), 16, rank=rank, world=world)


def test_accelerate_shares_out_whole_batches():
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    labels = labels_of([4] * 28)
    whole = list(ClassBalancedSampler(labels, 16))
    shares = [list(shard(ClassBalancedSampler(labels, 16), 2, rank)) for rank in range(2)]
    assert shares == [whole[0:6:2], whole[1:6:2]]
