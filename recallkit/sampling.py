"""Class-balanced batches: a few images of many classes."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from recallkit.checks import check_labels


class ClassBalancedSampler(Sampler[list[int]]):
    """Batches of groups: each class at most once a batch, with ``per_class`` images of it.

    At the start of an epoch the images of each class are shuffled and cut into groups. A batch
    takes groups of different classes, drawn without replacement with probability proportional to
    the groups a class has left; a class that must come in every batch to be used up comes first.
    No image comes twice in an epoch. A class smaller than ``per_class`` is a group of its own (of
    one image: it serves as a negative). Of a larger class, the rest that does not fill a group is
    a smaller group if it has two images or more. The epoch ends when no full batch can be made.

    What epoch e of a sampler holds depends on ``seed`` and e alone. Iterating moves on to the next
    epoch; :meth:`set_epoch` goes to any.

    Args:
        labels: (N,) integers, classes of any size, in any order.
        batch_size: images a batch. The last group is cut to fit, but never to a single image, so
            a batch has ``batch_size`` images or one fewer. If the classes cannot fill it, the
            largest batch they can fill is taken and a warning says so: for 98 classes in groups
            of 4, 392.
        per_class: images of a class in a batch, at least 2; None: all of them. 4 is the paper's
            choice.
        seed: of the shuffles.

    Raises:
        ValueError: for labels of a wrong shape or type, ``per_class`` below 2, ``batch_size`` below
            ``per_class``, or if no class has two images.

    Example:
        >>> sampler = ClassBalancedSampler(labels, batch_size=128)
        >>> loader = torch.utils.data.DataLoader(images, batch_sampler=sampler)
    """

    def __init__(
        self,
        labels: Tensor | Sequence[int],
        batch_size: int,
        per_class: int | None = 4,
        seed: int = 0,
    ) -> None:
        labels = torch.as_tensor(labels)
        check_labels(labels, len(labels))
        self.classes = _members(labels.cpu().numpy())
        largest = max((len(members) for members in self.classes), default=0)
        self.per_class = largest if per_class is None else per_class
        _check_sizes(batch_size, self.per_class, largest, per_class is None)
        self.batch_size = self._attainable(batch_size)
        self.seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of ``epoch`` (0, 1, …)."""
        self.epoch = epoch
        self._planned: list[list[int]] | None = None

    def __len__(self) -> int:
        """The number of batches in the epoch that comes next."""
        return len(self._batches())

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of one epoch, each a list of indices grouped by class."""
        batches = self._batches()
        self.set_epoch(self.epoch + 1)
        return iter(batches)

    def _batches(self) -> list[list[int]]:
        if self._planned is None:
            self._planned = self._plan(np.random.default_rng([self.seed, self.epoch]))
        return self._planned

    def _attainable(self, batch_size: int) -> int:
        most = sum(min(len(members), self.per_class) for members in self.classes)
        if batch_size > most:
            warnings.warn(
                f"a batch of {batch_size} cannot be filled: {len(self.classes)} classes give "
                f"{most} images at {self.per_class} a class. Batches have {most}; for larger "
                f"ones raise per_class.",
                stacklevel=3,
            )
        return min(batch_size, most)

    def _plan(self, rng: np.random.Generator) -> list[list[int]]:
        groups = [_cut(rng.permutation(members), self.per_class) for members in self.classes]
        left = np.array([len(of_class) for of_class in groups])
        expected = sum(len(group) for of_class in groups for group in of_class) // self.batch_size
        batches = []
        while True:
            batch = self._fill(groups, left, _order(rng, left, expected - len(batches)))
            if len(batch) < self.batch_size - 1:
                return batches
            batches.append(batch)

    def _fill(
        self, groups: list[list[np.ndarray]], left: np.ndarray, order: np.ndarray
    ) -> list[int]:
        """One batch, taken out of ``groups``; ``left`` counts the groups of each class."""
        batch: list[int] = []
        for c in order:
            space = self.batch_size - len(batch)
            if space < 2:
                break
            batch += groups[c].pop(0)[:space].tolist()
            left[c] -= 1
        return batch


def _members(labels: np.ndarray) -> list[np.ndarray]:
    """The indices of each class."""
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(order, borders)


def _cut(members: np.ndarray, size: int) -> list[np.ndarray]:
    """Groups of ``size``; the rest too if it can hold a query and its positive."""
    groups = np.split(members, range(size, len(members), size))
    return groups if len(groups) == 1 or len(groups[-1]) > 1 else groups[:-1]


def _order(rng: np.random.Generator, left: np.ndarray, batches: int) -> np.ndarray:
    """In which order classes join a batch if they have ``left`` groups for ``batches`` batches.

    A random order weighted by the groups left, by the keys log(u) / w of Efraimidis and Spirakis
    (2006), largest first; before it the classes that have a group for every batch to come.
    """
    candidates = np.flatnonzero(left)
    left = left[candidates]
    keys = np.log(rng.random(len(candidates))) / left
    return candidates[np.lexsort((-keys, left < batches))]


def _check_sizes(batch_size: int, per_class: int, largest: int, whole_classes: bool) -> None:
    if largest < 2:
        raise ValueError("labels must have a class of at least two images: none has a positive")
    if per_class < 2:
        raise ValueError(f"per_class must be at least 2, a query and its positive, not {per_class}")
    if batch_size < per_class and not whole_classes:
        raise ValueError(f"batch_size must be at least per_class = {per_class}, not {batch_size}")
    if batch_size < 2:
        raise ValueError(f"batch_size must be at least 2, not {batch_size}")
