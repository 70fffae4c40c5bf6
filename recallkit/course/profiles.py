"""The sizes of what a notebook computes: one place, three kinds of machine."""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Profile:
    """Sizes for one kind of machine.

    Attributes:
        name: "smoke" (every notebook in 45 s, as a test that it runs), "cpu" (4 minutes on two
            cores) or "gpu".
        images: seen in a training.
        largest_batch: of measurements.
        steps: of descents on a handful of points.
        seeds: of comparisons.
        test_classes: of the emoji, searched in the first notebook; there are 699.
    """

    name: str
    images: int
    largest_batch: int
    steps: int
    seeds: int
    test_classes: int = 699


PROFILES = {
    "smoke": Profile("smoke", images=2_000, largest_batch=512, steps=20, seeds=1, test_classes=99),
    "cpu": Profile("cpu", images=150_000, largest_batch=4_096, steps=300, seeds=3),
    "gpu": Profile("gpu", images=600_000, largest_batch=16_384, steps=300, seeds=3),
}


def profile() -> Profile:
    """The profile named by ``RECALLKIT_PROFILE``; by default "gpu" if there is one, else "cpu".

    Raises:
        ValueError: if there is no profile of that name.
    """
    name = os.environ.get("RECALLKIT_PROFILE") or ("gpu" if torch.cuda.is_available() else "cpu")
    if name not in PROFILES:
        raise ValueError(f"RECALLKIT_PROFILE must be one of {sorted(PROFILES)}, not {name!r}")
    return PROFILES[name]
