"""The gradient of a batch of any size, in the memory of one chunk.

A loss that compares all images of a batch needs all embeddings at once, but not all activations.
So the batch is embedded in chunks:

1. embed the batch chunk by chunk, and keep only the embeddings E (B×D);
2. compute the loss of E, and dL/dE (B×D);
3. embed each chunk again, this time with its graph, and push its rows of dL/dE back through it.

By the chain rule the sum over the chunks is the gradient of the whole batch. The price is a second
forward pass. A chunk whose graph fits into spare memory keeps it and needs no second pass. Of few
chunks the last one always keeps it, since only the loss is computed before its graph is needed.
(Revaud et al., ICCV 2019; Patel et al., CVPR 2022. Keeping graphs is ours.)
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recallkit.checks import check_chunk_size
from recallkit.errors import RecallkitError

Loss = Callable[[Tensor, Tensor], Tensor]
Mixup = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Chunk = tuple[Tensor, Sequence[Tensor]]  # images, and what their transform drew for them

CPU_CHUNK = 256  # "auto" without a GPU: larger chunks gain nothing, their activations leave caches
PROBE_FROM = 32  # "auto" with a GPU: the size at which doubling begins
FEW_CHUNKS = 32  # with more, keeping the last graph saves less than a hundredth of the time


class LargeBatchStep:
    """Compute the gradient of a loss on embeddings over a batch that would not fit.

    Args:
        network: images (b, …) → embeddings (b, D), each row depending on its own image alone.
            Dropout and other randomness are repeated exactly in the second pass. In
            DistributedDataParallel, gradients are reduced once, with the last backward pass. Each
            process may have any number of chunks.
        loss: (B, D) embeddings and (B,) labels → scalar. Any loss on embeddings.
        chunk_size: images a forward pass. The peak of memory grows with it; the gradient does not
            depend on it. 200 is the paper's choice for ResNet-50 at 224 px on one GPU. "auto":
            the largest of 32, 64, 128, … that fits the GPU beside ``keep_graphs``, tried out at
            the first call; 256 without a GPU.
        mixup: applied to embeddings and labels before the loss, as :class:`.SimilarityMixup`.
        autocast: the type in which the network runs under autocast, such as ``torch.bfloat16``.
        transform: applied to each chunk on the network's device before the network, in both passes
            with the same randomness: conversion from uint8, augmentation. A transform with a method
            ``draw(count, device)``, such as :class:`.TrainTransform`, is asked once for the random
            amounts of the whole batch (tensors with B rows), and called with a chunk and its rows.
            These amounts then do not depend on the chunk size either.
        keep_graphs: bytes of spare memory. Chunks keep their graphs as long as these fit into it
            together, and are not run a second time. With enough for all, the step costs what a
            plain step costs. The size of a graph is measured on the first chunk of each call: on
            CUDA by the allocator, elsewhere as the bytes that autograd saves without parameters.
        scaler: for ``torch.float16``. The loss is scaled before the backward pass, so the gradients
            in the network and in ``.grad`` are scaled. Call ``scaler.step(optimizer)`` as usual.

    When memory runs out, chunk size and ``keep_graphs`` are halved, a warning says so, and the step
    is repeated from the state in which it began: random numbers, and gradients already there. They
    stay halved; read ``chunk_size`` to see. With several processes this holds for the first pass,
    after which they wait for each other. In the second pass the error is raised.

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
        chunk_size: int | Literal["auto"] = 200,
        mixup: Mixup | None = None,
        autocast: torch.dtype | None = None,
        transform: Callable[..., Tensor] | None = None,
        keep_graphs: int = 0,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        check_chunk_size(chunk_size)
        if keep_graphs < 0:
            raise ValueError(f"keep_graphs must be bytes, at least 0, not {keep_graphs}")
        self.network = network
        self.loss = loss
        self.chunk_size = chunk_size
        self.mixup = mixup
        self.autocast = autocast
        self.transform = transform
        self.keep_graphs = int(keep_graphs)
        self.scaler = scaler

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Add the gradient of the whole batch to ``.grad`` of the parameters, as backward() does.

        Args:
            images: (B, …), on any device; each chunk is moved to the network's.
            labels: (B,) integers.

        Returns:
            The loss, a scalar without graph; not scaled.

        Raises:
            ValueError: for an empty batch, images and labels of different length, or BatchNorm in
                training mode, whose output would depend on the chunk.
            RecallkitError: if not even a chunk of one image fits the memory.
        """
        self._check(images, labels)
        if self.chunk_size == "auto":
            self.chunk_size = self._find_chunk_size(images)
        draws = self._draw(len(images))
        before = _Before(self._module(), self.mixup, self.loss)
        while True:
            try:
                self._together = False
                return self._step(self._chunks(images, draws), labels)
            except RuntimeError as error:
                if not is_out_of_memory(error) or self._together:
                    raise
                self._refuse_below_one(error)
            # Not before: the error holds the frames it came through, and they hold graphs.
            before.restore()
            self._shrink()

    def _draw(self, count: int) -> tuple[Tensor, ...]:
        """Draw the random amounts of the batch, for a transform that draws them so."""
        draw = getattr(self.transform, "draw", None)
        return () if draw is None else draw(count, self._device())

    def _chunks(self, images: Tensor, draws: tuple[Tensor, ...]) -> list[Chunk]:
        """The images of each chunk, with their rows of ``draws``."""
        columns = [values.split(self._chunk_size()) for values in (images, *draws)]
        return [(chunk, own) for chunk, *own in zip(*columns, strict=True)]

    def _chunk_size(self) -> int:
        """The chunk size as a number, after "auto" has been replaced."""
        assert not isinstance(self.chunk_size, str)
        return self.chunk_size

    def _step(self, chunks: Sequence[Chunk], labels: Tensor) -> Tensor:
        outputs, states = self._embed(chunks)
        value, gradient = self._gradient_of_embeddings(outputs, labels)
        gradients = gradient.split(self._chunk_size())
        again = [i for i, output in enumerate(outputs) if output is None]
        _backward_of_kept(outputs, gradients)
        for i in again:
            with states[i].restored():
                output = self._forward(chunks[i], synchronise=i == again[-1])
                output.backward(gradients[i])
        return value

    def _gradient_of_embeddings(
        self, outputs: list[Tensor | None], labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compute the loss and dL/dE (B, D); drop the ``outputs`` that have no graph."""
        chunks = [output for output in outputs if output is not None]
        outputs[:] = [chunk if chunk.requires_grad else None for chunk in chunks]
        embeddings = torch.cat([chunk.detach() for chunk in chunks]).requires_grad_()
        del chunks  # before the loss, or embeddings would be held twice
        self._together = isinstance(self.network, DistributedDataParallel)
        value = self._loss(embeddings, labels.to(embeddings.device))
        (self.scaler.scale(value) if self.scaler else value).backward()
        assert embeddings.grad is not None
        return value.detach(), embeddings.grad

    def _embed(self, chunks: Sequence[Chunk]) -> tuple[list[Tensor | None], list["RandomState"]]:
        """Embed all chunks; keep some graphs, and the random state in which each chunk began."""
        outputs: list[Tensor | None] = []
        states, kept, last = [], 0, len(chunks) - 1
        spared = last if last < FEW_CHUNKS else None
        for i, chunk in enumerate(chunks):
            states.append(RandomState(self._device()))
            if i == 0 and last > 0 and self.keep_graphs > 0:
                output, size = self._forward_measured(chunk)
                kept = self.keep_graphs // max(size, 1)
                output = output if kept else output.detach()
            else:
                with torch.set_grad_enabled(i < kept or i == spared):
                    # If all graphs are kept, their backward passes are one, and this begins it.
                    everything = i == last <= kept and torch.is_grad_enabled()
                    output = self._forward(chunk, synchronise=everything)
            outputs.append(output)
        return outputs, states

    def _forward(self, chunk: Chunk, synchronise: bool = False) -> Tensor:
        """Embed a chunk; ``synchronise`` if its backward pass is the last of the step.

        For all others the network inside DistributedDataParallel is called. They do not wait for
        another process, which may have fewer chunks.
        """
        device, (images, draws) = self._device(), chunk
        images = images.to(device, non_blocking=True)
        network = self.network if synchronise else self._module()
        with self._autocast(device):
            if self.transform is not None:
                images = self.transform(images, draws) if draws else self.transform(images)
            return network(images)

    def _forward_measured(self, chunk: Chunk) -> tuple[Tensor, int]:
        """Embed a chunk with its graph, and measure the bytes that the graph takes."""
        device, saved = self._device(), []
        if device.type == "cuda":
            before = torch.cuda.memory_allocated(device)
            output = self._forward(chunk)
            return output, torch.cuda.memory_allocated(device) - before

        def save(tensor: Tensor) -> Tensor:
            saved.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
            output = self._forward(chunk)
        not_counted = [chunk[0], *self.network.parameters(), *self.network.buffers()]
        return output, storage_bytes(saved, besides=not_counted)

    def graph_bytes(self, images: Tensor) -> int:
        """Measure the memory that the graph of one chunk takes: the unit of ``keep_graphs``.

        Args:
            images: (b, …), the images of the chunk. They are embedded once; random numbers are
                afterwards as before.

        Returns:
            Bytes: on CUDA what the allocator gave out, elsewhere what autograd saved.
        """
        with RandomState(self._device()).restored():
            return self._forward_measured((images, self._draw(len(images))))[1]

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        if self.autocast is None:
            return nullcontext()
        # The cache of cast weights is off. It would keep the weights of the pass without graph, and
        # the second pass would have no path back to the parameters.
        return torch.autocast(device.type, dtype=self.autocast, cache_enabled=False)

    def _loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        if self.mixup is not None:
            embeddings, labels = self.mixup(embeddings, labels)
        return self.loss(embeddings, labels)

    def _find_chunk_size(self, images: Tensor) -> int:
        if self._device().type != "cuda":
            return CPU_CHUNK
        return largest_that_fits(lambda size: self.fits(images[:size]), len(images))

    def fits(self, images: Tensor) -> bool:
        """Try whether a chunk, its graph and its backward pass fit beside ``keep_graphs``.

        Args:
            images: (b, …), the images of the chunk. Gradients and random numbers are afterwards as
                before.
        """
        before, device = _Before(self._module(), self.mixup), self._device()
        try:
            spare = torch.empty(self.keep_graphs, dtype=torch.uint8, device=device)
            output = self._forward((images, self._draw(len(images))))
            output.backward(torch.zeros_like(output))
            del spare
            return True
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        finally:
            before.restore()

    def _refuse_below_one(self, error: RuntimeError) -> None:
        if self.chunk_size == 1 and self.keep_graphs == 0:
            raise RecallkitError(
                "a single image does not fit the memory: use a smaller network or image_size, "
                "use autocast, or end other programs on this device"
            ) from error

    def _shrink(self) -> None:
        if self._device().type == "cuda":
            torch.cuda.empty_cache()
        old = self._chunk_size()
        self.chunk_size = max(1, old // 2)
        self.keep_graphs = self.keep_graphs // 2 if old > 1 else 0
        warnings.warn(
            f"out of memory with chunks of {old}: the step is repeated, and training goes on, "
            f"with chunks of {self.chunk_size} and {self.keep_graphs / 1e9:.3g} GB of kept graphs",
            stacklevel=3,
        )

    def _module(self) -> nn.Module:
        parallel = isinstance(self.network, DistributedDataParallel)
        return cast(nn.Module, self.network.module) if parallel else self.network

    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _check(self, images: Tensor, labels: Tensor) -> None:
        if len(images) == 0 or len(images) != len(labels):
            raise ValueError(
                f"images and labels must be of the same length, at least 1, "
                f"not {len(images)} and {len(labels)}"
            )
        if not any(parameter.requires_grad for parameter in self.network.parameters()):
            raise ValueError(
                "network must have a parameter that requires a gradient: all are frozen"
            )
        for name, module in self.network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
                raise ValueError(
                    f"BatchNorm in training mode ({name}) would see chunks, not the batch, and "
                    f"update its statistics twice. Freeze it with "
                    f"recallkit.networks.freeze_batch_norm(network), or use GroupNorm."
                )


def largest_that_fits(fits: Callable[[int], bool], most: int) -> int:
    """Double from 32 while ``fits`` returns True; never exceed ``most``.

    This costs less than two passes over the size that is returned, and one over the next.
    """
    size = min(PROBE_FROM, most)
    while size < most and fits(min(2 * size, most)):
        size = min(2 * size, most)
    return size


def storage_bytes(tensors: Iterable[Tensor], besides: Iterable[Tensor] = ()) -> int:
    """Count the bytes behind ``tensors``; shared storage counts once, ``besides`` not at all."""
    known = {tensor.untyped_storage()._cdata for tensor in besides}
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return sum(size for key, size in storages.items() if key not in known)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, on a device or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _backward_of_kept(outputs: list[Tensor | None], gradients: Sequence[Tensor]) -> None:
    """Push gradients back through the graphs that were kept, and empty the list.

    It is one call, so that autograd frees each graph as it goes and gradients are reduced over
    processes once.
    """
    kept = [(o, g) for o, g in zip(outputs, gradients, strict=True) if o is not None]
    outputs.clear()
    if kept:
        tensors, their_gradients = zip(*kept, strict=True)
        torch.autograd.backward(tensors, their_gradients)


class RandomState:
    """The state of the default generators of the CPU and of one device, to be restored later."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu_state = torch.get_rng_state()
        self.device_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Use this state within the context, and the state from before it afterwards."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            self.restore()
            yield

    def restore(self) -> None:
        """Set the generators to this state."""
        torch.set_rng_state(self.cpu_state)
        if self.device_state is not None:
            torch.cuda.set_rng_state(self.device_state, self.device)


class _Before:
    """The random states and gradients before a step, to be restored after an error."""

    def __init__(self, network: nn.Module, mixup: Mixup | None, loss: Loss | None = None) -> None:
        self.parameters = list(network.parameters())
        if isinstance(loss, nn.Module):  # it may have proxies
            self.parameters += loss.parameters()
        self.random = RandomState(self.parameters[0].device)
        self.generator = getattr(mixup, "generator", None)
        self.generator_state = self.generator.get_state() if self.generator else None
        self.gradients = [None if p.grad is None else p.grad.clone() for p in self.parameters]

    def restore(self) -> None:
        self.random.restore()
        if self.generator is not None:
            self.generator.set_state(self.generator_state)
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
