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

The second pass must give what the first gave. So random numbers and buffers are set back for each
chunk, and the two outputs are compared.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recallkit.checks import check_bytes, check_chunk_size, check_tolerance
from recallkit.errors import RecallkitError
from recallkit.labels import canonical_labels
from recallkit.large_batch.agreement import Agreement
from recallkit.large_batch.inputs import (
    Inputs,
    check_rows,
    chosen_embeddings,
    moved,
    row_count,
    rows_between,
    tensors_of,
)
from recallkit.large_batch.memory import is_out_of_memory, largest_that_fits, storage_bytes
from recallkit.large_batch.parts import Chunk, Part, last_of_each_network, unwrapped
from recallkit.large_batch.state import BufferStates, ForwardState, RandomState, StateBefore

Loss = Callable[..., Tensor]
Mixup = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

CPU_CHUNK = 256  # "auto" without a GPU: larger chunks gain nothing, their activations leave caches
FEW_CHUNKS = 32  # with more, keeping the last graph saves less than a hundredth of the time


@dataclass(frozen=True)
class _FirstPass:
    """The results of the pass over all chunks.

    Attributes:
        outputs: of each chunk; after the loss, None where there is no graph.
        states: in which each chunk began.
        embeddings: of each chunk, without graph.
    """

    outputs: list[Tensor | None]
    states: list[ForwardState]
    embeddings: list[Tensor]

    def keeps_all_of(self, network: nn.Module, chunks: Sequence[Chunk]) -> bool:
        """Tell whether all chunks of ``network`` so far kept their graphs."""
        done = zip(self.outputs, chunks, strict=False)
        return all(o is not None and o.requires_grad for o, c in done if c.part.network is network)

    def join(self, chunks: Sequence[Chunk], size: int) -> list[Tensor]:
        """Join the embeddings of each part; those of a chunk become rows of it, and no copy."""
        joined = []
        for part in {id(chunk.part): chunk.part for chunk in chunks}.values():
            own = zip(self.embeddings, chunks, strict=True)
            joined.append(torch.cat([rows for rows, chunk in own if chunk.part is part]))
        self.embeddings[:] = _split(joined, size)
        return [part.detach() for part in joined]


class LargeBatchStep:
    """Compute the gradient of a loss on embeddings over a batch that would not fit.

    It runs the backward passes itself and leaves the gradient in ``.grad``. What it returns is the
    value of the loss, without a graph: do not call ``backward()`` on it. Clip and step the
    optimiser after it. (In Lightning this is manual optimisation.)

    The network may take and return containers (dicts, tuples, lists, dataclasses). Tensors in them
    are cut along their first dimension, as lists of texts are. Everything else is given to each
    chunk as it is; see :mod:`recallkit.large_batch.inputs`.

    Args:
        network: images (b, …) → embeddings (b, D), each row depending on its own image alone.
            Dropout and other randomness are repeated exactly in the second pass, if it comes from
            the default generators of torch, numpy or Python. Buffers that change in training mode
            (running statistics, spectral norms) are set back for the second pass, and change once.
            In DistributedDataParallel, gradients are reduced once, with the last backward pass.
            Each process may have any number of chunks.
        loss: (B, D) embeddings and (B,) labels → scalar. Any loss on embeddings. With a
            gallery it is called ``loss(queries, labels, gallery, gallery_labels)``, as
            :class:`.RecallAtKLoss` is.
        chunk_size: images a forward pass. The peak of memory grows with it; the gradient does not
            depend on it. 200 is the paper's choice for ResNet-50 at 224 px on one GPU. "auto":
            the largest of 32, 64, 128, … that fits the GPU beside ``keep_graphs``, tried out at
            the first call; 256 without a GPU.
        mixup: applied to embeddings and labels before the loss, as :class:`.SimilarityMixup`. Not
            with a gallery.
        autocast: the type in which the network runs under autocast, such as ``torch.bfloat16``.
        transform: applied to each chunk on the network's device before the network, in both passes
            with the same randomness: conversion from uint8, augmentation. A transform with a method
            ``draw(count, device)``, such as :class:`.TrainTransform`, is asked once for the random
            amounts of the whole batch (tensors with B rows), and called with a chunk and its rows.
            These amounts then do not depend on the chunk size either. It is applied to a gallery
            too, unless that has a network of its own.
        keep_graphs: bytes of spare memory. Chunks keep their graphs as long as these fit into it
            together, and are not run a second time. With enough for all, the step costs what a
            plain step costs. The size of a graph is measured on the first chunk of each call: on
            CUDA by the allocator, elsewhere as the bytes that autograd saves without parameters.
        scaler: for ``torch.float16``. The loss is scaled before the backward pass, so the gradients
            in the network and in ``.grad`` are scaled. Call ``scaler.step(optimizer)`` as usual.
        embed: how a network is called, ``embed(network, inputs)``; None: ``network(inputs)``. For a
            network with named arguments: ``lambda network, inputs: network(**inputs)``.
        output: key, index or attribute of the embeddings in what the network returns. None: it is a
            tensor, or holds only one.
        gallery_network: embeds the gallery: a second tower. None: ``network`` embeds both.
        tolerance: the difference allowed between the two passes over a chunk, as a share of the
            largest entry of its embeddings. None: half of the digits of the coarsest type in use,
            3.5e-4 for float32; see :func:`.default_tolerance`. The comparison reads each embedding
            once more: less than a hundredth of a step.

    When memory runs out, chunk size and ``keep_graphs`` are halved, a warning says so, and the step
    is repeated from the state in which it began: random numbers, buffers, and gradients already
    there. They stay halved; read ``chunk_size`` to see. With several processes this holds for the
    first pass, after which they wait for each other. In the second pass the error is raised.

    Example:
        >>> step = LargeBatchStep(network, RecallAtKLoss(), mixup=SimilarityMixup())
        >>> optimizer.zero_grad()
        >>> value = step(images, labels)
        >>> optimizer.step()

    Two towers, a text for each image:

        >>> step = LargeBatchStep(text_tower, RecallAtKLoss(ks=(1,)), gallery_network=image_tower)
        >>> value = step(texts, torch.arange(B), images, torch.arange(B))
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        chunk_size: int | Literal["auto"] = 200,
        mixup: Mixup | None = None,
        autocast: torch.dtype | None = None,
        transform: Callable[..., Any] | None = None,
        keep_graphs: int = 0,
        scaler: torch.amp.GradScaler | None = None,
        *,
        embed: Callable[[nn.Module, Any], Any] | None = None,
        output: str | int | None = None,
        gallery_network: nn.Module | None = None,
        tolerance: float | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.chunk_size = check_chunk_size(chunk_size)
        self.mixup = mixup
        self.autocast = autocast
        self.transform = transform
        self.keep_graphs = check_bytes(keep_graphs, "keep_graphs")
        self.scaler = scaler
        self.embed, self.output = embed, output
        self.gallery_network = network if gallery_network is None else gallery_network
        self.tolerance = None if tolerance is None else check_tolerance(tolerance)
        self._past_the_first_pass = False

    def __call__(
        self,
        images: Inputs,
        labels: Any,
        gallery: Inputs = None,
        gallery_labels: Any = None,
        itself: Tensor | None = None,
    ) -> Tensor:
        """Add the gradient of the whole batch to ``.grad`` of the parameters, as backward() does.

        Args:
            images: (B, …) on any device, or containers of such; each chunk is moved to the
                network's device. With a gallery, the queries.
            labels: (B,) as the loss takes them; what is no tensor is made canonical by
                :func:`.canonical_labels`.
            gallery: (N, …), or containers: embedded by ``gallery_network``, with the gradient of
                both. None: the batch is its own gallery.
            gallery_labels: (N,), given with ``gallery``.
            itself: (B,) int64, the place of each query in the gallery, handed on to the loss.

        Returns:
            The loss, a scalar without graph; not scaled. The backward pass is done.

        Raises:
            ValueError: for an empty batch, inputs and labels of different length, an output that
                is not one tensor with a row for each input, or BatchNorm in training mode, whose
                output would depend on the chunk.
            PassesDifferError: if the second pass over a chunk gives other embeddings than the
                first.
            RecallkitError: if not even a chunk of one image fits the memory.

        After any error but one of memory, such as one of the loss, gradients, buffers and random
        numbers are as before the call, but for those numbers that a transform's ``draw`` took.
        """
        if gallery is None and itself is not None:
            raise ValueError("itself is the place of each query in a gallery, and there is none")
        labels, gallery_labels = _as_tensors(labels, gallery_labels)
        parts = self._parts(images, labels, gallery, gallery_labels)
        self._check(parts)
        if self.chunk_size == "auto":
            self.chunk_size = min(self._find_chunk_size(part) for part in parts)
        parts = [replace(part, draws=self._draw(part)) for part in parts]
        networks = [unwrapped(part.network) for part in parts]
        before = StateBefore(networks, self.mixup, self.loss, parts[0].device)
        while True:
            try:
                self._past_the_first_pass = False
                return self._step(parts, [labels, gallery_labels, itself], before.buffers)
            except Exception as error:
                if not is_out_of_memory(error):
                    before.restore()
                    raise
                if self._past_the_first_pass and self._waits_for_others():
                    raise
                self._refuse_below_one(error)
            # Not before: the error holds the frames it came through, and they hold graphs.
            before.restore()
            self._shrink()

    def _parts(
        self, images: Inputs, labels: Tensor, gallery: Inputs, gallery_labels: Tensor | None
    ) -> list[Part]:
        """Name the parts of a batch: the images, and the gallery if there is one."""
        if (gallery is None) != (gallery_labels is None):
            raise ValueError("gallery and gallery_labels must be given together, or neither")
        if gallery is not None and self.mixup is not None:
            raise ValueError("mixup mixes a batch that is its own gallery: leave out the gallery")
        parts = [Part("images", self.network, self._device(), images, len(labels))]
        if gallery_labels is not None:
            tower, shared = self.gallery_network, self.gallery_network is self.network
            device = _device_of(tower, self._device())
            parts.append(Part("gallery", tower, device, gallery, len(gallery_labels), shared))
        return parts

    def _draw(self, part: Part) -> tuple[Tensor, ...]:
        """Draw the random amounts of a part, for a transform that draws them so."""
        draw = getattr(self.transform, "draw", None) if part.transformed else None
        return () if draw is None else tuple(draw(part.count, part.device))

    def _chunk_size(self) -> int:
        """The chunk size as a number, after "auto" has been replaced."""
        assert not isinstance(self.chunk_size, str)
        return self.chunk_size

    def _step(
        self, parts: Sequence[Part], of_loss: list[Tensor | None], buffers: BufferStates
    ) -> Tensor:
        chunks = [chunk for part in parts for chunk in part.chunks(self._chunk_size())]
        first = self._embed(chunks, buffers)
        after = buffers.copy()
        value, gradients = self._gradients_of_embeddings(first, chunks, of_loss)
        again = [i for i, c in enumerate(chunks) if first.outputs[i] is None and c.trained]
        _backward_of_kept(first.outputs, gradients)
        self._second_pass(chunks, again, first, gradients).check(
            len(chunks), lambda: buffers.changed(first.states[0].buffers, after)
        )
        for buffer in after:
            buffer.restore()
        return value

    def _second_pass(
        self,
        chunks: Sequence[Chunk],
        again: Sequence[int],
        first: _FirstPass,
        gradients: Sequence[Tensor],
    ) -> Agreement:
        """Push the gradients through the chunks that are run again; compare with the first pass."""
        agreement = Agreement(self.tolerance, self.autocast)
        last = last_of_each_network(chunks, again)
        for i in again:
            chunk = chunks[i]
            with first.states[i].restored():
                output = self._forward(chunk, synchronise=i in last)
                agreement.compare(i, chunk, first.embeddings[i], output)
                output.backward(gradients[i])
        return agreement

    def _gradients_of_embeddings(
        self, first: _FirstPass, chunks: Sequence[Chunk], of_loss: list[Tensor | None]
    ) -> tuple[Tensor, list[Tensor]]:
        """Compute the loss and dL/dE of each chunk; drop the outputs that have no graph."""
        first.outputs[:] = [o if o is not None and o.requires_grad else None for o in first.outputs]
        embeddings = [part.requires_grad_() for part in first.join(chunks, self._chunk_size())]
        self._past_the_first_pass = True
        value = self._loss(embeddings, of_loss)
        (self.scaler.scale(value) if self.scaler else value).backward()
        gradients = [torch.zeros_like(e) if e.grad is None else e.grad for e in embeddings]
        return value.detach(), _split(gradients, self._chunk_size())

    def _embed(self, chunks: Sequence[Chunk], buffers: BufferStates) -> _FirstPass:
        """Embed all chunks; keep some graphs, and the state in which each chunk began."""
        first, budget, size = _FirstPass([], [], []), self.keep_graphs, None
        last = last_of_each_network(chunks, range(len(chunks)))
        spared = len(chunks) - 1 if len(chunks) <= FEW_CHUNKS else None
        for i, chunk in enumerate(chunks):
            first.states.append(ForwardState(RandomState(chunk.part.device), buffers.take()))
            size = size if chunk.begin > 0 else None  # of a graph of this part, once measured
            if chunk.begin == 0 and budget > 0 and chunk.trained and i not in last:
                output, size = self._forward_measured(chunk)
                output = output if size <= budget else output.detach()
            else:
                keep = chunk.trained and (i == spared or (size is not None and size <= budget))
                # If all graphs are kept, their backward passes are one, and this begins it.
                whole = keep and i in last and first.keeps_all_of(chunk.part.network, chunks)
                with torch.set_grad_enabled(keep):
                    output = self._forward(chunk, synchronise=whole)
            budget -= size if size is not None and output.requires_grad else 0
            first.outputs.append(output)
            first.embeddings.append(output.detach())
        return first

    def _forward(self, chunk: Chunk, synchronise: bool = False) -> Tensor:
        """Embed a chunk; ``synchronise`` if its backward pass is the last of its network.

        For all others the network inside DistributedDataParallel is called. They do not wait for
        another process, which may have fewer chunks.
        """
        inputs, draws = moved(chunk.inputs, chunk.part.device), chunk.draws
        network = chunk.part.network if synchronise else unwrapped(chunk.part.network)
        with self._autocast(chunk.part.device):
            if self.transform is not None and chunk.part.transformed:
                inputs = self.transform(inputs, draws) if draws else self.transform(inputs)
            result = network(inputs) if self.embed is None else self.embed(network, inputs)
            return chosen_embeddings(result, self.output, chunk.count)

    def _forward_measured(self, chunk: Chunk) -> tuple[Tensor, int]:
        """Embed a chunk with its graph, and measure the bytes that the graph takes."""
        device, saved = chunk.part.device, []
        if device.type == "cuda":
            before = torch.cuda.memory_allocated(device)
            output = self._forward(chunk)
            return output, torch.cuda.memory_allocated(device) - before

        def save(tensor: Tensor) -> Tensor:
            saved.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
            output = self._forward(chunk)
        network = chunk.part.network
        not_counted = [*tensors_of(chunk.inputs), *network.parameters(), *network.buffers()]
        return output, storage_bytes(saved, besides=not_counted)

    def graph_bytes(self, images: Inputs) -> int:
        """Measure the memory that the graph of one chunk takes: the unit of ``keep_graphs``.

        Args:
            images: (b, …), the images of the chunk. They are embedded once; random numbers and
                buffers are afterwards as before.

        Returns:
            Bytes: on CUDA what the allocator gave out, elsewhere what autograd saved.
        """
        buffers = BufferStates([unwrapped(self.network)]).copy()
        with ForwardState(RandomState(self._device()), buffers).restored():
            size = self._forward_measured(self._trial(images, self.network))[1]
        for buffer in buffers:
            buffer.restore()
        return size

    def _trial(self, inputs: Inputs, network: nn.Module) -> Chunk:
        """Make a single chunk of ``inputs``, with what the transform draws for it."""
        shared = network is self.network
        device = _device_of(network, self._device())
        part = Part("images", network, device, inputs, row_count(inputs), shared)
        part = replace(part, draws=self._draw(part))
        return part.chunks(part.count)[0]

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        if self.autocast is None:
            return nullcontext()
        # The cache of cast weights is off. It would keep the weights of the pass without graph, and
        # the second pass would have no path back to the parameters.
        return torch.autocast(device.type, dtype=self.autocast, cache_enabled=False)

    def _loss(self, embeddings: list[Tensor], of_loss: list[Tensor | None]) -> Tensor:
        """Compute the loss of the embeddings of each part."""
        labels, *others = (x.to(embeddings[0].device) for x in of_loss if x is not None)
        if len(embeddings) == 1:
            mixed = self.mixup(embeddings[0], labels) if self.mixup else (embeddings[0], labels)
            return self.loss(*mixed)
        return self.loss(embeddings[0], labels, embeddings[1], *others)

    def _find_chunk_size(self, part: Part) -> int:
        if part.device.type != "cuda":
            return CPU_CHUNK

        def chunk_fits(size: int) -> bool:
            return self.fits(rows_between(part.inputs, 0, size), part.network)

        return largest_that_fits(chunk_fits, part.count)

    def fits(self, images: Inputs, network: nn.Module | None = None) -> bool:
        """Try whether a chunk, its graph and its backward pass fit beside ``keep_graphs``.

        Args:
            images: (b, …), the images of the chunk. Gradients, buffers and random numbers are
                afterwards as before.
            network: that embeds them; None: the network of the images.
        """
        network = self.network if network is None else network
        device = _device_of(network, self._device())
        before = StateBefore([unwrapped(network)], self.mixup, None, device)
        try:
            spare = torch.empty(self.keep_graphs, dtype=torch.uint8, device=device)
            output = self._forward(self._trial(images, network))
            if output.requires_grad:
                output.backward(torch.zeros_like(output))
            del spare
            return True
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        finally:
            before.restore()

    def _refuse_below_one(self, error: Exception) -> None:
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

    def _waits_for_others(self) -> bool:
        """Tell whether the processes wait for each other after the first pass."""
        networks = (self.network, self.gallery_network)
        return any(isinstance(network, DistributedDataParallel) for network in networks)

    def _device(self) -> torch.device:
        return _device_of(self.network, torch.device("cpu"))

    def _check(self, parts: Sequence[Part]) -> None:
        for part, labels in zip(parts, ("labels", "gallery_labels"), strict=False):
            check_rows(part.inputs, part.name, part.count, labels)
        if not any(part.trained for part in parts):
            raise ValueError(
                "network must have a parameter that requires a gradient: all are frozen"
            )
        for part in parts:
            _refuse_batch_norm(part.network)


def _as_tensors(labels: Any, gallery_labels: Any) -> tuple[Tensor, Tensor | None]:
    """Return labels as tensors: those that are none are made canonical, together."""
    given = {"labels": labels}
    if gallery_labels is not None:
        given["gallery_labels"] = gallery_labels
    if not all(isinstance(value, Tensor) and value.ndim > 0 for value in given.values()):
        labels, *others = canonical_labels(given)
        return labels, others[0] if others else None
    return labels, gallery_labels


def _refuse_batch_norm(network: nn.Module) -> None:
    for name, module in unwrapped(network).named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
            raise ValueError(
                f"BatchNorm in training mode ({name}) would see chunks, not the batch, and "
                f"update its statistics twice. Freeze it with "
                f"recallkit.networks.freeze_batch_norm(network), or use GroupNorm."
            )


def _device_of(network: nn.Module, otherwise: torch.device) -> torch.device:
    """Return the device of a network's first parameter."""
    return next((parameter.device for parameter in network.parameters()), otherwise)


def _split(parts: Sequence[Tensor], size: int) -> list[Tensor]:
    """Return the rows of each chunk, part after part."""
    return [rows for part in parts for rows in part.split(size)]


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
