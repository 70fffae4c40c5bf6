"""The loop: batches, steps, schedule, evaluations, and a state that can be left and resumed.

A batch of any size is one step: :class:`.LargeBatchStep` takes it apart, so nothing has to be
accumulated over several batches; for a loss that compares all images of a batch, that would be
another loss. Only one process writes log and checkpoints, however many there are.
"""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recallkit.checks import NotFiniteError
from recallkit.config import Config
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet, are_features
from recallkit.data.prefetch import Reading, decoded_batches
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError
from recallkit.large_batch import LargeBatchStep, RandomState
from recallkit.sampling import ClassBalancedSampler
from recallkit.simix import SimilarityMixup
from recallkit.training.build import (
    BASELINE_LOSSES,
    count_steps,
    make_loss,
    make_network,
    make_optimizer,
    make_schedule,
    make_train_transform,
)
from recallkit.training.distributed import (
    ALONE,
    Processes,
    Shard,
    ShardedDraws,
    ShardedLoss,
    ShardedMixup,
    SumOverProcesses,
    own_rows,
)
from recallkit.training.frozen_features import DrawnView

RESIDENT_SHARE = 0.1  # of a card's free memory that the training images may take


AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Diverged(RecallkitError):
    """Loss, gradient or embeddings are not finite; the training is where it was before the step.

    Attributes:
        step: steps done before it.
        images: names of the images of the batch.
    """

    def __init__(self, what: str, step: int, images: list[str]) -> None:
        shown = ", ".join(images[:8]) + (f" and {len(images) - 8} more" if len(images) > 8 else "")
        super().__init__(
            f"{what} at step {step}, with the images {shown}. "
            f"Lower learning_rate, or clip gradients with clip_norm; look at the images."
        )
        self.step, self.images = step, images


class Training:
    """A training that can be taken a step at a time, saved and resumed.

    Seeds torch's default generators.

    Args:
        config: all settings.
        images: the training classes; a tensor of images, or files in its place, decoded while the
            batch before is in use. With ``config.frozen`` features, of :func:`.feature_splits`.
        device: where the network runs.
        processes: this one and the others that share each batch; every one makes a Training with
            the same arguments.
        reading: of files: how many workers, and what of those that cannot be read.

    Attributes:
        network: the whole network.
        trained: what of it is trained, and takes what ``images`` holds: all, or the head.

    Raises:
        ValueError: if ``config.frozen`` asks for features and there are images, or the reverse.
    """

    def __init__(
        self,
        config: Config,
        images: ImageSet,
        device: torch.device,
        processes: Processes = ALONE,
        reading: Reading | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.reading = Reading() if reading is None else reading
        self.config, self.device, self.processes = config, device, processes
        self.set, self.labels = images, images.labels
        self.images, self._transform = _seen(config, images.images, device)
        # Convolutions run a third faster on a CPU with the channels of a pixel side by side.
        self.network = make_network(config).to(device, memory_format=torch.channels_last)
        self.trained = self.network.head if config.frozen else self.network
        self.loss = make_loss(config, self.labels).to(device)
        modules = (self.trained, self.loss)
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(*modules, config)
        self.sampler = ClassBalancedSampler(
            images.labels, config.batch_size, config.per_class, config.seed
        )
        self.batch_size = self.sampler.batch_size  # smaller than asked for if classes are few
        self.steps = count_steps(config, self.batch_size, len(self.sampler))
        schedule = make_schedule(config, self.steps)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, schedule)
        half = config.precision == "float16"
        self.scaler = torch.amp.GradScaler(device.type, enabled=half)
        self.gradient = self._make_gradient()
        self.steps_done = 0
        self._start_epoch(0, 0)

    def _make_gradient(self) -> LargeBatchStep:
        config, transform = self.config, self._transform
        loss, network = self.loss, self.trained
        mixup = SimilarityMixup() if config.simix else None
        self.shard = Shard(self.processes, self.device)
        if self.processes.world > 1:
            if config.loss in BASELINE_LOSSES:
                raise ValueError(f"loss {config.loss!r} trains in one process, not in several")
            ids = [self.device.index] if self.device.type == "cuda" else None
            network = DistributedDataParallel(network, device_ids=ids)
            transform = ShardedDraws(transform, self.shard)
            mixup = ShardedMixup(self.shard) if config.simix else None
            loss = SumOverProcesses(ShardedLoss(loss), self.processes.world)
            if self.processes.rank > 0:  # dropout is each process's own
                torch.manual_seed(config.seed + 10_007 * self.processes.rank)
        return LargeBatchStep(
            network,
            loss,
            chunk_size=config.chunk_size,
            mixup=mixup,
            autocast=AUTOCAST[config.precision],
            transform=transform,
            keep_graphs=round(config.keep_graphs_gb * 1e9),
            scaler=self.scaler if self.scaler.is_enabled() else None,
        )

    @property
    def images_seen(self) -> int:
        """Images of the steps done: steps times batch size."""
        return self.steps_done * self.batch_size

    def step(self) -> float:
        """Take one optimiser step; return its loss.

        Under float16, a step whose scaled gradient overflows is left out, as usual, and the scale
        is halved; the schedule goes on.

        Raises:
            Diverged: if embeddings, loss or gradient are not finite. The training is as before the
                step; the state can be saved, and the step is the next one again.
        """
        before = RandomState(self.device), self.shard.random, self.epoch, self.batches_done
        batch, images = self._next_batch()
        self.trained.train()
        self.optimizer.zero_grad()
        try:
            value = self.gradient(images, self.labels[batch]).item() / self.processes.world
            if not math.isfinite(value):
                raise NotFiniteError(f"the loss is {value}")
            self._update()
        except NotFiniteError as error:
            self._go_back(*before)
            raise Diverged(str(error), self.steps_done, self._names(batch)) from error
        self.steps_done += 1
        return value

    def _update(self) -> None:
        """Clip the gradient, and take the optimiser's step with it if it is finite."""
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        if self.config.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.config.clip_norm, norm)
        # A scale of 1 scales nothing: what is not finite then is not so for its sake.
        if not norm.isfinite() and self.scaler.get_scale() <= 1:
            raise NotFiniteError(f"the gradient has the norm {norm.item()}")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()

    def _names(self, batch: list[int]) -> list[str]:
        own = [self.set.name(index) for index in batch]
        return [name for names in self.processes.gather(own) for name in names]

    def _go_back(
        self, random: RandomState, common: RandomState, epoch: int, batches_done: int
    ) -> None:
        random.restore()
        self.shard.random = common
        self._start_epoch(epoch, batches_done)

    def _start_epoch(self, epoch: int, batches_done: int) -> None:
        self.sampler.set_epoch(epoch)
        self.epoch, self.batches_done = epoch, batches_done
        self._batches = self._load(islice(self.sampler, batches_done, None))

    def _load(self, batches: Iterator[list[int]]) -> Iterator[tuple[list[int], Tensor]]:
        """Of each batch the part of this process: indices, and images (b, 3, H, W) uint8."""
        own = (batch[own_rows(self.labels[batch], self.processes)] for batch in batches)
        if isinstance(self.images, Tensor):
            return ((batch, self.images[batch]) for batch in own)
        return decoded_batches(self.images, own, self.reading, self.device.type == "cuda")

    def _next_batch(self) -> tuple[list[int], Tensor]:
        batch = next(self._batches, None)
        if batch is None:
            self._start_epoch(self.epoch + 1, 0)
            batch = next(self._batches)
        self.batches_done += 1
        if self.processes.world > 1:
            self.shard.begin(self.labels[batch[0]])
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next steps depend on, besides config and images.

        All processes must ask for it together; each gets the state of all.
        """
        states = self.processes.gather(_random_state(RandomState(self.device)))
        return {
            "network": self.trained.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "chunks": [self.gradient.chunk_size, self.gradient.keep_graphs],
            "progress": [self.steps_done, self.epoch, self.batches_done],
            "random": states,
            "random_common": _random_state(self.shard.random),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state_dict`; with another number of processes, if need be."""
        self.trained.load_state_dict(state["network"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.scaler.load_state_dict(state["scaler"])
        self.gradient.chunk_size, self.gradient.keep_graphs = state["chunks"]
        self.steps_done, epoch, batches_done = state["progress"]
        self._start_epoch(epoch, batches_done)
        _set_random_state(self.shard.random, state["random_common"])
        if self.processes.rank < len(state["random"]):
            own = RandomState(self.device)
            _set_random_state(own, state["random"][self.processes.rank])
            own.restore()


def _seen(
    config: Config, images: Tensor | ImageFiles, device: torch.device
) -> tuple[Tensor | ImageFiles, nn.Module]:
    """What batches are made of, and what turns it into input: of features their places in a set."""
    if are_features(images) != config.frozen:
        raise ValueError(
            "images must be features with config.frozen, made by feature_splits, and else images"
        )
    if config.frozen:
        return torch.arange(len(images)), DrawnView(images.to(device))
    return _near(flattened(images), device), make_train_transform(config)


def _near(images: Tensor | ImageFiles, device: torch.device) -> Tensor | ImageFiles:
    """On the card if they take little of its memory: then no step waits for its images."""
    if device.type != "cuda" or not isinstance(images, Tensor):
        return images
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.numel() <= RESIDENT_SHARE * free else images


def _random_state(state: RandomState) -> list[Tensor | None]:
    return [state.cpu_state, state.device_state]


def _set_random_state(state: RandomState, saved: list[Tensor | None]) -> None:
    state.cpu_state = saved[0].cpu()
    if saved[1] is not None and state.device_state is not None:
        state.device_state = saved[1].cpu()
