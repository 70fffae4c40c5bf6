"""Two and three processes over gloo give the value and the gradients of one."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.functional import normalize

from recallkit import RecallAtKLoss, SmoothAPLoss
from recallkit.distributed import ShardedLoss

LOSSES = {
    "recall": RecallAtKLoss(rank_temperature=0.1, engine="blocks"),
    "released": RecallAtKLoss(rank_temperature=0.1, query_in_database=True),
    "smooth AP": SmoothAPLoss(rank_temperature=0.1),
}
# Shards of labels: uneven, a class over several processes, one process with nothing but a class of
# one image, one with nothing at all.
SHARDS = {
    2: [[0, 0, 1, 2, 2], [1, 1, 3]],
    3: [[0, 1, 0, 2, 2, 1], [7], [0, 3, 3]],
    4: [[0, 0, 1], [], [5], [1, 1]],
}


def embeddings_of(labels):
    generator = torch.Generator().manual_seed(len(labels))
    return normalize(torch.randn(len(labels), 5, generator=generator, dtype=torch.float64), dim=1)


def work(rank, world, place, loss, out):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{place}", rank=rank, world_size=world)
    sizes = [len(shard) for shard in SHARDS[world]]
    labels = torch.tensor([label for shard in SHARDS[world] for label in shard])
    own = embeddings_of(labels).split(sizes)[rank].clone().requires_grad_()
    value = ShardedLoss(LOSSES[loss])(own, labels.split(sizes)[rank])
    value.backward()
    torch.save([value.detach(), own.grad], f"{out}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize(("world", "loss"), [(2, "recall"), (3, "smooth AP"), (4, "released")])
def test_equals_one_process(world, loss, tmp_path):
    mp.spawn(work, (world, tmp_path / "meet", loss, tmp_path), nprocs=world)
    labels = torch.tensor([label for shard in SHARDS[world] for label in shard])
    whole = embeddings_of(labels).requires_grad_()
    expected = LOSSES[loss](whole, labels)
    expected.backward()
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(world)]
    for value, _ in found:
        torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=1e-12)
    gradient = torch.cat([gradient for _, gradient in found])
    torch.testing.assert_close(gradient, whole.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_gallery_that_holds_the_queries(loss):
    labels = torch.tensor([0, 1, 0, 2, 2, 1, 9])
    embeddings = embeddings_of(labels)
    itself = torch.arange(len(labels))
    found = loss(embeddings, labels, embeddings, labels, itself)
    torch.testing.assert_close(found, loss(embeddings, labels))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_memory_of_past_embeddings_takes_no_gradient(loss):
    queries, memory = embeddings_of([0, 1, 2]).requires_grad_(), embeddings_of([0] * 8)
    loss(queries, torch.tensor([0, 1, 2]), memory, torch.arange(8) % 4).backward()
    assert queries.grad.norm() > 0
    assert memory.grad is None
