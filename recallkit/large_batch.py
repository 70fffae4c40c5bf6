"""The gradient of a batch of any size, in the memory of one chunk.

A loss that compares all images of a batch needs all embeddings at once, but not all activations:

1. embed the batch chunk by chunk, and keep the embeddings E (B×D) alone;
2. compute the loss of E, and dL/dE (B×D);
3. embed each chunk again, this time with its graph, and push its rows of dL/dE back through it.

By the chain rule the sum over the chunks is the gradient of the whole batch. The price is a second
forward pass; the last chunk is spared it, since its graph can wait for dL/dE without raising the
peak. (Revaud et al., ICCV 2019; Patel et al., CVPR 2022.)
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]
Mixup = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class LargeBatchStep:
    """Compute the gradient of a loss on embeddings over a batch that would not fit.

    Args:
        network: images (b, …) → embeddings (b, D), each row depending on its own image alone.
            Dropout and other randomness are repeated exactly in the second pass.
        loss: (B, D) embeddings and (B,) labels → scalar. Any loss on embeddings.
        chunk_size: images a forward pass. The peak of memory grows with it, the gradient does not
            depend on it. 200 is the paper's choice for ResNet-50 at 224 px on one card.
        mixup: applied to embeddings and labels before the loss, as :class:`.SimilarityMixup`.
        autocast: a type, as ``torch.bfloat16``, in which the network runs under autocast.
        transform: applied to each chunk on the network's device before the network, in both passes
            with the same randomness: conversion from uint8, augmentation.

    Example:
        >>> step = LargeBatchStep(network, RecallAtKLoss(), mixup=SimilarityMixup())
        >>> optimizer.zero_grad()
        >>> value = step(images, labels)
        >>> optimizer.step()
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        chunk_size: int = 200,
        mixup: Mixup | None = None,
        autocast: torch.dtype | None = None,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, not {chunk_size}")
        self.network = network
        self.loss = loss
        self.chunk_size = chunk_size
        self.mixup = mixup
        self.autocast = autocast
        self.transform = transform

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Add the gradient of the whole batch to ``.grad`` of the parameters, as backward() does.

        Args:
            images: (B, …), on any device; each chunk is moved to the network's.
            labels: (B,) integers.

        Returns:
            The loss, a scalar without graph.

        Raises:
            ValueError: for an empty batch, images and labels of different length, or BatchNorm in
                training mode, whose output would depend on the chunk.
        """
        self._check(images, labels)
        chunks = images.split(self.chunk_size)
        embedded, states = self._embed(chunks[:-1])
        last = self._forward(chunks[-1])
        embeddings = torch.cat([*embedded, last.detach()]).requires_grad_()
        value = self._loss(embeddings, labels.to(embeddings.device))
        value.backward()
        *gradients, last_gradient = embeddings.grad.split(self.chunk_size)
        last.backward(last_gradient)
        del last  # its graph must not live beside those of the other chunks
        for chunk, state, gradient in zip(chunks, states, gradients, strict=False):
            with state.restored():
                self._forward(chunk).backward(gradient)
        return value.detach()

    def _embed(self, chunks: tuple[Tensor, ...]) -> tuple[list[Tensor], list["RandomState"]]:
        """Embeddings without graph, and the random state that each chunk began with."""
        embedded, states = [], []
        with torch.no_grad():
            for chunk in chunks:
                states.append(RandomState(self._device()))
                embedded.append(self._forward(chunk))
        return embedded, states

    def _forward(self, chunk: Tensor) -> Tensor:
        device = self._device()
        chunk = chunk.to(device, non_blocking=True)
        with self._autocast(device):
            return self.network(self.transform(chunk) if self.transform else chunk)

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        if self.autocast is None:
            return nullcontext()
        # Without the cache of cast weights: it would keep those of the pass without graph, and the
        # second pass would find no path back to the parameters.
        return torch.autocast(device.type, dtype=self.autocast, cache_enabled=False)

    def _loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        if self.mixup is not None:
            embeddings, labels = self.mixup(embeddings, labels)
        return self.loss(embeddings, labels)

    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _check(self, images: Tensor, labels: Tensor) -> None:
        if len(images) == 0 or len(images) != len(labels):
            raise ValueError(
                f"images and labels must be of the same length, at least 1, "
                f"not {len(images)} and {len(labels)}"
            )
        for name, module in self.network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
                raise ValueError(
                    f"BatchNorm in training mode ({name}) would see chunks, not the batch, and "
                    f"move its statistics twice. Freeze it with "
                    f"recallkit.networks.freeze_batch_norm(network), or use GroupNorm."
                )


class RandomState:
    """The state of the default generators of the CPU and of one device, to come back to."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu_state = torch.get_rng_state()
        self.device_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Within this context the generators go on from here; after it, from where they were."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.set_rng_state(self.cpu_state)
            if self.device_state is not None:
                torch.cuda.set_rng_state(self.device_state, self.device)
            yield
