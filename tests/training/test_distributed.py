"""Two and more processes over gloo give the value, the gradients and the weights of one."""

import os
import signal
from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
from helpers.processes import side_by_side
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import normalize
from torch.nn.parallel import DistributedDataParallel

from recallkit import LargeBatchStep, RecallAtKLoss, SmoothAPLoss
from recallkit.checks import NotFiniteError
from recallkit.config import Config
from recallkit.data.prefetch import BadImageError, Reading
from recallkit.errors import RecallkitError
from recallkit.training import Diverged, Stopped, Training, train
from recallkit.training.distributed import Processes, ShardedLoss, own_rows

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


def lose_in_half(rank, world, place, out):
    """Process 2 of 3 has no query with a positive; the sum of all entries exceeds float16."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{place}", rank=rank, world_size=world)
    embeddings, labels = half_batch()
    own = slice(2000 * rank, 2000 * (rank + 1))
    shard = embeddings[own].clone().requires_grad_()
    value = ShardedLoss(LOSSES["recall"])(shard, labels[own])
    value.backward()
    torch.save([value.detach(), shard.grad], f"{out}/{rank}.pt")
    dist.destroy_process_group()


def half_batch():
    generator = torch.Generator().manual_seed(0)
    embeddings = normalize(torch.rand(4001, 512, generator=generator), dim=1).half()
    return embeddings, torch.cat([torch.arange(4000) // 4, torch.tensor([9999])])


def test_half_precision_is_computed_in_float32(tmp_path):
    side_by_side(lose_in_half, (3, tmp_path / "meet", tmp_path), 3)
    embeddings, labels = half_batch()
    embeddings.requires_grad_()
    expected = LOSSES["recall"](embeddings, labels)
    expected.backward()
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    for value, gradient in found:
        assert gradient.dtype == torch.float16
        torch.testing.assert_close(value, expected.detach())
    gradient = torch.cat([gradient for _, gradient in found])
    torch.testing.assert_close(gradient, embeddings.grad)


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
    side_by_side(work, (world, tmp_path / "meet", loss, tmp_path), world)
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


def test_classes_are_shared_out_whole():
    labels = torch.tensor([5] * 4 + [2] * 4 + [9] * 4 + [1] * 3)
    parts = [own_rows(labels, Processes(rank, 3)) for rank in range(3)]
    assert parts == [slice(0, 4), slice(4, 8), slice(8, 15)]
    with pytest.raises(ValueError, match="5 processes share 4 classes"):
        own_rows(labels, Processes(0, 5))


def step_in_parts(rank, world, place, out):
    """Process 0 has two chunks, process 1 has five, and they keep different numbers of graphs."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{place}", rank=rank, world_size=world)
    images, labels, network = batch_and_network()
    own = slice(0, 8) if rank == 0 else slice(8, 28)
    parallel = DistributedDataParallel(network)
    for keep in (0, 1000 + 3000 * rank, 10**9):
        network.zero_grad()
        sharded = ShardedLoss(RecallAtKLoss(rank_temperature=0.1))
        step = LargeBatchStep(parallel, lambda *a, s=sharded: world * s(*a), 4, keep_graphs=keep)
        step(images[own], labels[own])
        gradients = [p.grad for p in network.parameters()]
        torch.save(gradients, f"{out}/{rank}-{['none', 'some', 'all'][(keep > 0) + (keep > 9999)]}")
    dist.destroy_process_group()


def batch_and_network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5)).double()
    return torch.randn(28, 12).double(), torch.arange(28) // 4, network


def test_gradients_in_uneven_chunks_are_those_of_one_process(tmp_path):
    side_by_side(step_in_parts, (2, tmp_path / "meet", tmp_path), 2)
    images, labels, network = batch_and_network()
    RecallAtKLoss(rank_temperature=0.1)(network(images), labels).backward()
    expected = [p.grad for p in network.parameters()]
    for kept in ("none", "some", "all"):
        for rank in range(2):
            found = torch.load(f"{tmp_path}/{rank}-{kept}")
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


# Augmented, mixed, clipped, and in chunks that are not even.
CONFIG = Config(image_size=16, embedding_dim=8, batch_size=24, images=120, evaluations=2)
CONFIG = replace(CONFIG, chunk_size=5, flip=True, clip_norm=1.0, rank_temperature=0.1)


def train_in_parts(rank, world, ports, folder, splits, stop):
    """As torchrun starts it; with ``stop``, process 1 is told to stop in its third step."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ports[0])}
    original = Training.step

    def step(self):
        if rank == 1 and stop and self.steps_done == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self)

    Training.step = step
    options = {"splits": splits, "device": "cpu", "progress": False}
    if not stop:
        train(CONFIG, folder, resume=(folder / "state.pt").exists(), **options)
        os.environ["MASTER_PORT"] = str(ports[1])
        with pytest.raises(RecallkitError):  # a refusal reaches every process, and none waits
            train(CONFIG, folder, **options)
        return
    with pytest.raises(Stopped, match="stopped after 3 of 5 steps"):
        train(CONFIG, folder, **options)


def diverge_in_one(rank, world, place, splits, simix):
    """Weights are not finite in process 1 alone; every process says so, in this step and again."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{place}", rank=rank, world_size=world)
    config = replace(CONFIG, simix=simix)
    training = Training(config, splits.train, torch.device("cpu"), Processes(rank, world))
    if rank == 1:
        torch.nn.init.constant_(next(training.trained.parameters()), torch.nan)
    for _ in range(2):
        with pytest.raises(Diverged, match="embeddings must be finite"):
            training.step()
    dist.destroy_process_group()


@pytest.mark.parametrize("simix", [False, True])
def test_embeddings_that_are_not_finite_in_one_process_stop_all(tmp_path, toy_splits, simix):
    side_by_side(diverge_in_one, (2, tmp_path / "meet", toy_splits, simix), 2)


class Unreadable:
    """Images as files, of which none can be read."""

    def __init__(self, images):
        self.shape = images.shape

    def __len__(self):
        return self.shape[0]

    def read(self, index):
        raise RecallkitError(f"{index}.jpg cannot be read as an image.")


def read_none_in_one(rank, world, place, splits):
    """Process 1 can read no image; every process says so, in this step and again."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{place}", rank=rank, world_size=world)
    images = splits.train
    images = replace(images, images=Unreadable(images.images)) if rank == 1 else images
    reading, processes = Reading(on_bad_image="skip"), Processes(rank, world)
    training = Training(CONFIG, images, torch.device("cpu"), processes, reading)
    for _ in range(2):
        with pytest.raises(BadImageError, match="too few images of the batch at step 0"):
            training.step()
    dist.destroy_process_group()


def test_a_process_without_a_readable_image_stops_all(tmp_path, toy_splits):
    side_by_side(read_none_in_one, (2, tmp_path / "meet", toy_splits), 2)


def lose_with_bad_rows(rank, world, place):
    """Process 0 has rows that are not finite; processes 1 and 2 have no query."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{place}", rank=rank, world_size=world)
    labels = torch.tensor(SHARDS[world][rank], dtype=torch.int64)
    embeddings = torch.full((len(labels), 5), torch.nan if rank == 0 else 1.0)
    with pytest.raises(NotFiniteError, match="3 of 6 rows"):
        ShardedLoss(LOSSES["recall"])(embeddings, labels)
    dist.barrier()
    dist.destroy_process_group()


def test_a_process_without_queries_does_not_wait_for_a_loss_that_is_not_finite(tmp_path):
    side_by_side(lose_with_bad_rows, (4, tmp_path / "meet"), 4)


def free_port():
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_training_in_two_processes_is_that_of_one(tmp_path, toy_splits):
    """Five steps, stopped in one of them, saved once, resumed in both: the weights of one."""
    whole = train(CONFIG, tmp_path / "one", splits=toy_splits, device="cpu", progress=False)
    for stop in (True, False):
        ports = free_port(), free_port()
        side_by_side(train_in_parts, (2, ports, tmp_path / "two", toy_splits, stop), 2)
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    one, two = (torch.cat([w.flatten() for w in weights.values()]) for weights in (one, two))
    assert (one - two).norm() <= 1e-6 * one.norm()
    lines = (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(whole["validation"])
