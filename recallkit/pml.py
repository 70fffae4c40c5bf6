"""Helpers for pytorch-metric-learning, which asks a loss for more than a call.

The losses of recallkit take its arguments (``ref_emb``, ``ref_labels`` and tuples of all pairs), so
trainers and ``MultipleLosses`` call them as they are. ``CrossBatchMemory`` has a list of its own
losses, and ``DistributedLossWrapper`` wants its own class.
"""

from typing import Any

from torch import Tensor, nn

from recallkit.errors import needs_extra

with needs_extra("recallkit.pml"):
    from pytorch_metric_learning import losses

__all__ = ["CrossBatchMemory", "MetricLoss"]


class CrossBatchMemory(losses.CrossBatchMemory):
    """pytorch-metric-learning's memory of past batches, for any loss.

    Each query is ranked in the memory, where it is left out itself.

    Example:
        >>> loss = CrossBatchMemory(RecallAtKLoss(), embedding_size=128, memory_size=4096)
        >>> loss(embeddings, labels).backward()
    """

    @classmethod
    def check_loss_support(cls, loss_name: str) -> None:
        """Take any loss that is called as pytorch-metric-learning calls its own."""


class MetricLoss(losses.BaseMetricLossFunction):
    """A loss of recallkit as a loss of pytorch-metric-learning.

    Args:
        loss: :class:`.RecallAtKLoss`, :class:`.SmoothAPLoss`.
        settings: of the base class.

    Example:
        >>> loss = DistributedLossWrapper(MetricLoss(RecallAtKLoss()))
    """

    def __init__(self, loss: nn.Module, **settings: Any) -> None:
        super().__init__(**settings)
        self.loss = loss

    def compute_loss(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices_tuple: tuple[Tensor, ...] | None,
        ref_emb: Tensor,
        ref_labels: Tensor,
    ) -> dict[str, dict[str, Any]]:
        """Return the mean over queries, in the form that the base class wants."""
        value = self.loss(embeddings, labels, indices_tuple, ref_emb, ref_labels)
        return {"loss": {"losses": value, "indices": None, "reduction_type": "already_reduced"}}
