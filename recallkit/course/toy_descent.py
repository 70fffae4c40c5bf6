"""A task in which a batch is worth its images and nothing more: guessing a number from readings.

Stochastic gradient descent on (w − x)²/2 from w = ``start``, with a constant learning rate. Each
image is one noisy reading x of the number 0. Whatever effect of the batch size a comparison shows
here comes from the comparison itself.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

LEARNING_RATES = tuple(torch.logspace(-3, 0, 61, dtype=torch.float64).tolist())


def expected_error(
    batch_size: Tensor | int,
    updates: Tensor | int,
    learning_rate: Tensor | float,
    noise: float = 4.0,
    start: float = 1.0,
) -> Tensor:
    r"""The mean squared error of the guess after some updates, in closed form.

        E[w²] = (1 − η)^{2U} · start² + (1 − (1 − η)^{2U}) / (1 − (1 − η)²) · η² · noise / B

    The first term is what is left of the error at the start, the second the noise of the last
    batches.

    Args:
        batch_size: B, any shape.
        updates: U, of a shape that fits.
        learning_rate: η, of a shape that fits; above 0, at most 1.
        noise: variance of a reading.
        start: distance of the first guess.

    Returns:
        float64, of the common shape.
    """
    batch, updates, eta = (
        torch.as_tensor(value, dtype=torch.float64)
        for value in (batch_size, updates, learning_rate)
    )
    kept = (1 - eta) ** 2  # share of the squared error that an update leaves
    left = kept**updates
    return left * start**2 + (1 - left) / (1 - kept) * eta**2 * noise / batch


def three_views(
    batch_sizes: Sequence[int], learning_rate: float, images: int, updates: int = 64
) -> dict[str, Tensor]:
    """The same comparison of batch sizes made in three ways, which hold different things equal.

    Args:
        batch_sizes: B of them, each at most ``images``.
        learning_rate: the common one of the first two ways.
        images: seen by each batch size, in the last two ways.
        updates: of each batch size, in the first way.

    Returns:
        What is held equal → (B,) errors. In the last way each batch size has the best of
        ``LEARNING_RATES``.
    """
    batch = torch.tensor(batch_sizes)
    tried = torch.tensor(LEARNING_RATES, dtype=torch.float64)[:, None]  # (R, 1)
    best = expected_error(batch, images // batch, tried).amin(dim=0)
    return {
        "equal updates, one learning rate": expected_error(batch, updates, learning_rate),
        "equal images, one learning rate": expected_error(batch, images // batch, learning_rate),
        "equal images, learning rates tuned": best,
    }
