"""What every data set becomes: images with labels, split by class."""

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

__all__ = ["ImageSet", "Images", "Protocol", "Splits", "are_features"]


class Images(typing.Protocol):
    """N images, or what stands in their place. Three things satisfy it.

    - A tensor (N, C, H, W) uint8, C = 3 (RGB) or 4 (RGBA, alpha not multiplied in).
    - :class:`.ImageFiles`: files that are decoded when they are asked for, to (N, 3, S, S) uint8.
    - A tensor (N, V, C) float32: features of a frozen backbone for V views of each image
      (:mod:`recallkit.training.frozen_features`).
    """

    @property
    def shape(self) -> torch.Size:
        """Shape of all images, N first; of image files that of the decoded ones."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: typing.Any, /) -> typing.Any:
        """Give one image for a number, and the like of this for a slice, a list or a tensor."""
        ...

    def split(self, size: int, /) -> Iterable[Tensor]:
        """Give the images in order, ``size`` at a time; the last chunk may have fewer."""
        ...

    def to(self, device: torch.device | str, /) -> Tensor:
        """Give all images as one tensor on a device."""
        ...


@dataclass(frozen=True)
class Protocol:
    """What is measured on a set of images.

    Attributes:
        ks: the k of R@k.
        searches: name → the images that are searched with and those that may be found, as indices.
            If the latter is None, all are searched with all, each query left out of its own search.
            An empty mapping stands for one such search of all images.
    """

    ks: tuple[int, ...] = (1, 2, 4, 8)
    searches: Mapping[str, tuple[Tensor, Tensor | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageSet:
    """Images and their classes; the set may be empty.

    Attributes:
        images: N images: a tensor, files, or features; see :class:`Images`.
        labels: (N,) int64, an arbitrary number for each class.
        class_names: the name of each label, for captions.
        sources: who made each image (for emoji the foundry), or empty.
        protocol: what is measured when these are the test images.
    """

    images: Images
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
        """Make a caption for image ``index``: its class, and who made it."""
        name = self.class_names[int(self.labels[index])]
        return f"{name} ({self.sources[index]})" if self.sources else name

    def of_classes(self, classes: Tensor) -> "ImageSet":
        """Choose the images whose label is among ``classes`` (any shape, int64), order kept."""
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
    """A data set in three splits that share no class.

    ``validation`` is for every choice (learning rate, epochs); ``test`` is for the last number.
    Where a choice is made, ``test`` may be empty: see :meth:`without_test`.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet

    def without_test(self) -> "Splits":
        """Put an empty set in the place of the test images, which are not touched."""
        return replace(self, test=self.validation.of_classes(torch.empty(0, dtype=torch.int64)))


def are_features(images: Images) -> typing.TypeGuard[Tensor]:
    """Tell whether these are features (N, V, C) in the place of images."""
    return isinstance(images, Tensor) and images.is_floating_point()
