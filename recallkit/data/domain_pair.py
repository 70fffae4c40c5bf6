"""Two domains with the same classes: the source has labels, the target has none to train with."""

from dataclasses import dataclass

from torch import Tensor

from recallkit.data.image_set import ImageSet

__all__ = ["DomainPair"]


@dataclass(frozen=True)
class DomainPair:
    """Images of two domains; no image, drawing or handwritten digit is in two of the sets.

    Attributes:
        source: images and labels to train with.
        source_validation: images and labels for choices that see no label of the target.
        target: (N, 3, S, S) uint8 images to train with. Their labels are not here, so that no
            method can use them.
        target_validation: images and labels of the target, to show what a choice on them would
            claim; a method for an unlabelled target must not use them.
        test: images and labels of the target, for the last number.
    """

    source: ImageSet
    source_validation: ImageSet
    target: Tensor
    target_validation: ImageSet
    test: ImageSet
