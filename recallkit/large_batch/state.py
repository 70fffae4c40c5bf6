"""The state that a forward pass depends on besides its input, to repeat it exactly."""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


class RandomState:
    """The state of the default generators of torch, numpy and Python, to be restored later.

    Of torch those of the CPU and of one device. Generators that a network or a transform owns, such
    as ``numpy.random.default_rng()``, are not reached.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu_state = torch.get_rng_state()
        self.device_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        self.numpy_state, self.python_state = np.random.get_state(), random.getstate()

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Use this state within the context, and the state from before it afterwards."""
        before = RandomState(self.device)
        self.restore()
        try:
            yield
        finally:
            before.restore()

    def restore(self) -> None:
        """Set the generators to this state."""
        torch.set_rng_state(self.cpu_state)
        if self.device_state is not None:
            torch.cuda.set_rng_state(self.device_state, self.device)
        np.random.set_state(self.numpy_state)
        random.setstate(self.python_state)


@dataclass(frozen=True)
class SavedBuffer:
    """A buffer as it was: the place ``module.name``, the tensor there, and a copy of its values."""

    module: nn.Module
    name: str
    tensor: Tensor
    version: int
    values: Tensor

    @classmethod
    def take(cls, module: nn.Module, name: str) -> "SavedBuffer":
        """Save a buffer."""
        tensor = getattr(module, name)
        return cls(module, name, tensor, tensor._version, tensor.detach().clone())

    def is_current(self) -> bool:
        """Tell whether no operation has written to the buffer or replaced it since it was saved.

        torch counts the writes to a tensor, so no value is read and no device is waited for. A
        write through ``.data`` is not counted.
        """
        current = getattr(self.module, self.name)
        return current is self.tensor and current._version == self.version

    @torch.no_grad()
    def restore(self) -> None:
        """Put tensor and values back."""
        if getattr(self.module, self.name) is not self.tensor:
            setattr(self.module, self.name, self.tensor)
        self.tensor.copy_(self.values)

    def differs(self, other: "SavedBuffer") -> bool:
        """Tell whether the values are others than in another state of the same buffer."""
        return not torch.equal(self.values, other.values)


class BufferStates:
    """The buffers of modules in training mode: running statistics, vectors of spectral norms.

    Buffers of modules in evaluation mode do not change. Among the others, one that has not changed
    is copied once, whatever the number of chunks.
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        names = {module: name for net in networks for name, module in net.named_modules()}
        self.places = [
            (module, name, f"{path}.{name}".lstrip("."))
            for module, path in names.items()
            if module.training
            for name, _ in module.named_buffers(recurse=False)
        ]
        self._latest: dict[tuple[nn.Module, str], SavedBuffer] = {}

    def copy(self) -> list[SavedBuffer]:
        """Copy all buffers."""
        return [SavedBuffer.take(module, name) for module, name, _ in self.places]

    def take(self) -> list[SavedBuffer]:
        """Return the present state; it shares copies with states before it."""
        return [self._take(module, name) for module, name, _ in self.places]

    def _take(self, module: nn.Module, name: str) -> SavedBuffer:
        latest = self._latest.get((module, name))
        if latest is None or not latest.is_current():
            latest = self._latest[module, name] = SavedBuffer.take(module, name)
        return latest

    def changed(self, before: Iterable[SavedBuffer], after: Iterable[SavedBuffer]) -> list[str]:
        """Name the buffers whose values differ between two states."""
        states = zip(self.places, before, after, strict=True)
        return [path for (_, _, path), old, new in states if old.differs(new)]


@dataclass(frozen=True)
class ForwardState:
    """The state that a forward pass of a network depends on besides its input."""

    random: RandomState
    buffers: Sequence[SavedBuffer]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Use this state within the context; random numbers are afterwards as before it."""
        for buffer in self.buffers:
            if not buffer.is_current():
                buffer.restore()
        with self.random.restored():
            yield


class StateBefore:
    """Random states, buffers and gradients before a step, to be restored after an error.

    Args:
        networks: those that are trained.
        mixup: whose own generator counts, if it has one.
        loss: whose parameters count, if it is a module: proxies.
        device: of the random state.
    """

    def __init__(
        self, networks: Sequence[nn.Module], mixup: object, loss: object, device: torch.device
    ) -> None:
        modules = [*networks, *([loss] if isinstance(loss, nn.Module) else [])]
        self.parameters = list({p: None for module in modules for p in module.parameters()})
        self.random = RandomState(device)
        self.generator = getattr(mixup, "generator", None)
        self.generator_state = self.generator.get_state() if self.generator else None
        self.gradients = [None if p.grad is None else p.grad.clone() for p in self.parameters]
        self.buffers = BufferStates(networks)
        self.values_of_buffers = self.buffers.copy()

    def restore(self) -> None:
        """Put everything back."""
        self.random.restore()
        for buffer in self.values_of_buffers:
            buffer.restore()
        if self.generator is not None:
            self.generator.set_state(self.generator_state)
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
