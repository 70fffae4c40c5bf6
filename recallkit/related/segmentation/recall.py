"""The recall loss: cross-entropy, each class weighted by the share of its pixels that is missed."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recallkit.related.segmentation.pixels import IGNORE_INDEX, labelled_pixels

REDUCTIONS = ("mean", "weighted")


def recall_weights(logits: Tensor, labels: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Compute the weight of each class: the share of its pixels that the argmax misses.

        w_c = max(FN_c, 1) / max(GT_c, 1),    without the maxima 1 − recall_c

    Both counters are at least 1, as in the released code. A class that is absent from the batch
    has weight 1. A class without a miss has 1 / GT_c, so that it does not lose all its gradient.

    Args:
        logits: (B, C, H, W) floating.
        labels: (B, H, W) integers from 0 to C − 1, or ``ignore_index``.
        ignore_index: the label of pixels that are left out.

    Returns:
        (C,) in 0 … 1, without a gradient; float64 for float64 logits, else float32.

    Raises:
        ValueError: as :class:`RecallCrossEntropy`.
    """
    return _weights_of_pixels(*labelled_pixels(logits, labels, ignore_index))


def _weights_of_pixels(logits: Tensor, labels: Tensor) -> Tensor:
    missed = labels[logits.argmax(dim=1) != labels]
    counts = [labels.bincount(minlength=logits.shape[1]) for labels in (missed, labels)]
    misses, pixels = (count.clamp(min=1).to(logits.dtype) for count in counts)
    return misses / pixels  # (C,)


class RecallCrossEntropy(nn.Module):
    """The recall loss (Tian, Mithun, Seymour, Chiu, Kira, ICRA 2022): CE weighted by missed recall.

        mean:      L = 1/N Σ_i w[y_i] CE_i
        weighted:  L = Σ_i w[y_i] CE_i / Σ_i w[y_i]

    with the weights of :func:`recall_weights`, which carry no gradient, and N labelled pixels. If
    all pixels are wrong, both forms are CE. In the released code ignored pixels overwrite the count
    of a class, and the first form divides by all pixels; here they count nowhere.

    Args:
        reduce: ``"mean"``, the form that the released training uses, or ``"weighted"``.
        keep: share of the old weights in the new, 0 to below 1: w ← keep · w + (1 − keep) · w of
            the batch. 0: each batch stands alone. 0.5 is that of the released weighted form, where
            batches are small and recalls jump. The first batch sets w.
        classes: C, needed with ``keep`` alone: the state dict then holds a weight for each.
        ignore_index: the label of pixels that are left out.

    In evaluation mode the kept weights are used and stay as they are. Each process of a distributed
    training weighs by the recall of its own batch.

    Raises:
        ValueError: for other arguments; on call for shapes or types that disagree, logits that are
            not finite, labels out of range, or if all pixels are ignored.

    Example:
        >>> loss = RecallCrossEntropy()
        >>> value = loss(torch.randn(2, 4, 8, 8), torch.randint(0, 4, (2, 8, 8)))
    """

    weights: Tensor | None
    batches: Tensor

    def __init__(
        self,
        reduce: str = "mean",
        keep: float = 0.0,
        classes: int | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        if reduce not in REDUCTIONS:
            raise ValueError(f"reduce must be one of {REDUCTIONS}, not {reduce!r}")
        if not 0 <= keep < 1:
            raise ValueError(f"keep must be at least 0 and below 1, not {keep}")
        if keep and not classes:
            raise ValueError("classes must be given with keep: the number of classes C")
        self.reduce, self.keep, self.ignore_index = reduce, float(keep), ignore_index
        self.register_buffer("weights", torch.ones(classes or 0) if keep else None)
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64), persistent=bool(keep))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss, a scalar: logits (B, C, H, W), labels (B, H, W) integers."""
        pixels, classes = labelled_pixels(logits, labels, self.ignore_index)
        weights = self._updated(_weights_of_pixels(pixels, classes))[classes]  # (N,)
        weighted = weights * F.cross_entropy(pixels, classes, reduction="none")
        return weighted.mean() if self.reduce == "mean" else weighted.sum() / weights.sum()

    def _updated(self, of_batch: Tensor) -> Tensor:
        """Return the weights to use; in training mode the state takes those of the batch in."""
        if self.weights is None:
            return of_batch
        if len(of_batch) != len(self.weights):
            raise ValueError(
                f"logits must have the {len(self.weights)} classes of the running weights, "
                f"not {len(of_batch)}"
            )
        if self.training:
            keep = self.keep if self.batches else 0.0
            mixed = keep * self.weights.to(of_batch) + (1 - keep) * of_batch
            self.weights = mixed  # in the precision of the logits
            self.batches += 1
        return self.weights.to(of_batch) if self.batches else of_batch

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        return f"reduce={self.reduce!r}, keep={self.keep}, ignore_index={self.ignore_index}"
