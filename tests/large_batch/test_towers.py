"""Queries and gallery, each with inputs of its own, in one tower or in two."""

import copy

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import normalize
from torch.nn.parallel import DistributedDataParallel

from recallkit import LargeBatchStep, RecallAtKLoss, SimilarityMixup, SmoothAPLoss

LOSS = RecallAtKLoss(rank_temperature=0.1)


def random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Tower(nn.Module):
    def __init__(self, inputs, dropout=0.0):
        super().__init__()
        torch.manual_seed(inputs)
        self.body = nn.Sequential(
            nn.Linear(inputs, 8), nn.Sigmoid(), nn.Dropout(dropout), nn.Linear(8, 4)
        )
        self.double()

    def forward(self, x):
        return normalize(self.body(x), dim=1)


QUERIES, GALLERY = random(1, 13, 6), random(2, 22, 5)
LABELS, GALLERY_LABELS = torch.arange(13) % 7, torch.arange(22) % 8


def close(ours, theirs):
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("loss", [LOSS, SmoothAPLoss(0.1)], ids=["recall", "smooth-ap"])
@pytest.mark.parametrize("keep", [0, 1, 1500, 10**9])
@pytest.mark.parametrize("chunk_size", [1, 4, 13, 50])
def test_two_towers_equal_one_backward(chunk_size, keep, loss):
    towers = Tower(6), Tower(5)
    twins = copy.deepcopy(towers)
    step = LargeBatchStep(towers[0], loss, chunk_size, gallery_network=towers[1], keep_graphs=keep)
    value = step(QUERIES, LABELS, GALLERY, GALLERY_LABELS)
    expected = loss(twins[0](QUERIES), LABELS, twins[1](GALLERY), GALLERY_LABELS)
    expected.backward()
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(towers, twins, strict=True):
        close(ours, theirs)


@pytest.mark.parametrize("keep", [0, 1500, 10**9])
@pytest.mark.parametrize("chunk_size", [4, 50])
def test_one_tower_for_queries_and_gallery(chunk_size, keep):
    tower, gallery = Tower(6), random(3, 22, 6)
    twin = copy.deepcopy(tower)
    step = LargeBatchStep(tower, LOSS, chunk_size, keep_graphs=keep)
    step(QUERIES, LABELS, gallery, GALLERY_LABELS)
    LOSS(twin(QUERIES), LABELS, twin(gallery), GALLERY_LABELS).backward()
    close(tower, twin)


def test_dropout_is_repeated_in_both_towers():
    towers = Tower(6, dropout=0.5), Tower(5, dropout=0.5)
    twins = copy.deepcopy(towers)
    torch.manual_seed(5)
    step = LargeBatchStep(towers[0], LOSS, 4, gallery_network=towers[1])
    step(QUERIES, LABELS, GALLERY, GALLERY_LABELS)
    torch.manual_seed(5)
    queries = torch.cat([twins[0](chunk) for chunk in QUERIES.split(4)])
    gallery = torch.cat([twins[1](chunk) for chunk in GALLERY.split(4)])
    LOSS(queries, LABELS, gallery, GALLERY_LABELS).backward()
    for ours, theirs in zip(towers, twins, strict=True):
        close(ours, theirs)


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_frozen_tower_is_run_once_and_gets_no_gradient(frozen):
    towers = Tower(6), Tower(5)
    towers[frozen].requires_grad_(False)
    twins, calls = copy.deepcopy(towers), []
    towers[frozen].register_forward_pre_hook(lambda module, inputs: calls.append(1))
    step = LargeBatchStep(towers[0], LOSS, 4, gallery_network=towers[1], keep_graphs=100)
    step(QUERIES, LABELS, GALLERY, GALLERY_LABELS)
    LOSS(twins[0](QUERIES), LABELS, twins[1](GALLERY), GALLERY_LABELS).backward()
    close(towers[1 - frozen], twins[1 - frozen])
    assert len(calls) == (4, 6)[frozen]
    assert all(p.grad is None for p in towers[frozen].parameters())


def test_a_gallery_of_ready_embeddings():
    tower, gallery = Tower(6), normalize(random(4, 22, 4), dim=1)
    twin = copy.deepcopy(tower)
    step = LargeBatchStep(tower, LOSS, 4, gallery_network=nn.Identity())
    step(QUERIES, LABELS, gallery, GALLERY_LABELS)
    LOSS(twin(QUERIES), LABELS, gallery, GALLERY_LABELS).backward()
    close(tower, twin)


def test_a_gallery_that_holds_the_queries():
    tower, itself = Tower(6), torch.arange(13) + 3
    gallery, labels = random(5, 22, 6), torch.arange(22) % 8
    twin = copy.deepcopy(tower)
    LargeBatchStep(tower, LOSS, 4)(gallery[itself], labels[itself], gallery, labels, itself)
    LOSS(twin(gallery[itself]), labels[itself], twin(gallery), labels, itself).backward()
    close(tower, twin)


def test_both_directions_of_pairs_by_a_loss_of_ones_own():
    def both(queries, labels, gallery, gallery_labels):
        there = LOSS(queries, labels, gallery, gallery_labels)
        return there + LOSS(gallery, gallery_labels, queries, labels)

    towers, pairs = (Tower(6), Tower(5)), torch.arange(13)
    twins = copy.deepcopy(towers)
    step = LargeBatchStep(towers[0], both, 4, gallery_network=towers[1])
    step(QUERIES, pairs, GALLERY[:13], pairs)
    both(twins[0](QUERIES), pairs, twins[1](GALLERY[:13]), pairs).backward()
    for ours, theirs in zip(towers, twins, strict=True):
        close(ours, theirs)


def test_the_transform_is_for_the_network_of_the_images():
    towers = Tower(6), Tower(5)
    twins = copy.deepcopy(towers)
    step = LargeBatchStep(
        towers[0], LOSS, 4, gallery_network=towers[1], transform=lambda x: x[:, :6] * 2
    )
    step(QUERIES, LABELS, GALLERY, GALLERY_LABELS)
    LOSS(twins[0](2 * QUERIES), LABELS, twins[1](GALLERY), GALLERY_LABELS).backward()
    close(towers[0], twins[0])


def test_auto_chunks_of_two_towers():
    step = LargeBatchStep(Tower(6), LOSS, "auto", gallery_network=Tower(5))
    step(QUERIES, LABELS, GALLERY, GALLERY_LABELS)
    assert step.chunk_size == 256
    assert step.fits(GALLERY, step.gallery_network)


def test_what_is_missing_is_named():
    step = LargeBatchStep(Tower(6), LOSS, 4, gallery_network=Tower(5))
    with pytest.raises(ValueError, match="gallery and gallery_labels must be given together"):
        step(QUERIES, LABELS, GALLERY)
    with pytest.raises(ValueError, match="gallery and gallery_labels must be of the same length"):
        step(QUERIES, LABELS, GALLERY, GALLERY_LABELS[:3])
    with pytest.raises(ValueError, match="there is none"):
        step(QUERIES, LABELS, itself=torch.arange(13))
    mixing = LargeBatchStep(Tower(6), LOSS, 4, mixup=SimilarityMixup())
    with pytest.raises(ValueError, match="mixup mixes a batch that is its own gallery"):
        mixing(QUERIES, LABELS, QUERIES, LABELS)


@pytest.mark.parametrize(
    "convert", [list, lambda x: x.numpy().astype("uint64"), lambda x: [f"{i}" for i in x]]
)
def test_labels_of_other_kinds(convert):
    towers = Tower(6), Tower(5)
    twins = copy.deepcopy(towers)
    for tower, kind in ((towers, convert), (twins, lambda x: x)):
        step = LargeBatchStep(tower[0], LOSS, 4, gallery_network=tower[1])
        step(QUERIES, kind(LABELS), GALLERY, kind(GALLERY_LABELS))
        step(QUERIES, kind(LABELS))
    for ours, theirs in zip(towers, twins, strict=True):
        close(ours, theirs)


def test_labels_that_are_none_are_named():
    for wrong in (None, 3, "x", torch.tensor(3.0)):
        with pytest.raises(ValueError, match="labels must be"):
            LargeBatchStep(Tower(6), LOSS, 4)(QUERIES, wrong)


@pytest.fixture
def one_process(tmp_path):
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("keep", [0, 1500, 3000, 10**9])
@pytest.mark.parametrize("chunk_size", [4, 13, 50])
def test_towers_in_distributed_data_parallel_reduce_once(chunk_size, keep):
    towers = Tower(6), Tower(5)
    twins = copy.deepcopy(towers)
    parallel = [DistributedDataParallel(tower) for tower in towers]
    reduced = []

    def count(_, bucket):
        reduced.append(len(bucket.parameters()))
        future = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    for tower in parallel:
        tower.register_comm_hook(None, count)
    step = LargeBatchStep(
        parallel[0], LOSS, chunk_size, gallery_network=parallel[1], keep_graphs=keep
    )
    for times in (1, 2):  # DistributedDataParallel complains in the next step, if ever
        step(QUERIES, LABELS, GALLERY, GALLERY_LABELS)
        assert sum(reduced) == 8 * times
    LOSS(twins[0](QUERIES), LABELS, twins[1](GALLERY), GALLERY_LABELS).backward()
    for ours, theirs in zip(towers, twins, strict=True):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, 2 * b.grad, rtol=1e-10, atol=1e-12)
