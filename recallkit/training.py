"""The loop: batches, steps, schedule, evaluations, and a state that can be left and resumed.

A batch of any size is one step: :class:`.LargeBatchStep` takes it apart, so nothing has to be
accumulated over several batches; for a loss that compares all images of a batch, that would be
another loss. Only one process writes log and checkpoints, however many there are.
"""

import json
import math
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recallkit import runs
from recallkit.checkpoints import load_state, remove_states, save_state
from recallkit.checks import NotFiniteError
from recallkit.data import load
from recallkit.data.image_set import ImageSet, Splits, are_features
from recallkit.data.loading import BadPictureError, Reading, decoded_batches
from recallkit.data.picture_files import PictureFiles
from recallkit.data.transforms import flattened
from recallkit.distributed import (
    ALONE,
    Processes,
    Shard,
    ShardedDraws,
    ShardedLoss,
    ShardedMixup,
    joined,
    own_rows,
)
from recallkit.embedding import evaluate, evaluate_features, evaluate_pixels
from recallkit.errors import RecallkitError
from recallkit.frozen import DrawnView, feature_splits
from recallkit.large_batch import LargeBatchStep, RandomState
from recallkit.loss_choice import PEERS, make_loss
from recallkit.presets import Config
from recallkit.recipes import (
    count_steps,
    make_network,
    make_optimizer,
    make_schedule,
    make_train_transform,
)
from recallkit.run_log import Line, RunLog
from recallkit.sampling import ClassBalancedSampler
from recallkit.simix import SimilarityMixup

SAVE_SECONDS = 300.0  # of work that a crash can cost, at most
RESIDENT_SHARE = 0.1  # of a card's free memory that the training images may take
AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Stopped(RecallkitError):
    """The training was asked to stop, and has saved its state."""


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
            if config.loss in PEERS:
                raise ValueError(f"loss {config.loss!r} trains in one process, not in several")
            ids = [self.device.index] if self.device.type == "cuda" else None
            network = DistributedDataParallel(network, device_ids=ids)
            transform = ShardedDraws(transform, self.shard)
            mixup = ShardedMixup(self.shard) if config.simix else None
            loss = _SumOverProcesses(ShardedLoss(loss), self.processes.world)
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
    config: Config, images: Tensor | PictureFiles, device: torch.device
) -> tuple[Tensor | PictureFiles, nn.Module]:
    """What batches are made of, and what turns it into input: of features their places in a set."""
    if are_features(images) != config.frozen:
        raise ValueError(
            "images must be features with config.frozen, made by feature_splits, and else images"
        )
    if config.frozen:
        return torch.arange(len(images)), DrawnView(images.to(device))
    return _near(flattened(images), device), make_train_transform(config)


def _near(images: Tensor | PictureFiles, device: torch.device) -> Tensor | PictureFiles:
    """On the card if they take little of its memory: then no step waits for its images."""
    if device.type != "cuda" or not isinstance(images, Tensor):
        return images
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.numel() <= RESIDENT_SHARE * free else images


class _SumOverProcesses(nn.Module):
    """A loss for DistributedDataParallel, which averages gradients where their sum is wanted."""

    def __init__(self, loss: nn.Module, world: int) -> None:
        super().__init__()
        self.loss, self.world = loss, world

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.world * self.loss(embeddings, labels)


def _random_state(state: RandomState) -> list[Tensor | None]:
    return [state.cpu_state, state.device_state]


def _set_random_state(state: RandomState, saved: list[Tensor | None]) -> None:
    state.cpu_state = saved[0].cpu()
    if saved[1] is not None and state.device_state is not None:
        state.device_state = saved[1].cpu()


def train(
    config: Config,
    folder: Path,
    *,
    splits: Splits | None = None,
    device: str = "auto",
    resume: bool = False,
    progress: bool = True,
    reading: Reading | None = None,
    tensorboard: bool = False,
    save_seconds: float = SAVE_SECONDS,
    baselines: bool = True,
) -> dict[str, Any]:
    """Train, evaluate, and fill the run folder.

    Started by ``torchrun`` in several processes, they share each batch, and the first one writes.

    Args:
        config: all settings.
        folder: of the run; see :mod:`recallkit.runs`.
        splits: the data; None: ``load(config.dataset)``. Without test classes the result has
            no metrics of them.
        device: "auto" takes a GPU if there is one.
        resume: continue the run in ``folder``; its config must be ``config``.
        progress: show a line with loss, R@1, images a second, peak memory and the time left.
        reading: how pictures in files are read: by how many workers, and what of those that cannot
            be; the result's "skipped" names them.
        tensorboard: also log for TensorBoard, if it is installed.
        save_seconds: save the state when the last save is so long ago; besides, it is saved at
            each evaluation. The default costs at most five minutes after a crash.
        baselines: also measure the test classes by pixels, by the untrained network, and, where
            the backbone is frozen, by its features. Sweeps, which compare trained networks, do not.

    Returns:
        What ``result.json`` holds: config, metrics on test classes of pixels, frozen features, the
        untrained and the trained network, the history on validation classes, costs, and the
        environment. Only the first of several processes has the trained one's metrics; elsewhere
        they are empty.

    Raises:
        RecallkitError: if the folder cannot be written or holds another run.
        BadPictureError: if a picture cannot be read; the state before that step is saved.
        Diverged: if the loss or the gradient is not finite; the state before that step is saved,
            and ``diverged.json`` names its images.
        Stopped: on Ctrl-C or SIGTERM, after the step is done and the state is saved.
    """
    reading = Reading() if reading is None else reading
    with joined() as processes:
        chosen = choose_device(device, processes.local_rank)
        return _train(
            config,
            Path(folder),
            load(config.dataset, config.image_size, config.root, reading)
            if splits is None
            else splits,
            chosen,
            processes,
            _Options(
                resume,
                progress and processes.first,
                reading,
                tensorboard,
                save_seconds,
                baselines,
            ),
        )


@dataclass(frozen=True)
class _Options:
    resume: bool
    progress: bool
    reading: Reading
    tensorboard: bool
    save_seconds: float
    baselines: bool


def _train(
    config: Config,
    folder: Path,
    splits: Splits,
    device: torch.device,
    processes: Processes,
    options: _Options,
) -> dict[str, Any]:
    _open_folder(folder, config, options.resume, processes)
    seen = _features(config, splits, device, processes) if config.frozen else splits
    training = Training(config, seen.train, device, processes, options.reading)
    table, tested = {}, processes.first and splits.test is not None
    if tested and options.baselines:
        table |= _baselines(training, splits.test, seen.test)
    run = _Run(training, seen.validation, folder, options)
    with _stop_request() as stop_requested:
        run.loop(stop_requested)
    result = {
        "config": asdict(config),
        "seed": config.seed,
        "test": table,
        "validation": run.history,
        "seconds": round(run.seconds, 2),
        "processor_seconds": round(run.processor_seconds, 2),
        "images_per_second": round(training.steps * training.batch_size / run.seconds, 1),
        "peak_memory_mb": round(_peak_memory(device) / 2**20, 1),
        "processes": processes.world,
        "skipped": sorted(set().union(*processes.gather(options.reading.bad))),
        **runs.environment(device),
    }
    if processes.first:
        runs.write_weights(folder, training.network)
        if tested:
            table["trained"] = evaluate(training.trained, seen.test, config.image_size)
        runs.write_json(folder / "result.json", result)
        remove_states(folder)
    return result


def _features(config: Config, splits: Splits, device: torch.device, processes: Processes) -> Splits:
    """Features for the images; the first process computes them, the others find them cached."""
    if not processes.first:
        processes.any(False)
    found = feature_splits(config, splits, device)
    if processes.first:
        processes.any(False)
    return found


def _baselines(training: Training, images: ImageSet, seen: ImageSet) -> dict[str, dict[str, float]]:
    """Metrics on test classes of what has not been trained."""
    side = training.config.image_size
    found = {"pixels": evaluate_pixels(images, side)}
    if training.config.frozen:
        found["features"] = evaluate_features(seen)
    return found | {"untrained": evaluate(training.trained, seen, side)}


def read_network(folder: Path, device: str = "auto") -> tuple[Config, nn.Module]:
    """The settings and the trained network of the run in ``folder``, in evaluation mode.

    Raises:
        RecallkitError: if it is no finished run, or its files are damaged.
    """
    config = runs.read_config(folder)
    weights = runs.read_weights(folder)
    network = make_network(replace(config, pretrained=False, weights=""))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise RecallkitError(f"the weights in {folder} are not of its network: {error}") from None
    return config, network.to(choose_device(device)).eval()


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device called ``name``; for "auto" a GPU if there is one.

    Of several processes on a machine, number ``local_rank`` takes the GPU of that number.

    Raises:
        RecallkitError: if there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if name == "cuda":
            torch.cuda.set_device(local_rank)
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise RecallkitError(
            f"there is no device {name!r} here ({error}). Try --device cpu."
        ) from None


def _open_folder(folder: Path, config: Config, resume: bool, processes: Processes) -> None:
    """Check that the run can begin, and let the first process begin it."""
    problem = None
    if processes.first:
        try:
            _begin_or_resume(folder, config, resume)
        except RecallkitError as error:
            problem = error
    if processes.any(problem is not None)[0]:
        raise problem or RecallkitError("the first process could not begin; see its message")


def _begin_or_resume(folder: Path, config: Config, resume: bool) -> None:
    if resume:
        if runs.read_config(folder) != config:
            raise RecallkitError(f"the run in {folder} has other settings; resume with its own")
        if (folder / "result.json").exists():
            raise RecallkitError(f"the run in {folder} is finished: there is nothing to resume")
        runs.remove_unfinished(folder)
        (folder / "diverged.json").unlink(missing_ok=True)
        return
    if any((folder / name).exists() for name in ("state.pt", "state.previous.pt", "result.json")):
        raise RecallkitError(
            f"{folder} already holds a run. Continue it with --resume, or choose another --out."
        )
    runs.remove_unfinished(folder)
    runs.write_json(folder / "config.json", asdict(config))
    (folder / "metrics.jsonl").unlink(missing_ok=True)  # of a run that never came to a save


class _Run:
    """A training on its way through its run folder.

    Attributes:
        history: the lines of ``metrics.jsonl``.
        seconds: of training, evaluations left out, earlier sittings included.
        processor_seconds: the same as the processor's time, all threads together, which does not
            count the waiting for other programs; on a CPU it says what the training costs.
    """

    def __init__(
        self, training: Training, validation: ImageSet, folder: Path, options: _Options
    ) -> None:
        self.training, self.validation = training, validation
        self.folder, self.first, self.options = folder, training.processes.first, options
        self.history: list[Line] = []
        self.losses: list[float] = []  # since the last evaluation
        self.seconds = self.processor_seconds = 0.0
        if options.resume:
            load_state(folder, asdict(training.config), training.device, self._use)
        self.due = self._due()
        self.saved_at = time.monotonic()

    def _use(self, state: dict[str, Any]) -> None:
        self.training.load_state_dict(state)
        log = json.loads(state["log"])
        self.history, self.losses, self.seconds = log["history"], log["losses"], log["seconds"]
        self.processor_seconds = log["processor_seconds"]
        self.options.reading.bad.update(log["skipped"])

    def save(self) -> None:
        """Write the state; all processes together."""
        log = {
            "history": self.history,
            "losses": self.losses,
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "skipped": sorted(self.options.reading.bad),
        }
        state = self.training.state_dict() | {"log": json.dumps(log)}
        if self.first:
            save_state(self.folder, state, asdict(self.training.config))
        self.saved_at = time.monotonic()

    def loop(self, stop_requested: Callable[[], bool]) -> None:
        """Steps and evaluations until the end or a request to stop."""
        training = self.training
        log = None
        if self.first:
            size = training.batch_size
            log = RunLog(
                self.folder,
                self.history,
                training.steps * size,
                training.steps_done * size,
                training.steps_done,
                self.options.tensorboard,
                self.options.progress,
            )
        try:
            while training.steps_done < training.steps:
                self._step(log)
                self._save_or_stop(stop_requested)
        except Diverged as error:
            self._keep_what_diverged(error)
            raise
        except BadPictureError:
            if training.processes.world == 1:  # else the others do not know
                self.save()
            raise
        finally:
            if log is not None:
                log.close()

    def _step(self, log: RunLog | None) -> None:
        training = self.training
        start, processor_start = time.perf_counter(), time.process_time()
        self.losses.append(training.step())
        self.seconds += time.perf_counter() - start
        self.processor_seconds += time.process_time() - processor_start
        if log is not None:
            peak = _peak_memory(training.device)
            log.step(training.steps_done, training.batch_size, self.losses[-1], peak)
        if training.steps_done in self.due:
            line = self._look() if self.first else {}
            if log is not None:
                self._keep_the_best(line)
                log.look(line)
            self.history, self.losses = [*self.history, line], []
            self.save()

    def _due(self) -> set[int]:
        """After which steps the validation classes are looked at."""
        config, steps = self.training.config, self.training.steps
        if config.evaluation_epochs is None:
            return {steps * (i + 1) // config.evaluations for i in range(config.evaluations)}
        epoch = max(1, len(self.training.labels) // self.training.batch_size)
        return {*range(0, steps, epoch * config.evaluation_epochs), steps}

    def _look(self) -> Line:
        """A line of metrics.jsonl: where the training stands, on validation classes."""
        training = self.training
        metrics = evaluate(training.trained, self.validation, training.config.image_size)
        return {
            "step": training.steps_done,
            "images": training.steps_done * training.batch_size,
            "seconds": round(self.seconds, 2),
            "processor_seconds": round(self.processor_seconds, 2),
            "learning_rate": training.scheduler.get_last_lr()[0],
            "loss": sum(self.losses) / max(1, len(self.losses)),
            **{name: round(value, 6) for name, value in metrics.items()},
        }

    def _keep_the_best(self, line: Line) -> None:
        if all(line["R@1"] > earlier["R@1"] for earlier in self.history):
            runs.write_weights(self.folder, self.training.network, "best")

    def _save_or_stop(self, stop_requested: Callable[[], bool]) -> None:
        training = self.training
        late = time.monotonic() - self.saved_at >= self.options.save_seconds
        stop, late = training.processes.any(stop_requested(), late)
        if training.steps_done == training.steps or not (stop or late):
            return
        self.save()
        if stop:
            raise Stopped(
                f"stopped after {training.steps_done} of {training.steps} steps; "
                f"nothing is lost. Go on with: recallkit train --resume {self.folder}"
            )

    def _keep_what_diverged(self, error: Diverged) -> None:
        self.save()
        if self.first:
            found = {"problem": str(error), "step": error.step, "images": error.images}
            runs.write_json(self.folder / "diverged.json", found)


@contextmanager
def _stop_request() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C and SIGTERM instead of dying of them; a second Ctrl-C interrupts at once."""
    requested: list[int] = []

    def note(number: int, frame: object) -> None:
        if requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        requested.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(requested)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _peak_memory(device: torch.device) -> int:
    """Bytes: of the device for CUDA, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
