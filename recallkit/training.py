"""The loop: batches, steps, schedule, evaluations, and a state that can be left and resumed."""

import io
import json
import math
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from recallkit import runs
from recallkit.data import load
from recallkit.data.image_set import ImageSet, Splits
from recallkit.data.transforms import TrainTransform, flattened
from recallkit.embedding import evaluate, evaluate_pixels
from recallkit.errors import RecallkitError
from recallkit.large_batch import LargeBatchStep
from recallkit.networks import build_network
from recallkit.presets import Config
from recallkit.recipes import count_steps, make_loss, make_optimizer, make_schedule
from recallkit.sampling import ClassBalancedSampler
from recallkit.simix import SimilarityMixup


class Stopped(RecallkitError):
    """The training was asked to stop, and has saved its state."""


class Training:
    """A training that can be taken a step at a time, saved and resumed.

    Seeds torch's default generators.

    Args:
        config: all settings.
        images: the training classes.
        device: where the network runs.
    """

    def __init__(self, config: Config, images: ImageSet, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device = config, device
        self.images, self.labels = flattened(images.images), images.labels
        # Convolutions run a third faster on a CPU with the channels of a pixel side by side.
        self.network = make_network(config).to(device, memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.network, config)
        self.sampler = ClassBalancedSampler(
            images.labels, config.batch_size, config.per_class, config.seed
        )
        self.batch_size = self.sampler.batch_size  # smaller than asked for if classes are few
        self.steps = count_steps(config, self.batch_size, len(self.sampler))
        schedule = make_schedule(config, self.steps)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, schedule)
        self.gradient = LargeBatchStep(
            self.network,
            make_loss(config),
            chunk_size=config.chunk_size,
            mixup=SimilarityMixup() if config.simix else None,
            transform=make_train_transform(config),
        )
        self.steps_done = 0
        self._start_epoch(0, 0)

    def step(self) -> float:
        """Take one optimiser step; return its loss.

        Raises:
            RecallkitError: if the loss is not finite.
        """
        batch = self._next_batch()
        self.network.train()
        self.optimizer.zero_grad()
        value = self.gradient(self.images[batch], self.labels[batch]).item()
        if not math.isfinite(value):
            raise RecallkitError(
                f"the loss is {value} at step {self.steps_done}. Lower learning_rate."
            )
        self.optimizer.step()
        self.scheduler.step()
        self.steps_done += 1
        return value

    def _start_epoch(self, epoch: int, batches_done: int) -> None:
        self.sampler.set_epoch(epoch)
        self.epoch, self.batches_done = epoch, batches_done
        self._batches = islice(self.sampler, batches_done, None)

    def _next_batch(self) -> list[int]:
        batch = next(self._batches, None)
        if batch is None:
            self._start_epoch(self.epoch + 1, 0)
            batch = next(self._batches)
        self.batches_done += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next steps depend on, besides config and images."""
        cuda = self.device.type == "cuda"
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "progress": [self.steps_done, self.epoch, self.batches_done],
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if cuda else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.steps_done, epoch, batches_done = state["progress"]
        self._start_epoch(epoch, batches_done)
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)


def make_network(config: Config) -> nn.Module:
    """The untrained network of ``config``."""
    return build_network(
        config.network,
        embedding_dim=config.embedding_dim,
        pretrained=config.weights or config.pretrained,
        image_size=config.image_size,
    )


def make_train_transform(config: Config) -> TrainTransform:
    """The augmentation of ``config``."""
    return TrainTransform(
        config.image_size,
        config.rotation,
        config.scale,
        config.shift,
        config.colour,
        config.flip,
        config.crop,
    )


def train(
    config: Config,
    folder: Path,
    *,
    splits: Splits | None = None,
    device: str = "auto",
    resume: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Train, evaluate, and fill the run folder.

    Args:
        config: all settings.
        folder: of the run; see :mod:`recallkit.runs`.
        splits: the data; None: ``load(config.dataset)``.
        device: "auto" takes a GPU if there is one.
        resume: continue the run in ``folder``; its config must be ``config``.
        progress: show a bar.

    Returns:
        What ``result.json`` holds: config, metrics on test classes of pixels, the untrained and
        the trained network, the history on validation classes, costs, and the environment.

    Raises:
        RecallkitError: if the folder cannot be written or holds another run, or the loss is not
            finite.
        Stopped: on Ctrl-C or SIGTERM, after the step is done and the state is saved.
    """
    device = choose_device(device)
    folder = Path(folder)
    _open_folder(folder, config, resume)
    splits = load(config.dataset, config.image_size, config.root) if splits is None else splits
    training = Training(config, splits.train, device)
    table = {
        "pixels": evaluate_pixels(splits.test, config.image_size),
        "untrained": evaluate(training.network, splits.test, config.image_size),
    }
    earlier = _resume(training, folder) if resume else []
    clock = _Clock(earlier)
    with _stop_request() as stop_requested:
        history = _loop(
            training, splits.validation, folder, earlier, clock, stop_requested, progress
        )
    runs.write_weights(folder, training.network)
    table["trained"] = evaluate(training.network, splits.test, config.image_size)
    result = {
        "config": asdict(config),
        "seed": config.seed,
        "test": table,
        "validation": history,
        "seconds": round(clock.seconds, 2),
        "images_per_second": round(training.steps * training.batch_size / clock.seconds, 1),
        "peak_memory_mb": round(_peak_memory(device) / 2**20, 1),
        **runs.environment(device),
    }
    runs.write_json(folder / "result.json", result)
    (folder / "state.pt").unlink(missing_ok=True)
    return result


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


def choose_device(name: str) -> torch.device:
    """The device called ``name``; for "auto" a GPU if there is one.

    Raises:
        RecallkitError: if there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise RecallkitError(
            f"there is no device {name!r} here ({error}). Try --device cpu."
        ) from None


def _open_folder(folder: Path, config: Config, resume: bool) -> None:
    if resume:
        if runs.read_config(folder) != config:
            raise RecallkitError(f"the run in {folder} has other settings; resume with its own")
        if (folder / "result.json").exists():
            raise RecallkitError(f"the run in {folder} is finished: there is nothing to resume")
        return
    if any((folder / name).exists() for name in ("state.pt", "result.json")):
        raise RecallkitError(
            f"{folder} already holds a run. Continue it with --resume, or choose another --out."
        )
    runs.write_json(folder / "config.json", asdict(config))
    (folder / "metrics.jsonl").unlink(missing_ok=True)  # of a run that never came to a save


class _Clock:
    """Seconds of training, evaluations left out, earlier sittings included."""

    def __init__(self, earlier: list[dict[str, float]]) -> None:
        self.seconds = earlier[-1]["seconds"] if earlier else 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start


def _loop(
    training: Training,
    validation: ImageSet,
    folder: Path,
    history: list[dict[str, float]],
    clock: _Clock,
    stop_requested: Callable[[], bool],
    progress: bool,
) -> list[dict[str, float]]:
    """Steps and evaluations until the end or a request to stop; the lines of metrics.jsonl."""
    looks, losses = training.config.evaluations, []
    due = {training.steps * (i + 1) // looks for i in range(looks)}
    bar = tqdm(
        total=training.steps * training.batch_size,
        initial=training.steps_done * training.batch_size,
        unit=" images",
        unit_scale=True,
        desc="training",
        disable=not progress,
        mininterval=0.5,
    )
    with bar:
        while training.steps_done < training.steps:
            with clock.running():
                losses.append(training.step())
            bar.update(training.batch_size)
            if training.steps_done in due:
                line = _look(training, validation, losses, clock.seconds)
                bar.set_postfix({"loss": f"{line['loss']:.3f}", "R@1": f"{line['R@1']:.1%}"})
                history, losses = [*history, line], []
                runs.append_metrics(folder, line)
                save_state(training, folder, history)
            if stop_requested() and training.steps_done < training.steps:
                save_state(training, folder, history)
                raise Stopped(
                    f"stopped after {training.steps_done} of {training.steps} steps; "
                    f"nothing is lost. Go on with: recallkit train --resume {folder}"
                )
    return history


def _look(
    training: Training, validation: ImageSet, losses: list[float], seconds: float
) -> dict[str, float]:
    """A line of metrics.jsonl: where the training stands, on validation classes."""
    metrics = evaluate(training.network, validation, training.config.image_size)
    return {
        "step": training.steps_done,
        "images": training.steps_done * training.batch_size,
        "seconds": round(seconds, 2),
        "learning_rate": training.scheduler.get_last_lr()[0],
        "loss": sum(losses) / max(1, len(losses)),
        **{name: round(value, 6) for name, value in metrics.items()},
    }


def save_state(training: Training, folder: Path, history: list[dict[str, float]]) -> None:
    """Write ``state.pt``, atomically: what :func:`train` continues from."""
    state = training.state_dict() | {"history": json.dumps(history)}
    buffer = io.BytesIO()  # on a full disk torch.save would raise what says nothing of disks
    torch.save(state, buffer)
    runs.write_atomically(folder / "state.pt", lambda path: path.write_bytes(buffer.getvalue()))


def _resume(training: Training, folder: Path) -> list[dict[str, float]]:
    """Bring ``training`` to where the run stopped; return its history."""
    path = folder / "state.pt"
    if not path.is_file():
        raise RecallkitError(
            f"{path} is missing: the run stopped before its first save. Start anew."
        )
    try:
        state = torch.load(path, map_location=training.device, weights_only=True)
        training.load_state_dict(state)
        history = json.loads(state["history"])
    except Exception as error:  # a damaged file fails in many ways, each of them final
        raise RecallkitError(f"{path} cannot be resumed from ({error}). Start anew.") from error
    lines = "".join(json.dumps(line) + "\n" for line in history)
    runs.write_atomically(folder / "metrics.jsonl", lambda temporary: temporary.write_text(lines))
    return history


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
