"""The form of every data set: images with labels, split by class."""

import typing
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

__all__ = ["ImageSet", "Images", "Protocol", "Splits", "are_features", "text_of_left_out"]


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
    """The measurements on a set of images.

    Attributes:
        ks: the k of R@k.
        searches: name → the images that are searched with and those that may be found, as indices.
            If the latter is None, all are searched with all, each query left out of its own search.
            An empty mapping stands for one such search of all images.
    """

    ks: tuple[int, ...] = (1, 2, 4, 8)
    searches: Mapping[str, tuple[Tensor, Tensor | None]] = field(default_factory=dict)

    def of_rows(self, keep: Tensor, count: int) -> "Protocol":
        """Return the protocol of the images at the places ``keep``, of ``count`` images."""
        new = torch.full((count,), -1)
        new[keep] = torch.arange(len(keep))

        def moved(places: Tensor) -> Tensor:
            return new[places][new[places] >= 0]

        return replace(
            self,
            searches={
                name: (moved(queries), None if gallery is None else moved(gallery))
                for name, (queries, gallery) in self.searches.items()
            },
        )


@dataclass(frozen=True)
class ImageSet:
    """Images and their classes; the set may be empty.

    Attributes:
        images: N images: a tensor, files, or features; see :class:`Images`.
        labels: (N,) int64, an arbitrary number for each class.
        class_names: the name of each label, for captions.
        sources: who made each image (for emoji the foundry), "" where it is not known; or empty.
        protocol: what is measured when these are the test images.
        groups: (N,) int64, what images have in common that must not count as a hit, such as a
            camera; None if there are no groups.

    Raises:
        ValueError: if images, labels and groups are not of the same length.
    """

    images: Images
    labels: Tensor
    class_names: dict[int, str]
    sources: tuple[str, ...] = ()
    protocol: Protocol = Protocol()
    groups: Tensor | None = None

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(
                f"images and labels must be of the same length, "
                f"not {len(self.images)} and {len(self.labels)}"
            )
        if self.groups is not None and len(self.groups) != len(self.labels):
            raise ValueError(
                f"groups must be as many as labels, not {len(self.groups)} and {len(self.labels)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def can_be_measured(self) -> bool:
        """Tell whether each search of the protocol has a query that something can be found for."""
        labels = self.labels.tolist()
        groups = range(len(self)) if self.groups is None else self.groups.tolist()
        searches = self.protocol.searches or {"": (torch.arange(len(self)), None)}
        return all(
            _finds_any(labels, groups, queries.tolist(), (queries if g is None else g).tolist())
            for queries, g in searches.values()
        )

    def name(self, index: int) -> str:
        """Make a caption for image ``index``: its class, and who made it."""
        name = self.class_names[int(self.labels[index])]
        source = self.sources[index] if self.sources else ""
        return f"{name} ({source})" if source else name

    def of_classes(self, classes: Tensor) -> "ImageSet":
        """Choose the images whose label is among ``classes`` (any shape, int64), order kept.

        Searches of the protocol are left out.
        """
        keep = torch.isin(self.labels, classes.to(self.labels)).nonzero().squeeze(1)
        return replace(self, protocol=Protocol(self.protocol.ks)).of_rows(keep)

    def of_some_classes(self, count: int) -> "ImageSet":
        """Choose the images of ``count`` classes, drawn at random but always the same.

        Those drawn for a smaller ``count`` are among those for a larger one.

        Raises:
            ValueError: if there are fewer classes.
        """
        classes = self.labels.unique()
        if count > len(classes):
            raise ValueError(f"count must be at most {len(classes)}, the classes, not {count}")
        order = np.random.default_rng(0).permutation(len(classes))
        return self.of_classes(classes[order[:count]])

    def of_rows(self, keep: Tensor) -> "ImageSet":
        """Choose the images at these places, (M,) int64, each at most once.

        The searches of the protocol go on with those of their images that are kept.
        """
        return ImageSet(
            images=self.images[keep],
            labels=self.labels[keep],
            class_names={c: self.class_names[c] for c in self.labels[keep].unique().tolist()},
            sources=tuple(self.sources[i] for i in keep.tolist()) if self.sources else (),
            protocol=self.protocol.of_rows(keep, len(self)),
            groups=None if self.groups is None else self.groups[keep],
        )


@dataclass(frozen=True)
class Splits:
    """A data set in three splits. They share no class, unless the user's own splits do.

    ``validation`` is for every choice (learning rate, epochs); ``test`` is for the last number.
    Where a choice is made, ``test`` may be empty: see :meth:`without_test`.

    Attributes:
        train: what a network is trained on.
        validation: for choices.
        test: for the last number.
        source: the folder or list file of the user's own images; "" for other data sets.
        left_out: what of it is left out and why, a phrase each.
        notes: what else there is to know about it, a sentence each.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    source: str = field(default="", kw_only=True)
    left_out: tuple[str, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def describe(self) -> str:
        """Say in a paragraph what was used and what was left out; "" for other data sets."""
        if not self.source:
            return ""
        used = {part: images for part, images in self._parts().items() if len(images)}
        classes = {name for images in used.values() for name in images.class_names.values()}
        count = sum(len(images) for images in used.values())
        of_parts = ", ".join(
            f"{part}: {len(images):,} images of {len(images.class_names):,} classes"
            for part, images in used.items()
        )
        kept = f"used {count:,} images of {len(classes):,} classes from {self.source}"
        kept += f" ({of_parts})" if len(used) > 1 else ""
        sentences = [f"{kept}; {text_of_left_out(self.left_out)}"]
        return " ".join(f"{text}." for text in (*sentences, *self.notes))

    def part(self, name: str) -> ImageSet:
        """Choose "train", "validation" or "test".

        Raises:
            ValueError: for another name.
        """
        if name not in self._parts():
            raise ValueError(f"split must be one of {', '.join(self._parts())}, not {name!r}")
        return self._parts()[name]

    def only(self, name: str) -> "Splits":
        """Keep one part, and put empty sets in the place of the others.

        Raises:
            ValueError: for another name than "train", "validation" or "test".
        """
        kept = self.part(name)
        none = kept.of_classes(torch.empty(0, dtype=torch.int64))
        return replace(self, **{part: none for part in self._parts() if part != name})

    def all_as_test(self) -> "Splits":
        """Put all images into the test set.

        Raises:
            ValueError: if the images are files: a benchmark is measured by its protocol. Or if they
                have groups: each part numbers its own, so that a number says nothing in another.
        """
        sets = list(self._parts().values())
        images = [part.images for part in sets if isinstance(part.images, Tensor)]
        if len(images) < len(sets):
            raise ValueError(
                "split must be test, validation or train for a benchmark, whose protocol measures "
                "its test images, not 'all'"
            )
        if any(part.groups is not None and len(part) for part in sets):
            raise ValueError(
                "split must be test, validation or train for images with groups, which each part "
                "numbers for itself, not 'all'"
            )
        sources = [source for part in sets for source in part.sources or [""] * len(part)]
        whole = ImageSet(
            images=torch.cat(images),
            labels=torch.cat([part.labels for part in sets]),
            class_names={k: v for part in sets for k, v in part.class_names.items()},
            sources=tuple(sources) if any(sources) else (),
            protocol=Protocol(self.test.protocol.ks),
        )
        return replace(self, test=whole).only("test")

    def _parts(self) -> dict[str, ImageSet]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def without_test(self) -> "Splits":
        """Put an empty set in the place of the test images, which are not touched."""
        return replace(self, test=self.validation.of_classes(torch.empty(0, dtype=torch.int64)))


def _finds_any(
    labels: Sequence[int], groups: Sequence[int], queries: Sequence[int], gallery: Sequence[int]
) -> bool:
    """Tell whether a query has an image of its class, and of another group, in the gallery."""
    groups_of: dict[int, set[int]] = defaultdict(set)  # class → groups of its images
    for place in gallery:
        groups_of[labels[place]].add(groups[place])
    return any(groups_of[labels[place]] - {groups[place]} for place in queries)


def text_of_left_out(left_out: Sequence[str]) -> str:
    """Say what is left out, for the end of a sentence."""
    return f"left out: {', '.join(left_out)}" if left_out else "nothing is left out"


def are_features(images: Images) -> typing.TypeGuard[Tensor]:
    """Tell whether these are features (N, V, C) in the place of images."""
    return isinstance(images, Tensor) and images.is_floating_point()
