"""How large the live parts of the notebooks are: one place, three sizes."""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Profile:
    """Sizes for one kind of machine.

    Attributes:
        name: "smoke" (every notebook in 45 s: it runs, it teaches nothing), "cpu" (4 minutes on two
            cores) or "gpu".
        images: seen in a live training.
        largest_batch: of live measurements.
        steps: of live descents on a handful of points.
        seeds: of live comparisons.
        test_classes: of the emoji, searched in the first sitting; all are 699.
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
    """The profile that ``RECALLKIT_PROFILE`` names; by default "gpu" if there is one, else "cpu".

    Raises:
        ValueError: if there is no profile of that name.
    """
    name = os.environ.get("RECALLKIT_PROFILE") or ("gpu" if torch.cuda.is_available() else "cpu")
    if name not in PROFILES:
        raise ValueError(f"RECALLKIT_PROFILE must be one of {sorted(PROFILES)}, not {name!r}")
    return PROFILES[name]
