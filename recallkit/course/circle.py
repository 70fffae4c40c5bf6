"""Points of the unit circle, for toys in a plane."""

import torch
from torch import Tensor


def on_circle(degrees: float) -> Tensor:
    """The unit vector (2,) at an angle, float64."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()])
