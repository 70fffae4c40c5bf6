"""Class-balanced batches: a few images of many classes."""

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
from torch.utils.data import BatchSampler, Sampler

from recallkit.checks import check_labels
from recallkit.labels import canonical_labels


class ClassBalancedSampler(Sampler[list[int]]):
    """Batches of groups: each class at most once a batch, with ``per_class`` images of it.

    At the start of an epoch the images of each class are shuffled and cut into groups. A batch
    takes groups of different classes, drawn without replacement with probability proportional to
    the groups a class has left. A class that has a group for every remaining batch comes first.
    No image comes twice in an epoch. A class smaller than ``per_class`` is one group; a class of
    one image serves as a negative. In a larger class, the images that do not fill a group make a
    smaller group if they are two or more. The epoch ends when no full batch can be made.

    Every batch holds a group of two or more images, so some query has a positive. If there are
    fewer such groups than batches, the epoch ends with the last of them: no image is used twice for
    it. The classes of one image that are left over are drawn in other epochs.

    The batches of epoch e depend only on ``seed`` and e. Iterating moves on to the next epoch;
    :meth:`set_epoch` goes to any.

    Args:
        labels: (N,) integers or text, of any kind that :func:`.canonical_labels` takes; classes of
            any size, in any order.
        batch_size: images a batch. The last group is cut to fit, but never to a single image, so
            a batch has ``batch_size`` images or one fewer. If the classes cannot fill it, the
            largest batch that they can fill is used, with a warning: 392 for 98 classes in groups
            of 4.
        per_class: images of a class in a batch, at least 2; None: all of them. 4 is the paper's
            choice.
        seed: of the shuffles; the same in all processes.
        rank, world: the number of this process, and how many processes share an epoch. Each gets
            every ``world``-th batch, all equally many. Frameworks must then not share it out again:
            ``Trainer(use_distributed_sampler=False)`` in Lightning.

    Raises:
        ValueError: for labels of a wrong shape or type, ``per_class`` below 2, ``batch_size`` below
            ``per_class``, ``rank`` outside 0 … ``world`` − 1, if no class has two images, or if it
            is iterated as ``sampler=`` of a DataLoader, which would make batches of batches.

    Example:
        >>> sampler = ClassBalancedSampler(labels, batch_size=128)
        >>> loader = torch.utils.data.DataLoader(images, batch_sampler=sampler)
    """

    drop_last = True  # accelerate asks: a batch is never filled up with other images

    def __init__(
        self,
        labels: Any,
        batch_size: int,
        per_class: int | None = 4,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank must be within 0 … world − 1 = {world - 1}, not {rank}")
        self.rank, self.world = rank, world
        [labels] = canonical_labels({"labels": labels})
        check_labels(labels, labels.numel())
        members, sizes = _by_class(labels.cpu().numpy())
        largest = int(sizes.max(initial=0))
        self.per_class = largest if per_class is None else per_class
        _check_sizes(batch_size, self.per_class, largest, per_class is None)
        self._members, self._sizes = members, sizes
        self._paired = sizes > 1  # classes whose groups give a query a positive
        self._groups = _Groups.cut(sizes, self.per_class)
        self.batch_size = self._attainable(batch_size)
        self.seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of ``epoch`` (0, 1, …)."""
        self.epoch = epoch
        self._planned: list[list[int]] | None = None

    def __len__(self) -> int:
        """Count the batches of the next epoch."""
        return len(self._batches())

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of one epoch, each a list of indices grouped by class."""
        _refuse_batches_of_batches(inspect.currentframe())
        batches = self._batches()
        self.set_epoch(self.epoch + 1)
        return iter(batches)

    def _batches(self) -> list[list[int]]:
        if self._planned is None:
            batches = self._plan(np.random.default_rng([self.seed, self.epoch]))
            equally = len(batches) - len(batches) % self.world
            self._planned = batches[self.rank : equally : self.world]
        return self._planned

    def _attainable(self, batch_size: int) -> int:
        most = int(np.minimum(self._sizes, self.per_class).sum())
        if batch_size > most:
            warnings.warn(
                f"a batch of {batch_size} cannot be filled: {len(self._sizes)} classes give "
                f"{most} images at {self.per_class} a class. Batches have {most} images; to get "
                f"larger ones, raise per_class.",
                stacklevel=3,
            )
        return min(batch_size, most)

    def _plan(self, rng: np.random.Generator) -> list[list[int]]:
        """Plan all batches of an epoch at once.

        How this works: shuffling the images within each class settles which images make a group.
        What is left is to say which classes join each batch, and that needs only the count of
        groups that each class has left. So a batch is an order of classes and a few array
        operations, and no loop goes over images.
        """
        images = self._members[_shuffled_within(rng, self._sizes)]
        left = self._groups.count.copy()
        expected = self._expected()
        batches = []
        while left[self._paired].any():
            remaining = expected - len(batches)
            classes = _order(rng, left, remaining, self.batch_size, self._paired)
            places = self._fill(classes, left)
            if len(places) < self.batch_size - 1:
                break
            batches.append(images[places].tolist())
        return batches

    def _expected(self) -> int:
        """Count the batches that the images are enough for, and the groups with a positive too."""
        batches = int(self._groups.size.sum()) // self.batch_size
        if self._paired.all():
            return batches
        return min(batches, int(self._groups.count[self._paired].sum()))

    def _fill(self, classes: np.ndarray, left: np.ndarray) -> np.ndarray:
        """Take the places of one batch, a group of each class; ``left`` counts what remains."""
        groups = self._groups
        chosen = groups.first[classes] + groups.count[classes] - left[classes]  # the next of each
        size = groups.size[chosen]
        space = self.batch_size - (size.cumsum() - size)  # before each group
        fits = space >= 2  # room for a query and its positive
        size = np.minimum(size, space)[fits]
        left[classes[fits]] -= 1
        return _ranges(groups.begin[chosen[fits]], size)


@dataclass(frozen=True)
class _Groups:
    """Places 0 … N − 1, class after class, cut into groups, the same in every epoch.

    Attributes:
        begin: (G,) the first place of each group.
        size: (G,) how many places it has.
        first: (C,) the first group of each class.
        count: (C,) how many groups the class has.
    """

    begin: np.ndarray
    size: np.ndarray
    first: np.ndarray
    count: np.ndarray

    @classmethod
    def cut(cls, sizes: np.ndarray, per_class: int) -> "_Groups":
        """Cut classes into groups of ``per_class``.

        The rest of a class is a group if it can hold a query and its positive. A class of one image
        is always a group.
        """
        count = np.maximum(1, sizes // per_class + (sizes % per_class > 1))  # (C,)
        first = count.cumsum() - count
        number = _ranges(np.zeros_like(count), count)  # of each group within its class
        start = np.repeat(sizes.cumsum() - sizes, count)
        rest = np.repeat(sizes, count) - number * per_class
        return cls(start + number * per_class, np.minimum(rest, per_class), first, count)


def _by_class(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort indices (N,) by class, and count the size of each class (C,)."""
    order = np.argsort(labels, kind="stable")
    return order, np.unique(labels, return_counts=True)[1]


def _shuffled_within(rng: np.random.Generator, sizes: np.ndarray) -> np.ndarray:
    """Shuffle places (N,) within each class."""
    return np.lexsort((rng.random(sizes.sum()), np.repeat(np.arange(len(sizes)), sizes)))


def _ranges(begin: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Concatenate ranges: begin, …, begin + size − 1 for each, one after the other."""
    return np.repeat(begin - (size.cumsum() - size), size) + np.arange(size.sum())


def _order(
    rng: np.random.Generator, left: np.ndarray, batches: int, most: int, paired: np.ndarray
) -> np.ndarray:
    """Draw the order in which classes join a batch, with ``left`` groups for ``batches`` batches.

    How this works: the order is random, weighted by the groups left. Each class gets the key
    log(u) / w of Efraimidis and Spirakis (2006), and the largest keys come first. Classes that have
    a group for every batch to come precede all others. Only the first ``most`` classes are sorted,
    since more do not fit into a batch. ``paired`` (C,) tells which classes have two images or more.
    """
    candidates = np.flatnonzero(left)
    left, paired = left[candidates], paired[candidates]
    keys = np.log(rng.random(len(candidates))) / left
    keys[left < batches] -= 1e6  # log(u) is above −50: these come after all others
    if not paired.all():
        spare = int(left[paired].sum()) - (batches - 1)  # each batch to come gets one group
        _reserve(keys, np.flatnonzero(paired), spare)
    if most < len(candidates):
        foremost = np.argpartition(-keys, most)[:most]
        candidates, keys = candidates[foremost], keys[foremost]
    return candidates[np.argsort(-keys)]


def _reserve(keys: np.ndarray, paired: np.ndarray, spare: int) -> None:
    """Move the foremost paired class to the very front, and those beyond ``spare`` to the end."""
    ranked = paired[np.argsort(-keys[paired])]
    keys[ranked[0]] = 1.0  # all others are below 0
    keys[ranked[max(1, spare) :]] -= 1e7


def _refuse_batches_of_batches(frame: FrameType | None) -> None:
    """Refuse to be iterated by torch's ``BatchSampler``, which collects single indices."""
    caller = frame.f_back if frame else None
    if caller is not None and caller.f_code is BatchSampler.__iter__.__code__:
        raise ValueError(
            "ClassBalancedSampler makes whole batches: DataLoader(…, batch_sampler=sampler), "
            "without sampler=, batch_size= and shuffle="
        )


def _check_sizes(batch_size: int, per_class: int, largest: int, whole_classes: bool) -> None:
    if largest < 2:
        raise ValueError(
            "labels must have a class of at least two images: without one no query has a positive"
        )
    if per_class < 2:
        raise ValueError(f"per_class must be at least 2, a query and its positive, not {per_class}")
    if batch_size < per_class and not whole_classes:
        raise ValueError(f"batch_size must be at least per_class = {per_class}, not {batch_size}")
    if batch_size < 2:
        raise ValueError(f"batch_size must be at least 2, not {batch_size}")
