"""A task in which a batch is worth its images and nothing more: guessing a number from readings.

Stochastic gradient descent on (w − x)²/2, one noisy reading x of the number 0 an image, from
w = ``start``, at a constant rate. What a sweep over batch sizes shows here, the sweep has made.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

RATES = tuple(torch.logspace(-3, 0, 61, dtype=torch.float64).tolist())


def expected_error(
    batch_size: Tensor | int,
    updates: Tensor | int,
    rate: Tensor | float,
    noise: float = 4.0,
    start: float = 1.0,
) -> Tensor:
    r"""The mean squared error of the guess after some updates, in closed form.

        E[w²] = (1 − η)^{2U} · start² + (1 − (1 − η)^{2U}) / (1 − (1 − η)²) · η² · noise / B

    First the error of the start that is left, then the noise of the last batches.

    Args:
        batch_size: B, any shape.
        updates: U, of a shape that fits.
        rate: η, of a shape that fits; above 0, at most 1.
        noise: variance of a reading.
        start: distance of the first guess.

    Returns:
        float64, of the common shape.
    """
    batch, updates, rate = (
        torch.as_tensor(value, dtype=torch.float64) for value in (batch_size, updates, rate)
    )
    kept = (1 - rate) ** 2  # share of the squared error that an update leaves
    left = kept**updates
    return left * start**2 + (1 - left) / (1 - kept) * rate**2 * noise / batch


def three_views(
    batch_sizes: Sequence[int], rate: float, images: int, updates: int = 64
) -> dict[str, Tensor]:
    """The same comparison of batch sizes made in three ways, by what is held equal.

    Args:
        batch_sizes: B of them, each at most ``images``.
        rate: the common rate of the first two ways.
        images: seen by each batch size, in the last two ways.
        updates: of each batch size, in the first way.

    Returns:
        What is equal → (B,) errors. In the last way each batch size has the best of ``RATES``.
    """
    batch = torch.tensor(batch_sizes)
    rates = torch.tensor(RATES, dtype=torch.float64)[:, None]  # (R, 1)
    return {
        "equal updates, one rate": expected_error(batch, updates, rate),
        "equal images, one rate": expected_error(batch, images // batch, rate),
        "equal images, rate tuned": expected_error(batch, images // batch, rates).amin(dim=0),
    }
