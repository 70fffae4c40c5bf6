"""A training step in chunks as the library GradCache takes it (Gao et al., RepL4NLP 2021).

It embeds the batch twice, as :class:`.LargeBatchStep` does: first all chunks without graph, then
each with its graph. It neither keeps the last graph nor compares the two passes.
"""

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn

from recallkit.data.transforms import TrainTransform


class TransformedNetwork(nn.Module):
    """A network with the transform of its images before it, which is what GradCache is to call.

    Args:
        network: images → embeddings.
        transform: of images on the network's device.
        device: of the network.
        autocast: the type in which the network runs under autocast; None: without.
    """

    def __init__(
        self,
        network: nn.Module,
        transform: TrainTransform,
        device: str,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.network, self.transform = network, transform
        self.device, self.autocast = device, autocast

    def forward(self, images: Tensor, *draws: Tensor) -> Tensor:
        """Embed images (b, …) on any device, with their rows of what the transform drew."""
        with torch.autocast(self.device, self.autocast, enabled=self.autocast is not None):
            return self.network(self.transform(images.to(self.device), draws))


def grad_cache_step(
    network: TransformedNetwork,
    loss: Callable[..., Tensor],
    chunk_size: int,
    images: Tensor,
    labels: Tensor,
) -> Tensor:
    """Add the gradient of a batch to ``.grad`` of the parameters.

    The random amounts of the transform are drawn for the whole batch, as :class:`.LargeBatchStep`
    draws them. GradCache cuts them into chunks with the images.

    Returns:
        The loss, without graph.
    """
    step = import_module("grad_cache").GradCache([network], chunk_size, loss)
    draws = network.transform.draw(len(images), torch.device(network.device))
    return step([images, *draws], labels=labels.to(network.device))
