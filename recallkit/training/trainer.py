"""The trainer: everything a step needs, and a state that can be saved and resumed.

A batch of any size is one step. :class:`.LargeBatchStep` cuts it into chunks, so no gradient has to
be accumulated over several batches; a loss that compares all images of a batch would then be
another loss.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recallkit.checks import NotFiniteError
from recallkit.config import Config
from recallkit.data.image_set import Images, ImageSet, are_features
from recallkit.data.prefetch import BadImageError, Reading
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError
from recallkit.large_batch import BufferStates, LargeBatchStep, RandomState
from recallkit.ranges import SettingError
from recallkit.sampling import ClassBalancedSampler
from recallkit.training.baselines import BASELINE_LOSSES
from recallkit.training.batches import Batches
from recallkit.training.build import (
    Transform,
    count_steps,
    make_loss,
    make_mixup,
    make_network,
    make_optimizer,
    make_schedule,
    make_train_transform,
    on_device,
)
from recallkit.training.distributed import (
    ALONE,
    Processes,
    Shard,
    ShardedDraws,
    ShardedLoss,
    ShardedMixup,
    SumOverProcesses,
)
from recallkit.training.frozen_features import DrawnView

RESIDENT_SHARE = 0.1  # of a GPU's free memory that the training images may take

AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Diverged(RecallkitError):
    """Loss, gradient or embeddings are not finite; the training is where it was before the step.

    Attributes:
        step: steps done before it.
        images: names of the images of the batch.
    """

    def __init__(self, problem: str, step: int, images: list[str]) -> None:
        shown = ", ".join(images[:8]) + (f" and {len(images) - 8} more" if len(images) > 8 else "")
        super().__init__(
            f"{problem} at step {step}, with the images {shown}. "
            f"Lower learning_rate, or clip gradients with clip_norm; look at the images."
        )
        self.step, self.images = step, images


class Training:
    """A training that can be taken a step at a time, saved and resumed.

    Seeds torch's default generators.

    Args:
        config: all settings.
        images: the training images: a tensor, or files that are decoded while the batch before is
            in use. With ``config.frozen`` their features, made by :func:`.feature_splits`.
        device: where the network runs.
        processes: this one and the others that share each batch; every one makes a Training with
            the same arguments.
        reading: how image files are read: number of workers, and what to do with unreadable ones.

    Attributes:
        network: the whole network.
        trained: the part of the network that is trained: all of it, or with ``config.frozen`` the
            head. It takes images, or features.
        batch_size: smaller than ``config.batch_size`` if the classes are too few to fill a batch.
        steps: of the whole training.
        steps_an_epoch: batches of the first epoch; a later one may have a few more or fewer.
        steps_done: so far.

    Raises:
        ValueError: if every k of the loss is larger than a batch that the classes can fill; if
            ``config.frozen`` is set and ``images`` are no features, or the reverse; if
            a baseline loss, UniLoss, or circle loss on all pairs at once is to be trained in
            several processes.
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
        self.config, self.device, self.processes = config, device, processes
        self.set, self.labels, self.steps_done = images, images.labels, 0
        inputs, transform = _inputs(config, images.images, device)
        self.network = on_device(make_network(config), device)
        self.trained: nn.Module = self.network.head if config.frozen else self.network
        self.loss = make_loss(config, self.labels).to(device)
        self.shard = Shard(processes, device)
        sampler = ClassBalancedSampler(
            self.labels, config.batch_size, config.per_class, config.seed
        )
        self.batch_size = sampler.batch_size
        _check_ks(config, self.batch_size)
        self.steps_an_epoch = len(sampler)
        self.steps = count_steps(config, self.batch_size, self.steps_an_epoch)
        self._make_optimizer()
        self.gradient = self._make_gradient(transform)
        reading, pin = Reading() if reading is None else reading, device.type == "cuda"
        self.batches = Batches(inputs, self.labels, sampler, processes, reading, pin)

    def _make_optimizer(self) -> None:
        """Make optimiser, schedule and, for float16, the scaler of the loss."""
        modules = (self.trained, self.loss)
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(*modules, self.config)
        schedule = make_schedule(self.config, self.steps)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, schedule)
        half = self.config.precision == "float16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)

    def _make_gradient(self, transform: Transform) -> LargeBatchStep:
        """Make what computes the gradient of a batch, for one process or for several."""
        config, network, loss = self.config, self.trained, self.loss
        mixup = make_mixup(config)
        if self.processes.world > 1:
            network, loss = self._parallel(network, loss)
            transform = ShardedDraws(transform, self.shard)
            mixup = ShardedMixup(self.shard) if config.simix else None
            if self.processes.rank > 0:  # dropout draws in each process for itself
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

    def _parallel(self, network: nn.Module, loss: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return the network with reduced gradients, and the loss of all processes' batches."""
        if self.config.loss in (*BASELINE_LOSSES, "uniloss"):
            raise ValueError(f"loss {self.config.loss!r} trains in one process, not in several")
        if self.config.loss == "circle" and self.config.circle_reduce == "pairs":
            raise ValueError("circle_reduce 'pairs' trains in one process, not in several")
        if self.config.simix_variant != "none":
            raise ValueError("simix_variant trains in one process, not in several")
        ids = [self.device.index] if self.device.type == "cuda" else None
        parallel = DistributedDataParallel(network, device_ids=ids)
        return parallel, SumOverProcesses(ShardedLoss(loss), self.processes.world)

    @property
    def images_seen(self) -> int:
        """Images of the steps done: steps times batch size."""
        return self.steps_done * self.batch_size

    def step(self) -> float:
        """Take one optimiser step; return its loss.

        Under float16, a step whose scaled gradient overflows changes no weight, as usual: the scale
        is halved and the schedule goes on.

        Raises:
            Diverged: if embeddings, loss or gradient are not finite. The training is as before the
                step: its state can be saved, and the next call repeats the step.
            BadImageError: as :meth:`next_batch`; the training is as before the step.
        """
        before = RandomState(self.device), self.shard.random
        place = self.batches.epoch, self.batches.done
        indices, images = self.next_batch()
        self.trained.train()
        buffers = BufferStates([self.trained]).copy()
        self.optimizer.zero_grad()
        try:
            value = self.gradient(images, self.labels[indices]).item() / self.processes.world
            if not math.isfinite(value):
                raise NotFiniteError(f"the loss is {value}")
            self._update()
        except NotFiniteError as error:
            before[0].restore()
            for buffer in buffers:
                buffer.restore()
            self.shard.random = before[1]
            self.batches.go_to(*place)
            raise Diverged(str(error), self.steps_done, self._names(indices)) from error
        self.steps_done += 1
        return value

    def next_batch(self) -> tuple[list[int], Tensor]:
        """Return the indices and the images of this process in the next batch.

        Returns:
            Indices (b,), and images (b, 3, H, W) uint8 or, for features, the indices as a tensor.

        Raises:
            BadImageError: for an unreadable image, unless such are skipped; in every process, if
                too few are left to learn from. The next call takes the same batch again.
        """
        place = self.batches.epoch, self.batches.done
        indices, images = self.batches.take()
        shards = self.shard.begin(self.labels[indices])
        has_pair = any(len(labels.unique()) < len(labels) for labels in shards)
        if not (has_pair and all(map(len, shards))):
            self.batches.go_to(*place)
            raise self._too_few()
        return indices, images

    def _too_few(self) -> BadImageError:
        first = sorted(self.batches.reading.bad)[:1]
        problem = (
            f"too few images of the batch at step {self.steps_done} can be read: a class must have "
            f"two, and each process one. Mend them, and continue with --resume."
        )
        return BadImageError(" ".join([problem, *first]))

    def _update(self) -> None:
        """Clip the gradient, and take the optimiser's step with it if it is finite."""
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        if self.config.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.config.clip_norm, norm)
        # With scale 1 an overflow cannot come from loss scaling, so the training does diverge.
        if not norm.isfinite() and (scale := self.scaler.get_scale()) <= 1:
            self.scaler.update(scale)  # else it takes the gradient for unscaled in the next call
            raise NotFiniteError(f"the gradient has the norm {norm.item()}")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()

    def _names(self, indices: list[int]) -> list[str]:
        """Return the names of the images of all processes."""
        names = self.processes.gather([self.set.name(index) for index in indices])
        return [name for of_one in names for name in of_one]

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next steps depend on, besides config and images.

        All processes call it together; each gets the random states of all.
        """
        states = self.processes.gather(_packed(RandomState(self.device)))
        return {
            **{name: part.state_dict() for name, part in self._stateful().items()},
            "chunks": [self.gradient.chunk_size, self.gradient.keep_graphs],
            "progress": [self.steps_done, self.batches.epoch, self.batches.done],
            "random": states,
            "random_common": _packed(self.shard.random),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state_dict`; the number of processes may have changed."""
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        self.gradient.chunk_size, self.gradient.keep_graphs = state["chunks"]
        self.steps_done, epoch, batches_done = state["progress"]
        self.batches.go_to(epoch, batches_done)
        _unpack(state["random_common"], self.shard.random)
        if self.processes.rank < len(state["random"]):
            random = RandomState(self.device)
            _unpack(state["random"][self.processes.rank], random)
            random.restore()

    def _stateful(self) -> dict[str, Any]:
        return {
            "network": self.trained,
            "loss": self.loss,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "scaler": self.scaler,
        }


def _check_ks(config: Config, batch_size: int) -> None:
    """Refuse cut-offs that all ranks of the batches are below: few classes fill small batches."""
    of_uniloss = config.loss == "uniloss" and config.uniloss_metric == "recall@k"
    has_ks = of_uniloss or config.loss.startswith("recall@k")
    if has_ks and min(config.ks) > batch_size:
        raise SettingError(
            "ks",
            f"must hold a k of at most {batch_size}, the largest batch that these classes fill, "
            f"not {config.ks}",
        )


def _inputs(config: Config, images: Images, device: torch.device) -> tuple[Images, Transform]:
    """Return what batches are made of, and what turns it into input of the trained part.

    Images and their augmentation; or, for features, their places 0 … N − 1 and a lookup.
    """
    if are_features(images) != config.frozen:
        raise ValueError(
            "images must be features with config.frozen, made by feature_splits, and else images"
        )
    if config.frozen:
        return torch.arange(len(images)), DrawnView(images.to(device))
    return _near(flattened(images), device), make_train_transform(config)


def _near(images: Images, device: torch.device) -> Images:
    """Move images to the GPU if they take little of its memory: then no step waits for them."""
    if device.type != "cuda" or not isinstance(images, Tensor):
        return images
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.numel() <= RESIDENT_SHARE * free else images


def _packed(random: RandomState) -> list[Tensor | None]:
    return [random.cpu_state, random.device_state]


def _unpack(saved: list[Any], random: RandomState) -> None:
    cpu_state, device_state = saved
    random.cpu_state = cpu_state.cpu()
    if device_state is not None and random.device_state is not None:
        random.device_state = device_state.cpu()
