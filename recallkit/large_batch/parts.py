"""A batch as parts (queries, and perhaps a gallery), and each part as chunks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recallkit.large_batch.inputs import Inputs, cut


@dataclass(frozen=True)
class Part:
    """Queries or gallery, and the network that embeds them.

    Attributes:
        name: of the argument, for errors.
        network: perhaps in DistributedDataParallel.
        device: on which it is embedded.
        inputs: what the network is given, with ``count`` rows.
        transformed: whether the transform is applied to it.
        draws: what the transform drew for it, tensors with ``count`` rows.
    """

    name: str
    network: nn.Module
    device: torch.device
    inputs: Inputs
    count: int
    transformed: bool = True
    draws: tuple[Tensor, ...] = field(default=())

    @property
    def trained(self) -> bool:
        """Tell whether the network has a parameter that requires a gradient."""
        return any(parameter.requires_grad for parameter in self.network.parameters())

    def chunks(self, size: int) -> list["Chunk"]:
        """Cut into chunks of ``size`` rows."""
        inputs = cut((self.inputs, self.draws), size, self.count)
        begins = range(0, self.count, size)
        trained = self.trained
        return [
            Chunk(self, begin, min(size, self.count - begin), trained, *chunk)
            for begin, chunk in zip(begins, inputs, strict=True)
        ]


@dataclass(frozen=True)
class Chunk:
    """The rows of a part from ``begin`` on, ``count`` of them, and what was drawn for them."""

    part: Part
    begin: int
    count: int
    trained: bool
    inputs: Inputs
    draws: tuple[Tensor, ...]

    @property
    def rows(self) -> str:
        """The name of the rows in an error."""
        return f"rows {self.begin} to {self.begin + self.count - 1} of {self.part.name}"


def last_of_each_network(chunks: Sequence[Chunk], among: Sequence[int]) -> set[int]:
    """Return, for each network that embeds some of the chunks ``among``, the last of them."""
    return set({id(chunks[i].part.network): i for i in among}.values())


def unwrapped(network: nn.Module) -> nn.Module:
    """Return the network inside DistributedDataParallel, or the network itself."""
    if isinstance(network, DistributedDataParallel):
        return network.module  # pyright: ignore[reportReturnType]
    return network
