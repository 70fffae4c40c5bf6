"""The memory of a training step for any batch size and chunk size."""

from typing import Self

import traitlets

from recallkit.bench.memory import StepMemory
from recallkit.course.explorables.base import Explorable


class Memory(Explorable):
    """The predicted peak of a step against batch size, plain and in chunks.

    Attributes:
        fixed: bytes whatever the sizes; this and the next two as in
            :class:`recallkit.bench.memory.StepMemory`.
        graph: bytes for each image with a graph.
        image: further bytes for each image of the batch.
        gpu_memory: bytes of a GPU, drawn as a level.
        batch_size: images, 8 to 16,384; default 16,384, the paper's largest.
        chunk_size: images with a graph at once, 8 to 2,048; default 128.
    """

    module = "memory"
    fixed = traitlets.Float(0, min=0).tag(sync=True)
    graph = traitlets.Float(0, min=0).tag(sync=True)
    image = traitlets.Float(0, min=0).tag(sync=True)
    gpu_memory = traitlets.Float(24e9, min=1).tag(sync=True)
    batch_size = traitlets.Int(16_384, min=8, max=16_384).tag(sync=True)
    chunk_size = traitlets.Int(128, min=8, max=2_048).tag(sync=True)

    @classmethod
    def of(cls, memory: StepMemory, gpu_memory: float) -> Self:
        """Make the figure for a network.

        Args:
            memory: of the network.
            gpu_memory: bytes of a GPU.
        """
        return cls(
            fixed=memory.fixed, graph=memory.graph, image=memory.image, gpu_memory=gpu_memory
        )
