"""One loss over the batches of many processes: queries are shared out, the gallery is gathered."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from recallkit.ranks import find_positives


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
