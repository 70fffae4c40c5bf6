"""The classes that train, validate and test, by a hash of their names.

    x(name) = SHA-256 of "seed, name", as a number in [0, 1)
    test         x < 1/2
    validation   1/2 ≤ x < 1/2 + 1/14, a seventh of the rest
    train        else

The name of a class and the seed decide, and nothing else: on every machine, in every version of
Python. So a class that is added moves no other class. Few classes may fall on one side, though; so
that small folders can be split, each side gets at least three classes of two or more images, those
nearest to its border. Only there, in folders of up to about twenty classes, can a new class move
another one. A run stores its classes, and keeps them.
"""

import hashlib
from collections.abc import Collection, Mapping

__all__ = ["PARTS", "hold_out_validation", "split_classes"]

PARTS = ("train", "validation", "test")

TEST = 1 / 2
VALIDATION = 1 / 7  # of the classes that are not for test

_LEAST = 3  # classes of two images on each side: of those not for test two train, one validates


def split_classes(sizes: Mapping[str, int], seed: int = 0) -> dict[str, str]:
    """Assign each class to "train", "validation" or "test".

    Args:
        sizes: class → number of its images. Classes of one image, which are no query, follow the
            hash alone.
        seed: another one gives another split.

    Returns:
        Class → part. With six classes of two images or more, three are for test, one for
        validation, two for training.
    """
    pairs = sum(size > 1 for size in sizes.values())
    least = min(_LEAST, pairs // 2)
    test = _lowest(sizes, TEST, (least, pairs - least), seed)
    rest = {name: size for name, size in sizes.items() if name not in test}
    validation = _validation(rest, TEST + (1 - TEST) * VALIDATION, seed)
    return {
        name: "test" if name in test else "validation" if name in validation else "train"
        for name in sizes
    }


def hold_out_validation(sizes: Mapping[str, int], seed: int = 0) -> set[str]:
    """Choose the classes of a training set that validate: x < 1/7, at least one."""
    return _validation(sizes, VALIDATION, seed)


def _validation(sizes: Mapping[str, int], border: float, seed: int) -> set[str]:
    pairs = sum(size > 1 for size in sizes.values())
    return _lowest(sizes, border, (1, max(1, pairs - 2)), seed)


def _lowest(
    sizes: Mapping[str, int], border: float, limits: tuple[int, int], seed: int
) -> set[str]:
    """Choose the classes below a border; of those with two images a number within ``limits``."""
    place = {name: _place(name, seed) for name in sizes}
    pairs = sorted((name for name in sizes if sizes[name] > 1), key=lambda name: place[name])
    count = sum(place[name] < border for name in pairs)
    chosen: Collection[str] = pairs[: min(max(count, limits[0]), limits[1])]
    return {*chosen, *(name for name in sizes if sizes[name] < 2 and place[name] < border)}


def _place(name: str, seed: int) -> float:
    """Return x(name), in [0, 1)."""
    digest = hashlib.sha256(f"{seed}, {name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
