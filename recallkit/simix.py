"""SiMix: virtual examples between two images of a class, at the price of a few dot products.

A virtual example v = α x + (1 − α) z has the similarities s(w, v) = α s(w, x) + (1 − α) s(w, z).
To mix similarities is therefore the same as to mix embeddings: no image is mixed, and the network
is not run again. (Patel, Tolias, Matas, CVPR 2022.)
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from recallkit.checks import check_embeddings, check_labels
from recallkit.labels import canonical_labels


class SimilarityMixup(nn.Module):
    """Add to a batch one virtual example for every unordered pair of the same class.

        v = α x + (1 − α) z,    α ~ U(0, 1) drawn for each pair and each call

    The virtual example has the label of its parents and is not scaled back to unit length. A class
    of n gives n (n − 1) / 2 of them: four images become ten examples, 4,000 in groups of four
    become 10,000. Classes may have any size; a class of one image gives none.

    Args:
        generator: the source of α; its device may differ from the embeddings'. None: the default
            generator of the embeddings' device.

    Example:
        >>> mix = SimilarityMixup()
        >>> embeddings, labels = mix(torch.randn(8, 16), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]))
        >>> embeddings.shape
        torch.Size([20, 16])
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, embeddings: Tensor, labels: Any) -> tuple[Tensor, Tensor]:
        """Mix a batch.

        Args:
            embeddings: (B, D) floating.
            labels: (B,) integers or text, of any kind that :func:`.canonical_labels` takes.

        Returns:
            (B', D) embeddings and (B',) labels: the batch as it came, then the virtual examples.

        Raises:
            ValueError: for shapes that disagree, an empty batch or non-finite embeddings.
        """
        check_embeddings(embeddings)
        [labels] = canonical_labels({"labels": labels})
        check_labels(labels, len(embeddings))
        labels = labels.to(embeddings.device)  # lists and arrays come on the CPU
        first, second = same_class_pairs(labels)
        alpha = self.draw(len(first), embeddings)
        # Rows by embedding(): the backward pass of embeddings[first] adds them one after the other.
        parents = embedding(first, embeddings), embedding(second, embeddings)  # (M, D) each
        virtual = torch.lerp(parents[1], parents[0], alpha[:, None])
        return torch.cat([embeddings, virtual]), torch.cat([labels, labels[first]])

    def draw(self, count: int, like: Tensor) -> Tensor:
        """Draw α of ``count`` pairs: (M,) from 0 to 1, with dtype and device of ``like``."""
        device = self.generator.device if self.generator else like.device
        return torch.rand(count, generator=self.generator, device=device).to(like)


def same_class_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """List every unordered pair of items of one class, without a B×B mask.

    Args:
        labels: (B,) integers in any order.

    Returns:
        Two int64 tensors (M,), M = Σ n_c (n_c − 1) / 2: the members of each pair.
    """
    order = torch.argsort(labels, stable=True)
    sizes = torch.unique(labels, return_counts=True)[1]  # (C,)
    end = sizes.cumsum(0).repeat_interleave(sizes)  # (B,) where the class of each place ends
    place = torch.arange(len(labels), device=labels.device)
    later = end - place - 1  # (B,) members of the class that come after
    first = place.repeat_interleave(later)  # (M,)
    begin = (later.cumsum(0) - later).repeat_interleave(later)
    second = first + 1 + torch.arange(len(first), device=labels.device) - begin
    return order[first], order[second]
