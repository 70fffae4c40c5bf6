"""One training in many processes, a GPU each: who has which images, and one loss over all of them.

Started by ``torchrun``. A batch is shared out by classes; each process embeds its own images,
embeddings are gathered, queries are shared out, and gradients are summed. Random amounts are drawn
for the whole batch in every process alike, so that W processes give what one would.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from recallkit.large_batch import RandomState
from recallkit.ranks import find_positives
from recallkit.simix import SimilarityMixup, same_class_pairs


class SumOverProcesses(nn.Module):
    """A loss for DistributedDataParallel, which averages gradients where their sum is wanted."""

    def __init__(self, loss: nn.Module, world: int) -> None:
        super().__init__()
        self.loss, self.world = loss, world

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of this process times the number of processes."""
        return self.world * self.loss(embeddings, labels)


PATIENCE = timedelta(hours=3)  # while the first process evaluates, the others wait


@dataclass(frozen=True)
class Processes:
    """A process among those of one training: who it is, and what all of them say.

    Attributes:
        rank: its number; number 0 writes log and checkpoints.
        world: how many there are.
        local_rank: its number on this machine, which is that of its GPU.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is set in any process: the same answer everywhere."""
        if self.world == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised]

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in the order of ranks."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without it, this process is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        yield Processes(dist.get_rank(), dist.get_world_size(), local)
    finally:
        dist.destroy_process_group()


def own_rows(labels: Tensor, processes: Processes) -> slice:
    """Which rows of a batch are this process's: whole classes, so that no pair is torn apart.

    Args:
        labels: (B,) of the batch; the images of a class stand side by side.
        processes: this one among all.

    Raises:
        ValueError: if there are fewer classes than processes.
    """
    if processes.world == 1:
        return slice(0, len(labels))
    borders = (labels[1:] != labels[:-1]).nonzero().squeeze(1) + 1  # where a class begins
    begins = [0, *borders.tolist(), len(labels)]
    classes = len(begins) - 1
    if classes < processes.world:
        raise ValueError(
            f"batch_size must be larger: {processes.world} processes share {classes} classes"
        )
    ends = [begins[classes * r // processes.world] for r in (processes.rank, processes.rank + 1)]
    return slice(*ends)


@dataclass
class Shard:
    """Which rows of the batch at hand are this process's, and the random numbers all share.

    Attributes:
        processes: this one among all.
        device: of the network.
        labels: (B,) of the whole batch.
        own: the rows of this process.
    """

    processes: Processes
    device: torch.device
    labels: Tensor = field(init=False)
    own: slice = field(init=False)

    def __post_init__(self) -> None:
        self.random = RandomState(self.device)

    def begin(self, labels: Tensor) -> None:
        """Begin a batch, of which this process has images with ``labels``."""
        parts = self.processes.gather(labels.cpu())
        begin = sum(len(part) for part in parts[: self.processes.rank])
        self.labels, self.own = torch.cat(parts), slice(begin, begin + len(labels))

    @contextmanager
    def common_random(self) -> Iterator[None]:
        """Within this context, random numbers are those that all processes draw alike."""
        private = RandomState(self.device)
        self.random.restore()
        try:
            yield
        finally:
            self.random = RandomState(self.device)
            private.restore()


class ShardedDraws(nn.Module):
    """A transform that draws for the whole batch and keeps the rows of this process."""

    def __init__(self, transform: nn.Module, shard: Shard) -> None:
        super().__init__()
        self.transform, self.shard = transform, shard

    def draw(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """As the transform's own, for this process's ``count`` images."""
        with self.shard.common_random():
            draws = self.transform.draw(len(self.shard.labels), device)
        return tuple(draw[self.shard.own] for draw in draws)

    def forward(self, images: Tensor, draws: tuple[Tensor, ...] | None = None) -> Tensor:
        """As the transform's own."""
        return self.transform(images, draws)


class ShardedMixup(SimilarityMixup):
    """Virtual examples of this process's classes, with the α that one process would draw."""

    def __init__(self, shard: Shard) -> None:
        super().__init__()
        self.shard = shard

    def _draw(self, count: int, like: Tensor) -> Tensor:
        first, _ = same_class_pairs(self.shard.labels)  # the whole batch's, this process's among
        with self.shard.common_random():
            alpha = super()._draw(len(first), like)
        own = (first >= self.shard.own.start) & (first < self.shard.own.stop)
        return alpha[own.to(alpha.device)]


class ShardedLoss(nn.Module):
    """The loss of the union of all processes' batches, each process ranking its own queries.

    With W processes of B/W images, a process makes B/W × B similarities instead of B × B. The value
    is the same everywhere, and the gradient that reaches a process's embeddings is that of the
    union: as one process would give. Every process must call it, and ``backward``, equally often.

    DistributedDataParallel *averages* the gradients of the parameters over processes, where their
    sum is wanted: multiply the value by W before ``backward``.

    Args:
        loss: :class:`.RecallAtKLoss`, :class:`.SmoothAPLoss`, or any mean over the queries that
            have a positive, called ``loss(queries, labels, gallery, gallery_labels, itself)``.

    Example:
        >>> loss = ShardedLoss(RecallAtKLoss())
        >>> loss(own_embeddings, own_labels).backward()
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of the union.

        Args:
            embeddings: (b, D), this process's; b may differ from process to process, and be 0.
            labels: (b,) integers.

        Returns:
            A scalar, the same on every process.

        Raises:
            ValueError: as ``loss`` does, if no query of any process has a positive.
        """
        labels = labels.to(embeddings.device)
        sizes = _gather_sizes(len(embeddings), embeddings.device)
        gallery = _Gather.apply(embeddings, sizes)  # (B, D)
        gallery_labels = _gather(labels, sizes)  # (B,)
        begin = sum(sizes[: dist.get_rank()])
        itself = torch.arange(begin, begin + len(embeddings), device=embeddings.device)
        share = _share_of_queries(gallery_labels, begin, len(embeddings))
        own = gallery.sum() * 0  # keeps a process without such queries in the backward pass
        if share > 0:
            own = own + share * self.loss(embeddings, labels, gallery, gallery_labels, itself)
        total = own.detach().clone()
        dist.all_reduce(total)
        return own + (total - own.detach())


def _share_of_queries(gallery_labels: Tensor, begin: int, count: int) -> float:
    """Of all queries that have a positive, the part that is this process's."""
    has_positive = find_positives(gallery_labels)[:, 0] >= 0
    if not has_positive.any():
        raise ValueError("no query of any process has a positive: each label occurs once")
    return int(has_positive[begin : begin + count].sum()) / int(has_positive.sum())


def _gather_sizes(size: int, device: torch.device) -> list[int]:
    sizes = [torch.empty(1, dtype=torch.int64, device=device) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([size], device=device))
    return [int(size) for size in sizes]


def _gather(values: Tensor, sizes: list[int]) -> Tensor:
    """All processes' rows in the order of ranks; shorter parts travel padded to the longest."""
    padded = values.new_zeros(max(sizes), *values.shape[1:])
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


class _Gather(torch.autograd.Function):
    """Gather rows; backward, the sum over processes of the gradients of one's own rows."""

    @staticmethod
    def forward(ctx, values, sizes):
        ctx.sizes = sizes
        return _gather(values, sizes)

    @staticmethod
    def backward(ctx, grad):
        grad = grad.contiguous()
        dist.all_reduce(grad)
        return grad.split(ctx.sizes)[dist.get_rank()], None
