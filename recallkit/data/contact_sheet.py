"""The classes that the contact sheet of an embedded data set shows."""

from itertools import accumulate
from typing import Any

import numpy as np


def classes_to_show(
    classes: list[dict[str, Any]], members: str, most: int
) -> list[tuple[int, dict[str, Any]]]:
    """Choose training classes, those with most images, spread evenly over the index.

    Args:
        classes: of an index, in the order of the images.
        members: the field of a class that has an entry for each of its images.
        most: how many classes to choose, if there are so many.

    Returns:
        For each the place of its first image, and its entry.
    """
    firsts = accumulate((len(c[members]) for c in classes), initial=0)
    training = [(f, c) for f, c in zip(firsts, classes, strict=False) if c["split"] == "train"]
    largest = max((len(c[members]) for _, c in training), default=0)
    full = [(f, c) for f, c in training if len(c[members]) == largest]
    places = np.linspace(0, len(full) - 1, min(most, len(full))).round().astype(int)
    return [full[i] for i in places.tolist()]
