"""The structural similarity loss: cross-entropy where the shape of a class is not yet met."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recallkit.related.segmentation.pixels import IGNORE_INDEX, full_precision, labelled_pixels


class StructuralSimilarityLoss(nn.Module):
    r"""The structural similarity loss, SSL (Zhao, Wu, Chu, Hu, Cai, arXiv 1910.08711).

    Each class is a map: y is 1 where it is the label, p its softmax. Both are compared after they
    are standardised by the mean μ and the deviation σ of a small Gaussian window around the pixel:

        e[n,c] = |(y − μ_y + C) / (σ_y + C) − (p − μ_p + C) / (σ_p + C)|
        f[n,c] = 1 if e[n,c] > β · e_max else 0
        S = Σ e f (−y log p) / Σ f,        L = share · mean CE + (1 − share) · S

    e and f are weights without a gradient. If f is 0 everywhere, S is 0. A region that is flat in
    both maps has e = 0, however wrong p is: S alone cannot mend it, the CE beside it can.
    The windows end at the border of the image and at ignored pixels, whose weight in them is 0.

    There is no released code, and these readings of the paper are *not verified*: the values of
    ``constant`` and ``threshold``, e_max as the maximum of the batch, softmax and not a sigmoid for
    each class, weights without a gradient, and the share of CE.

    Args:
        window: side of the window, odd; 3 sees a border one pixel away.
        sigma: of the Gaussian in pixels; 1.5 is usual for structural similarity.
        constant: C, keeps flat regions from a division by 0.
        threshold: β; pixels with less than this share of the largest error have no weight.
        share: of the plain CE, 0 to 1; 0.5 weighs both the same.
        ignore_index: the label of pixels that are left out.

    Raises:
        ValueError: for an even window, or other numbers out of range; on call as
            :class:`.RecallCrossEntropy`.
    """

    def __init__(
        self,
        window: int = 3,
        sigma: float = 1.5,
        constant: float = 0.01,
        threshold: float = 0.1,
        share: float = 0.5,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        if window < 1 or window % 2 == 0:
            raise ValueError(f"window must be odd and at least 1, not {window}")
        for name, value in {"sigma": sigma, "constant": constant}.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be a finite number above 0, not {value}")
        for name, value in {"threshold": threshold, "share": share}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {value}")
        self.window, self.sigma, self.constant = window, float(sigma), float(constant)
        self.threshold, self.share, self.ignore_index = float(threshold), float(share), ignore_index

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss, a scalar: logits (B, C, H, W), labels (B, H, W) integers."""
        pixels, classes = labelled_pixels(logits, labels, self.ignore_index)
        entropy = F.cross_entropy(pixels, classes, reduction="none")  # (N,)
        errors = self.errors(logits, labels).movedim(1, -1)[labels != self.ignore_index]  # (N, C)
        errors = errors * (errors > self.threshold * errors.max())
        of_label = errors.gather(1, classes[:, None]).squeeze(1)  # y is 0 for the other classes
        structural = (of_label * entropy).sum() / errors.count_nonzero().clamp(min=1)
        return self.share * entropy.mean() + (1 - self.share) * structural

    @torch.no_grad()
    def errors(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute e (B, C, H, W), without a gradient; 0 at ignored pixels."""
        labelled_pixels(logits, labels, self.ignore_index)
        present = (labels != self.ignore_index)[:, None]  # (B, 1, H, W)
        classes = labels.long().masked_fill(~present[:, 0], 0)
        predicted = full_precision(logits).softmax(dim=1)
        true = F.one_hot(classes, logits.shape[1]).movedim(-1, 1).to(predicted)
        true, predicted = (self._standardised(map_, present) for map_ in (true, predicted))
        return (true - predicted).abs().masked_fill(~present, 0)

    def _standardised(self, values: Tensor, present: Tensor) -> Tensor:
        mean, deviation = local_moments(values, present, gaussian_window(self.window, self.sigma))
        return (values - mean + self.constant) / (deviation + self.constant)

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        names = ("window", "sigma", "constant", "threshold", "share", "ignore_index")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


def gaussian_window(side: int, sigma: float) -> list[list[float]]:
    """Return the (side, side) weights of a Gaussian window around its centre; their sum is 1."""
    middle = side // 2
    line = [math.exp(-((i - middle) ** 2) / (2 * sigma**2)) for i in range(side)]
    total = sum(line)
    return [[a * b / total**2 for b in line] for a in line]


def local_moments(
    values: Tensor, present: Tensor, window: list[list[float]]
) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation of the window around each pixel.

    Args:
        values: (B, C, H, W).
        present: (B, 1, H, W) bool; other pixels, and those outside of the image, do not count.
        window: as of :func:`gaussian_window`; what is left of it is scaled to the sum 1.

    Returns:
        Two tensors (B, C, H, W). They mean nothing where no pixel of the window is present.
    """
    values, counts = values.masked_fill(~present, 0), present.to(values.dtype)
    total = sum(weight * near for weight, near in _neighbours(counts, window))
    total = torch.as_tensor(total).clamp(min=torch.finfo(values.dtype).tiny)
    mean = torch.zeros_like(values)
    for weight, near in _neighbours(values, window):
        mean += weight * near / total
    variance = torch.zeros_like(values)
    pairs = zip(_neighbours(values, window), _neighbours(counts, window), strict=True)
    for (weight, near), (_, counted) in pairs:
        variance += weight * counted * (near - mean) ** 2 / total
    return mean, variance.sqrt()


def _neighbours(values: Tensor, window: list[list[float]]) -> Iterator[tuple[float, Tensor]]:
    """Give each weight of a window with the map (B, C, H, W) of the neighbours that it weighs."""
    height, width = values.shape[-2:]
    reach = len(window) // 2
    padded = F.pad(values, (reach, reach, reach, reach))
    for i, row in enumerate(window):
        for j, weight in enumerate(row):
            yield weight, padded[..., i : i + height, j : j + width]
