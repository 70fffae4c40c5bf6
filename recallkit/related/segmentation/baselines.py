"""Two older weights of pixels: by the frequency of the class, and by the confidence."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recallkit.related.segmentation.pixels import IGNORE_INDEX, labelled_pixels


class InverseFrequencyCrossEntropy(nn.Module):
    """CE weighted by inverse frequency: every class counts the same, however few its pixels.

        L = Σ_i w[y_i] CE_i / Σ_i w[y_i],    w_c = 1 / frequency of c

    With the frequencies of the batch itself this is the mean, over the classes present, of the
    mean CE of a class.

    Args:
        frequencies: (C,) above 0, of the training set, in any unit; or None: those of each batch.
        ignore_index: the label of pixels that are left out.

    Raises:
        ValueError: for frequencies that are not finite and above 0; on call as
            :class:`.RecallCrossEntropy`.
    """

    frequencies: Tensor | None

    def __init__(self, frequencies: Any = None, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        given = None if frequencies is None else torch.as_tensor(frequencies)
        if given is not None and not (given.ndim == 1 and _are_above_0(given)):
            raise ValueError(
                f"frequencies must be finite numbers above 0, one a class, not {frequencies}"
            )
        self.register_buffer("frequencies", given)
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss, a scalar: logits (B, C, H, W), labels (B, H, W) integers."""
        pixels, classes = labelled_pixels(logits, labels, self.ignore_index)
        counts = classes.bincount(minlength=pixels.shape[1]).clamp(min=1)
        frequencies = counts if self.frequencies is None else self.frequencies
        if len(frequencies) != pixels.shape[1]:
            raise ValueError(
                f"frequencies must be {pixels.shape[1]}, one for each class of the logits, "
                f"not {len(frequencies)}"
            )
        return F.cross_entropy(pixels, classes, 1 / frequencies.to(pixels))


def _are_above_0(numbers: Tensor) -> bool:
    return bool(((numbers > 0) & numbers.isfinite()).all())


class FocalLoss(nn.Module):
    """The focal loss (Lin, Goyal, Girshick, He, Dollár, ICCV 2017) for several classes.

        L = 1/N Σ_i (1 − p_i)^γ CE_i,    p_i = softmax(logits)[y_i] = exp(−CE_i)

    The weight carries a gradient. It belongs to a pixel: a weight from the mean CE of a batch, as
    in some released code, would change only the step size.

    Args:
        gamma: γ, at least 0. 0 is CE; 2 is the choice of Lin et al.
        ignore_index: the label of pixels that are left out.

    Raises:
        ValueError: for a γ below 0; on call as :class:`.RecallCrossEntropy`.
    """

    def __init__(self, gamma: float = 2.0, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        if not 0 <= gamma < math.inf:
            raise ValueError(f"gamma must be a finite number of at least 0, not {gamma}")
        self.gamma, self.ignore_index = float(gamma), ignore_index

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss, a scalar: logits (B, C, H, W), labels (B, H, W) integers."""
        pixels, classes = labelled_pixels(logits, labels, self.ignore_index)
        entropy = F.cross_entropy(pixels, classes, reduction="none")  # (N,)
        doubt = -torch.expm1(-entropy)  # 1 − p; powers below 1 have no gradient at 0
        doubt = doubt.clamp(min=torch.finfo(doubt.dtype).tiny)
        return (doubt**self.gamma * entropy).mean()

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        return f"gamma={self.gamma}, ignore_index={self.ignore_index}"
