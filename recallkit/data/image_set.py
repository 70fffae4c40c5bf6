"""What every data set becomes: images with labels, split by class."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from recallkit.data.image_files import ImageFiles


@dataclass(frozen=True)
class Protocol:
    """What is measured on a set of images.

    Attributes:
        ks: the k of R@k.
        searches: name → the images that are searched with and those that may be found, as indices;
            the latter None: all against all, each query left out of its own search. Empty: one
            search, all against all.
    """

    ks: tuple[int, ...] = (1, 2, 4, 8)
    searches: Mapping[str, tuple[Tensor, Tensor | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageSet:
    """Images and their classes.

    Attributes:
        images: (N, C, H, W) uint8, C = 3 (RGB) or 4 (RGBA, alpha not multiplied in); or files that
            are decoded when asked for, in place of such a tensor; or (N, V, C) float32, features of
            a frozen backbone for V views of each image (:mod:`recallkit.training.frozen_features`).
        labels: (N,) int64, an arbitrary number for each class.
        class_names: what each label is called, for captions.
        sources: who made each image (for emoji the foundry), or empty.
        protocol: what is measured when these are the test images.
    """

    images: Tensor | ImageFiles
    labels: Tensor
    class_names: dict[int, str]
    sources: tuple[str, ...] = ()
    protocol: Protocol = Protocol()

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(
                f"images and labels must be of the same length, "
                f"not {len(self.images)} and {len(self.labels)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """A caption for image ``index``: its class, and who made it."""
        name = self.class_names[int(self.labels[index])]
        return f"{name} ({self.sources[index]})" if self.sources else name

    def of_classes(self, classes: Tensor) -> "ImageSet":
        """The images whose label is among ``classes`` (any shape, int64), in their old order."""
        keep = torch.isin(self.labels, classes.to(self.labels)).nonzero().squeeze(1)
        return ImageSet(
            images=self.images[keep],
            labels=self.labels[keep],
            class_names={c: self.class_names[c] for c in self.labels[keep].unique().tolist()},
            sources=tuple(self.sources[i] for i in keep.tolist()) if self.sources else (),
            protocol=Protocol(self.protocol.ks),
        )


@dataclass(frozen=True)
class Splits:
    """A data set in three parts that share no class.

    ``validation`` is for every choice (rates, epochs); ``test`` is for the last number. Where a
    choice is made it may be None: what is not at hand cannot be looked at.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet | None


def are_features(images: Tensor | ImageFiles) -> bool:
    """Whether these are features (N, V, C) in the place of images."""
    return isinstance(images, Tensor) and images.is_floating_point()
