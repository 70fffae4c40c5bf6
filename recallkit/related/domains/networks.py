"""The four networks of DM-ADA for images of 32 × 32 pixels, as the release builds them."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

SIDE = 32  # pixels: the encoder's three convolutions bring 32 down to 1


class Code(NamedTuple):
    """The encoder's output for an image: a Gaussian for each coordinate.

    Attributes:
        mean: (B, 2W).
        log_variance: (B, 2W).
    """

    mean: Tensor
    log_variance: Tensor


class Judgement(NamedTuple):
    """The discriminator's output for an image.

    Attributes:
        real: (B,) logits, above 0 for a real image of the source.
        classes: (B, K) logits.
        embedding: (B, W).
    """

    real: Tensor
    classes: Tensor
    embedding: Tensor


class DomainEncoder(nn.Module):
    """Three convolutions, then a mean and a log-variance: (B, C, 32, 32) → :class:`Code`."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(channels, width, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(width, width, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(width, 2 * width, 5), nn.ReLU(), nn.Flatten()),  # (B, 2W)
        )
        self.mean = nn.Linear(2 * width, 2 * width)
        self.log_variance = nn.Linear(2 * width, 2 * width)

    def forward(self, images: Tensor) -> Code:
        """Encode images (B, C, 32, 32)."""
        features = self.features(images)
        return Code(self.mean(features), self.log_variance(features))


class CodeClassifier(nn.Module):
    """Two layers on mean and log-variance: :class:`Code` → (B, K) logits."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, classes)
        )

    def forward(self, code: Code) -> Tensor:
        """Classify codes."""
        return self.layers(torch.cat(code, dim=1))


class DomainGenerator(nn.Module):
    """Code, soft label and noise → images (B, C, 32, 32) in −1 … 1."""

    def __init__(self, channels: int, width: int, inputs: int) -> None:
        super().__init__()
        sizes = [8 * width, 4 * width, 2 * width, width]
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs, sizes[0], 2, 1, 0, bias=False)]
        for size, following in zip(sizes, [*sizes[1:], channels], strict=True):
            layers += [nn.BatchNorm2d(size), nn.ReLU()]
            layers += [nn.ConvTranspose2d(size, following, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, code: Code, labels: Tensor, noise: Tensor) -> Tensor:
        """Generate images of codes (B, 2W) twice, labels (B, K + 1) and noise (B, Z)."""
        inputs = torch.cat([*code, labels, noise], dim=1)
        return self.layers(inputs[:, :, None, None])


class DomainDiscriminator(nn.Module):
    """Four convolutions, then three heads: (B, C, 32, 32) in −1 … 1 → :class:`Judgement`.

    The head for real and generated stands on the embedding, as in the release.
    """

    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        sizes = [channels, width, 2 * width, 4 * width, 2 * width]
        layers: list[nn.Module] = []
        for i, (size, following) in enumerate(pairwise(sizes)):
            layers += [nn.Conv2d(size, following, 3, 1, 1), nn.BatchNorm2d(following)]
            layers += [nn.LeakyReLU(0.2), nn.MaxPool2d(4 if i == 3 else 2)]
        self.features = nn.Sequential(*layers, nn.Flatten())  # (B, 2W)
        self.classes = nn.Linear(2 * width, classes)
        self.embedding = nn.Linear(2 * width, width)
        self.real = nn.Linear(width, 1)

    def forward(self, images: Tensor) -> Judgement:
        """Judge images (B, C, 32, 32)."""
        features = self.features(images)
        embedding = self.embedding(features)
        return Judgement(self.real(embedding)[:, 0], self.classes(features), embedding)


def initialise(module: nn.Module) -> None:
    """Draw weights as the release does: N(0, 0.02) of convolutions, N(0, 0.1) of linear layers.

    Weights of batch norms are N(1, 0.02). Biases of linear layers and batch norms are 0; those of
    convolutions keep torch's.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.1)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)
