"""One training in many processes, a GPU each: who has which images, and one loss over all of them.

Started by ``torchrun``. Each process gets some classes of a batch and embeds their images. The
embeddings are gathered, each process ranks its own queries, and the gradients are summed. Every
process draws the same random amounts for the whole batch, so W processes give what one would.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from recallkit.checks import NotFiniteError, check_embeddings
from recallkit.large_batch import RandomState
from recallkit.ranks import find_positives
from recallkit.simix import SimilarityMixup, same_class_pairs
from recallkit.training.build import Transform

PATIENCE = timedelta(hours=3)  # the others wait as long while the first process evaluates


@dataclass(frozen=True)
class Processes:
    """A process among those of one training, and what all of them agree on.

    Attributes:
        rank: its number; number 0 writes log and checkpoints.
        world: the number of processes.
        local_rank: its number on this machine, which is the number of its GPU.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Tell whether this process is the one that writes."""
        return self.rank == 0

    def any(self, *flags: bool) -> list[bool]:
        """Return for each flag whether any process has set it; every process gets the same."""
        if self.world == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised]

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in the order of ranks."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without ``torchrun`` this process is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        yield Processes(dist.get_rank(), dist.get_world_size(), local_rank)
    finally:
        dist.destroy_process_group()


def own_rows(labels: Tensor, processes: Processes) -> slice:
    """Return the rows of a batch that are this process's: whole classes, so every pair is together.

    Args:
        labels: (B,) of the batch; the images of a class are side by side.
        processes: this one among all.

    Raises:
        ValueError: if there are fewer classes than processes.
    """
    if processes.world == 1:
        return slice(0, len(labels))
    borders = (labels[1:] != labels[:-1]).nonzero().squeeze(1) + 1  # where the next class begins
    begins = [0, *borders.tolist(), len(labels)]
    classes = len(begins) - 1
    if classes < processes.world:
        raise ValueError(
            f"batch_size must be larger: {processes.world} processes share {classes} classes"
        )
    rank, world = processes.rank, processes.world
    return slice(begins[classes * rank // world], begins[classes * (rank + 1) // world])


class Shard:
    """The rows of the current batch that are this process's, and random numbers that all share.

    Args:
        processes: this one among all.
        device: of the network.

    Attributes:
        labels: (B,) of the whole batch.
        rows: of this process.
        random: the random state that is the same in all processes.
    """

    def __init__(self, processes: Processes, device: torch.device) -> None:
        self.processes, self.device = processes, device
        self.labels, self.rows = torch.empty(0, dtype=torch.int64), slice(0, 0)
        self.random = RandomState(device)

    def begin(self, labels: Tensor) -> list[Tensor]:
        """Begin a batch, of which this process has ``labels``; return those of each process."""
        shards = self.processes.gather(labels.cpu())
        begin = sum(len(shard) for shard in shards[: self.processes.rank])
        self.labels, self.rows = torch.cat(shards), slice(begin, begin + len(labels))
        return shards

    @contextmanager
    def common_random(self) -> Iterator[None]:
        """Within this context, all processes draw the same random numbers."""
        private = RandomState(self.device)
        self.random.restore()
        try:
            yield
        finally:
            self.random = RandomState(self.device)
            private.restore()


class ShardedDraws(nn.Module):
    """A transform that draws for the whole batch and keeps the rows of this process."""

    def __init__(self, transform: Transform, shard: Shard) -> None:
        super().__init__()
        self.transform, self.shard = transform, shard

    def draw(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """Draw like the transform, for this process's ``count`` images."""
        with self.shard.common_random():
            draws = self.transform.draw(len(self.shard.labels), device)
        return tuple(draw[self.shard.rows] for draw in draws)

    def forward(self, images: Tensor, draws: tuple[Tensor, ...] | None = None) -> Tensor:
        """Apply the transform."""
        return self.transform(images, draws)


class ShardedMixup(SimilarityMixup):
    """Virtual examples of this process's classes, with the α that one process would draw."""

    def __init__(self, shard: Shard) -> None:
        super().__init__()
        self.shard = shard

    def forward(self, embeddings: Tensor, labels: Any) -> tuple[Tensor, Tensor]:
        """Mix the rows of this process.

        Raises:
            NotFiniteError: in every process, if the embeddings of any are not finite.
        """
        problem = None
        try:
            check_embeddings(embeddings)
        except NotFiniteError as error:
            problem = error
        if self.shard.processes.any(problem is not None)[0]:
            raise problem or NotFiniteError(
                "embeddings must be finite: those of another process are not"
            )
        return super().forward(embeddings, labels)

    def draw(self, count: int, like: Tensor) -> Tensor:
        """Draw for the pairs of the whole batch, and keep those of this process."""
        first, _ = same_class_pairs(self.shard.labels)  # pairs of the whole batch
        with self.shard.common_random():
            alpha = super().draw(len(first), like)
        rows = self.shard.rows
        ours = (first >= rows.start) & (first < rows.stop)
        return alpha[ours.to(alpha.device)]


class ShardedLoss(nn.Module):
    """The loss of the union of all processes' batches; each process ranks its own queries.

    With W processes of B/W images, a process makes B/W × B similarities instead of B × B. The value
    is the same everywhere. The gradient of a process's embeddings is the one that a single process
    would compute. Every process must call the loss, and ``backward``, equally often.

    DistributedDataParallel *averages* the gradients of the parameters over processes, but their sum
    is wanted: :class:`SumOverProcesses` multiplies the value by W for it.

    Args:
        loss: :class:`.RecallAtKLoss`, :class:`.SmoothAPLoss`, or any mean over the queries that
            have a positive, called ``loss(queries, labels, gallery, gallery_labels, itself)``.

    Example:
        >>> loss = ShardedLoss(RecallAtKLoss())
        >>> loss(embeddings, labels).backward()  # of this process
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of the union.

        Args:
            embeddings: (b, D) of this process; b may differ between processes, and be 0. Half
                precision is computed in float32.
            labels: (b,) integers.

        Returns:
            A scalar, float32 or float64, the same on every process.

        Raises:
            ValueError: as ``loss`` does, if no query of any process has a positive.
            NotFiniteError: in every process, if the embeddings of any are not finite.
        """
        labels = labels.to(embeddings.device)
        if embeddings.is_floating_point():  # other types are refused below
            embeddings = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        sizes = _gather_sizes(len(embeddings), embeddings.device)
        gallery = _Gather.apply(embeddings, sizes)  # (B, D)
        gallery_labels = _gather(labels, sizes)  # (B,)
        check_embeddings(gallery)  # here, since a process without queries does not call the loss
        begin = sum(sizes[: dist.get_rank()])
        itself = torch.arange(begin, begin + len(embeddings), device=embeddings.device)
        share = _share_of_queries(gallery_labels, begin, len(embeddings))
        value = gallery[:0].sum()  # 0: a process without such queries takes part in backward too
        if share > 0:
            value = value + share * self.loss(embeddings, labels, gallery, gallery_labels, itself)
        total = value.detach().clone()
        dist.all_reduce(total)
        return value + (total - value.detach())


class SumOverProcesses(nn.Module):
    """A loss for DistributedDataParallel, which averages gradients where their sum is wanted."""

    def __init__(self, loss: nn.Module, world: int) -> None:
        super().__init__()
        self.loss, self.world = loss, world

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of this process times the number of processes."""
        return self.world * self.loss(embeddings, labels)


def _share_of_queries(gallery_labels: Tensor, begin: int, count: int) -> float:
    """Return this process's share of all queries that have a positive."""
    has_positive = find_positives(gallery_labels)[:, 0] >= 0
    if not has_positive.any():
        raise ValueError("no query of any process has a positive: each label occurs once")
    return int(has_positive[begin : begin + count].sum()) / int(has_positive.sum())


def _gather_sizes(size: int, device: torch.device) -> list[int]:
    sizes = [torch.empty(1, dtype=torch.int64, device=device) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([size], device=device))
    return [int(size) for size in sizes]


def _gather(values: Tensor, sizes: list[int]) -> Tensor:
    """Return all processes' rows in the order of ranks; they travel padded to equal length."""
    padded = values.new_zeros(max(sizes), *values.shape[1:])
    padded[: len(values)] = values
    gathered = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(gathered, padded)
    return torch.cat([rows[:size] for rows, size in zip(gathered, sizes, strict=True)])


class _Gather(torch.autograd.Function):
    """Gather rows; backward sums the gradients of this process's rows over all processes."""

    @staticmethod
    def forward(ctx, values, sizes):
        ctx.sizes = sizes
        return _gather(values, sizes)

    @staticmethod
    def backward(ctx, grad):
        grad = grad.contiguous()
        dist.all_reduce(grad)
        return grad.split(ctx.sizes)[dist.get_rank()], None
