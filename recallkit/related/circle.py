r"""Circle loss: every pair is pushed by its own distance to where it should be.

    L = log(1 + Σ_n exp(γ α_n (s_n − Δ_n)) · Σ_p exp(−γ α_p (s_p − Δ_p)))
    α_n = [s_n − O_n]₊,  α_p = [O_p − s_p]₊
    O_n = −m,  O_p = 1 + m,  Δ_n = m,  Δ_p = 1 − m

The weights α have no gradient. One positive and one negative are balanced where
s_n² + (s_p − 1)² = 2 m²: a circle in the plane of the two similarities, hence the name.

Source: Y. Sun and others, *Circle Loss: A Unified Perspective of Pair Similarity Optimization*,
CVPR 2020, arXiv 2002.10857.
"""

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from recallkit.checks import check_embeddings, check_labels
from recallkit.labels import canonical_labels
from recallkit.loss_inputs import Gallery, UnitLengthCheck, as_gallery
from recallkit.ranks.precision import products_in
from recallkit.related.pairs import Pairs, all_pairs

Reduction = Literal["anchor", "pairs"]


def circle_rows(pairs: Pairs, margin: float, gamma: float, weighted: bool = True) -> Tensor:
    """Compute the circle loss of each row of similarities.

    Args:
        pairs: similarities (R, N) with their positives and negatives; each row has both.
        margin: m.
        gamma: γ.
        weighted: False: α = 1 for all pairs.

    Returns:
        (R,) of the dtype of the similarities, each above 0.
    """
    as_negative, as_positive = _exponents(pairs.similarities, margin, gamma, weighted)
    negatives = as_negative.masked_fill(~pairs.negative, -torch.inf).logsumexp(dim=1)  # (R,)
    positives = as_positive.masked_fill(~pairs.positive, -torch.inf).logsumexp(dim=1)  # (R,)
    both = negatives + positives
    return torch.logaddexp(both, torch.zeros_like(both))  # softplus, without its threshold


def _exponents(
    similarities: Tensor, margin: float, gamma: float, weighted: bool
) -> tuple[Tensor, Tensor]:
    """Return the exponent of each similarity as a negative's, and as a positive's."""
    as_negative, as_positive = similarities - margin, 1 - margin - similarities
    if weighted:
        fixed = similarities.detach()
        as_negative = (fixed + margin).clamp(min=0) * as_negative
        as_positive = (1 + margin - fixed).clamp(min=0) * as_positive
    return gamma * as_negative, gamma * as_positive


class CircleLoss(nn.Module):
    r"""Circle loss on the pairs of a batch (Sun and others, CVPR 2020).

        L = mean over queries of log(1 + Σ_n exp(γ α_n (s_n − m)) · Σ_p exp(−γ α_p (s_p − 1 + m)))
        α_n = [s_n + m]₊,  α_p = [1 + m − s_p]₊, without a gradient

    Similarities are dot products, and the margin is made for cosines: give it vectors of unit
    length. The virtual examples of SiMix are shorter, as for all losses here, and their
    similarities are the mixed ones. The loss is never 0, and it depends on how large similarities
    are: a perfect ranking has no one value. It keeps about eight tables of Q × N numbers, so its
    memory grows with the square of the batch: 0.5 GB for 4,000 in float32.

    Args:
        margin: m, from 0 on. It relaxes the goal: a positive at 1 − m or above and a negative at m
            or below are good enough. 0.4 is the authors' choice for images of fine-grained
            classes; 0.25 that for faces and persons.
        gamma: γ, the scale, above 0. 80 is the authors' choice for such images, 128 for persons and
            256 for faces. A larger one hears the worst pairs only.
        reduce: what is put into one logarithm. ``"anchor"``: the pairs of each query, and then the
            mean over the queries that have a positive. This is the formula of the paper, for each
            query, and the form of pytorch-metric-learning. It is the default because all other
            losses here are such means. ``"pairs"``: all pairs of the batch at once, each once, as
            other common implementations do it. The worst pairs of the whole batch then take nearly
            all of the gradient. Of queries and a gallery all Q·N pairs count.
        weighted: False: α = 1. With one positive and one negative, L / γ is then the triplet loss
            with the margin 1 − 2 m, in the limit of a large γ.

    Raises:
        ValueError: for a margin below 0, a gamma that is not above 0, another ``reduce``; on call
            as :class:`.RecallAtKLoss`.

    Example:
        >>> loss = CircleLoss()
        >>> embeddings = torch.nn.functional.normalize(torch.randn(8, 16), dim=1)
        >>> value = loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    """

    def __init__(
        self,
        margin: float = 0.4,
        gamma: float = 80.0,
        reduce: Reduction = "anchor",
        weighted: bool = True,
    ) -> None:
        super().__init__()
        self.margin, self.gamma = _checked(margin, gamma)
        if reduce not in get_args(Reduction):
            raise ValueError(f'reduce must be "anchor" or "pairs", not {reduce!r}')
        self.reduce, self.weighted = reduce, weighted
        self.check_lengths = UnitLengthCheck()

    def forward(
        self,
        embeddings: Tensor,
        labels: Any,
        gallery: Tensor | None = None,
        gallery_labels: Any = None,
        itself: Tensor | None = None,
        *,
        indices_tuple: tuple[Tensor, ...] | None = None,
        ref_emb: Tensor | None = None,
        ref_labels: Any = None,
    ) -> Tensor:
        """Compute the loss of a batch against itself, or of queries against a gallery.

        The arguments are those of :meth:`.RecallAtKLoss.forward`.

        Returns:
            A scalar, float32 or float64. 0, with a gradient of 0, where all labels are the same:
            there is nothing to be separated.
        """
        given = Gallery(gallery, gallery_labels, itself)
        given = as_gallery(embeddings, given, (indices_tuple, ref_emb, ref_labels))
        pairs = all_pairs(embeddings, labels, given)
        self.check_lengths(embeddings, embeddings if given.gallery is None else given.gallery)
        if self.reduce == "pairs":
            pairs = pairs.in_one_row(symmetric=given.gallery is None)
        else:
            pairs = pairs.of_queries_with_positives()
        if not pairs.negative.any():
            return 0 * pairs.similarities.sum()
        return circle_rows(pairs, self.margin, self.gamma, self.weighted).mean()

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        return (
            f"margin={self.margin}, gamma={self.gamma}, reduce={self.reduce!r}, "
            f"weighted={self.weighted}"
        )


class ClassCircleLoss(nn.Module):
    r"""Circle loss on similarities to one learned vector for each class.

    The positive of an image is the vector of its class, and the vectors of all other classes are
    its negatives; the loss is the mean over the batch. With α = 1 it is AM-softmax: cross-entropy
    of γ s with the margin 1 − 2 m taken from the similarity to the right class. Embeddings that are
    clearly not of unit length cause a warning, once.

    Args:
        weights: (K, D) floating, the first values of the vectors, one for each class. They become
            a parameter, and are divided by their lengths in each call.
        classes: (K,) labels of the rows, integers or text, each once. None: 0 … K − 1.
        margin: m, from 0 on; 0.25 is the authors' choice for faces, the task that has this form.
        gamma: γ, above 0; 256 is their choice for faces.
        weighted: False: α = 1.

    Raises:
        ValueError: for settings as :class:`CircleLoss`, weights or classes of another form; on call
            for embeddings that do not fit, or a label that has no vector.

    Example:
        >>> loss = ClassCircleLoss(torch.randn(100, 16))
        >>> embeddings = torch.nn.functional.normalize(torch.randn(8, 16), dim=1)
        >>> value = loss(embeddings, torch.arange(8))
    """

    def __init__(
        self,
        weights: Tensor,
        classes: Any = None,
        margin: float = 0.25,
        gamma: float = 256.0,
        weighted: bool = True,
    ) -> None:
        super().__init__()
        check_embeddings(weights, "weights")
        self.margin, self.gamma = _checked(margin, gamma)
        self.weighted = weighted
        self.classes = torch.arange(len(weights)) if classes is None else classes
        [numbers] = canonical_labels({"classes": self.classes})
        check_labels(numbers, len(weights), "classes")
        if len(numbers.unique()) < len(numbers):
            raise ValueError("classes must hold each label once")
        self.weights = nn.Parameter(weights.detach().clone())
        self.check_lengths = UnitLengthCheck()

    def forward(self, embeddings: Tensor, labels: Any) -> Tensor:
        """Compute the loss of a batch.

        Args:
            embeddings: (B, D) of unit length.
            labels: (B,) of the kind of ``classes``.

        Returns:
            A scalar, float32 or float64. 0 where there is one class only.
        """
        check_embeddings(embeddings)
        if embeddings.shape[1] != self.weights.shape[1]:
            raise ValueError(
                f"embeddings must have D = {self.weights.shape[1]} columns as the weights, "
                f"not {embeddings.shape[1]}"
            )
        own = self._own_vectors(embeddings, labels)  # (B, K)
        self.check_lengths(embeddings, embeddings)
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        with products_in("float32", embeddings.device.type):
            vectors = nn.functional.normalize(self.weights.to(dtype), dim=1)
            similarities = embeddings.to(dtype) @ vectors.T  # (B, K)
        if own.shape[1] == 1:
            return 0 * similarities.sum()
        pairs = Pairs(similarities, own, ~own)
        return circle_rows(pairs, self.margin, self.gamma, self.weighted).mean()

    def _own_vectors(self, embeddings: Tensor, labels: Any) -> Tensor:
        """Return (B, K) bool, the vector of each image's class."""
        labels, classes = canonical_labels({"labels": labels, "classes": self.classes})
        check_labels(labels, len(embeddings))
        device = embeddings.device
        own = labels.to(device)[:, None] == classes.to(device)
        if not (found := own.any(dim=1)).all():
            raise ValueError(
                f"labels must stand in classes, each with a vector of its own: "
                f"row {int((~found).nonzero()[0])}, counted from 0, does not"
            )
        return own

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        return (
            f"classes={len(self.weights)}, margin={self.margin}, gamma={self.gamma}, "
            f"weighted={self.weighted}"
        )


def _checked(margin: float, gamma: float) -> tuple[float, float]:
    """Return margin and scale, or refuse them by name."""
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin must be a finite number of at least 0, not {margin}")
    if not (math.isfinite(gamma) and gamma > 0):
        raise ValueError(f"gamma must be a finite number above 0, not {gamma}")
    return float(margin), float(gamma)
