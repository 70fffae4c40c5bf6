"""PCA whitening, learnt on one set of embeddings and applied to others.

Descriptors of photographs share much (sky, walls), and what many images share tells them apart
badly. Whitening rotates the axes to those of the covariance and divides by their spread:

    w(x) = L2( Λ^(−1/2) Uᵀ (x − μ) )      covariance = U Λ Uᵀ, largest λ first

Learn it on images that are not searched later: for ROxford on those of RParis, for RParis on those
of ROxford. If it is learnt on the gallery itself, it has seen the test set.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recallkit.checks import check_embeddings


@dataclass(frozen=True)
class Whitening:
    """A whitening that has been learnt; call it on embeddings.

    Attributes:
        mean: μ, (D,) float64.
        projection: Λ^(−1/2) Uᵀ, (d, D) float64.
    """

    mean: Tensor
    projection: Tensor

    def __call__(self, embeddings: Tensor) -> Tensor:
        """Whiten embeddings, (N, D) → (N, d) unit vectors of the type and device of the input.

        Raises:
            ValueError: if D is not that of the embeddings it was learnt on.
        """
        check_embeddings(embeddings)
        if embeddings.shape[1] != len(self.mean):
            raise ValueError(
                f"embeddings must have dimension {len(self.mean)}, on which the whitening was "
                f"learnt, not {embeddings.shape[1]}"
            )
        mean, projection = (t.to(embeddings.device) for t in (self.mean, self.projection))
        return normalize((embeddings.double() - mean) @ projection.T, dim=1).to(embeddings.dtype)


def fit_whitening(embeddings: Tensor, dim: int | None = None) -> Whitening:
    """Learn a PCA whitening.

    Args:
        embeddings: (N, D) floating point, of images that are not searched later.
        dim: d, how many of the directions with the largest variance λ are kept. Default: all whose
            variance is above 1e-10 of the largest.

    Raises:
        ValueError: fewer than two embeddings; a dim below 1 or above the number of directions with
            any variance, which is at most N − 1.
    """
    check_embeddings(embeddings)
    if len(embeddings) < 2:
        raise ValueError("embeddings must be at least two, to have a spread")
    values = embeddings.double()
    mean = values.mean(dim=0)
    covariance = (values - mean).T @ (values - mean) / (len(values) - 1)  # (D, D)
    spread, axes = (t.flip(-1) for t in torch.linalg.eigh(covariance))  # largest first
    usable = int((spread > 1e-10 * spread[0]).sum())
    dim = usable if dim is None else dim
    if not 1 <= dim <= usable:
        raise ValueError(
            f"dim must be from 1 to {usable}, the directions in which these {len(values)} "
            f"embeddings differ, not {dim}"
        )
    return Whitening(mean.cpu(), (axes[:, :dim] / spread[:dim].sqrt()).T.contiguous().cpu())
