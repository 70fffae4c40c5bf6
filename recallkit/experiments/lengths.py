"""Whether the best batch depends on how long is trained: two batches, trainings of any length."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from recallkit.config import Config
from recallkit.experiments.contrasts import Contrast, contrast, with_caveat
from recallkit.experiments.points import Point
from recallkit.experiments.sweeps import Sweep

Series = tuple[Sweep, str, list[Point]]  # a sweep over batch sizes, "SiMix on" or "off", its points


Family = tuple[str, str, str]  # data set, network and how it starts, "SiMix on" or "off"


Lengths = Mapping[
    int, Contrast
]  # images of a training → the larger of two batches over the smaller


def length_contrasts(series: Iterable[Series]) -> dict[Family, Lengths]:
    """The larger of two batches over the smaller one, after trainings of different length.

    Args:
        series: all there are.

    Returns:
        For each data set and network of which two lengths or more have two batch sizes in common:
        the contrast of the smallest and the largest of these, the shortest training first.
    """
    families: dict[Family, dict[int, dict[int, Point]]] = {}
    for sweep, simix, points in series:
        sizes = {point.values["batch_size"]: point for point in points if point.metrics}
        config = sweep.config({})
        if len(sizes) > 1:
            family = families.setdefault((config.dataset, _network(config), simix), {})
            family[config.images] = sizes
    found = {family: _common(by_images) for family, by_images in families.items()}
    return {family: lengths for family, lengths in found.items() if len(lengths) > 1}


def _network(config: Config) -> str:
    name = config.network.split("/")[-1]
    return name + " pretrained" * config.pretrained + " frozen" * config.frozen


def family_name(family: Family) -> str:
    """In a few words; of the kit's own small network nothing is said."""
    return ", ".join(part for part in family if part != "small")


def _common(by_images: Mapping[int, Mapping[int, Point]]) -> Lengths:
    common = set.intersection(*(set(sizes) for sizes in by_images.values()))
    if len(common) < 2:
        return {}
    low, high = min(common), max(common)
    return {n: contrast(sizes[low], sizes[high]) for n, sizes in sorted(by_images.items())}


def grows(lengths: Lengths) -> bool:
    """Whether the larger batch gains with every step in length, and for certain over all of them.

    For certain: the 95 % intervals of the shortest and the longest do not meet.
    """
    changes = [each.change for each in lengths.values()]
    rising = all(a.mean < b.mean for a, b in pairwise(changes))
    first, last = changes[0], changes[-1]
    return rising and first.mean + first.margin < last.mean - last.margin


def say_lengths(family: Family, lengths: Lengths) -> str:
    """The contrasts in a few words."""
    first = next(iter(lengths.values()))
    sizes = " → ".join(f"{point.values['batch_size']:,}" for point in (first.before, first.after))
    steps = [f"after {n:,} images {with_caveat(each)}" for n, each in lengths.items()]
    return f"{family_name(family)}, {sizes}: {', '.join(steps)}"
