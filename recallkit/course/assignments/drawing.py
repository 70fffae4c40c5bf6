"""Inputs of exercises, drawn from a seed and short enough to stand in a message."""

import torch
from torch import Tensor


def generator_of(seed: int) -> torch.Generator:
    """Return a generator of random numbers that starts from ``seed``."""
    return torch.Generator().manual_seed(seed)


def between(low: int, high: int, draw: torch.Generator) -> int:
    """Draw a whole number from ``low`` to ``high``, both included."""
    return int(torch.randint(low, high + 1, (), generator=draw))


def hundredths(*shape: int, draw: torch.Generator) -> Tensor:
    """Draw similarities from 0 to 1 with two decimals, as float64. Ties happen."""
    return torch.randint(0, 101, shape, generator=draw).double() / 100


def untied(number: int, draw: torch.Generator) -> Tensor:
    """Draw different similarities from 0 to 1 with three decimals, (number,) float64."""
    return torch.randperm(1001, generator=draw)[:number].double() / 1000
