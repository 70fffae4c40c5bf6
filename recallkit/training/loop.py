"""The loop around the trainer: steps, evaluations, saves, and a stop at any moment."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from recallkit.config import Config
from recallkit.data import load
from recallkit.data.image_set import ImageSet, Splits
from recallkit.data.prefetch import BadImageError, Reading
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import evaluate, evaluate_features, evaluate_pixels
from recallkit.files import remove_unfinished, write_json
from recallkit.training.checkpoint import load_state, remove_states, save_state
from recallkit.training.distributed import (
    Processes,
    joined,
)
from recallkit.training.environment import choose_device, environment, peak_memory
from recallkit.training.frozen_features import feature_splits
from recallkit.training.logger import Line, RunLog
from recallkit.training.run_folder import read_config, write_weights
from recallkit.training.trainer import Diverged, Training

SAVE_SECONDS = 300.0  # of work that a crash can cost, at most


class Stopped(RecallkitError):
    """The training was asked to stop, and has saved its state."""


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
        folder: of the run; see :mod:`recallkit.training.run_folder`.
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
        BadImageError: if a picture cannot be read; the state before that step is saved.
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
    table, tested = {}, processes.first and len(splits.test) > 0
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
        "peak_memory_mb": round(peak_memory(device) / 2**20, 1),
        "processes": processes.world,
        "skipped": sorted(set().union(*processes.gather(options.reading.bad))),
        **environment(device),
    }
    if processes.first:
        write_weights(folder, training.network)
        if tested:
            table["trained"] = evaluate(training.trained, seen.test, config.image_size)
        write_json(folder / "result.json", result)
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
        if read_config(folder) != config:
            raise RecallkitError(f"the run in {folder} has other settings; resume with its own")
        if (folder / "result.json").exists():
            raise RecallkitError(f"the run in {folder} is finished: there is nothing to resume")
        remove_unfinished(folder)
        (folder / "diverged.json").unlink(missing_ok=True)
        return
    if any((folder / name).exists() for name in ("state.pt", "state.previous.pt", "result.json")):
        raise RecallkitError(
            f"{folder} already holds a run. Continue it with --resume, or choose another --out."
        )
    remove_unfinished(folder)
    write_json(folder / "config.json", asdict(config))
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
        except BadImageError:
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
            peak = peak_memory(training.device)
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
            write_weights(self.folder, self.training.network, "best")

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
            write_json(self.folder / "diverged.json", found)


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
