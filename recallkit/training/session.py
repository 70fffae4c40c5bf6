"""One session of a run, from its start or its last state to the end or a stop."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from recallkit.data.image_set import ImageSet
from recallkit.data.prefetch import BadImageError, Reading
from recallkit.evaluation.embedding import evaluate, evaluate_among, named_metrics
from recallkit.files import as_argument, write_json
from recallkit.training.checkpoint import load_state, save_state
from recallkit.training.environment import peak_memory
from recallkit.training.floor import count_class_sizes, training_floor
from recallkit.training.logger import RunLog
from recallkit.training.progress import Progress
from recallkit.training.run_folder import Line, write_weights
from recallkit.training.stopping import Stopped
from recallkit.training.trainer import Diverged, Training

SAVE_SECONDS = 300.0  # the most work that a crash can cost

AMONG_TRAINING = "among training"
"""The search of validation images among the training images as well, in ``metrics.jsonl``."""


@dataclass(frozen=True)
class SessionOptions:
    """Options of a session, which change no result.

    Attributes:
        resume: continue from the last state in the run folder.
        progress: show a bar, or lines in a file.
        reading: how image files are read.
        tensorboard: also log for TensorBoard.
        save_seconds: save when the last save is that long ago.
    """

    resume: bool = False
    progress: bool = True
    reading: Reading = field(default_factory=Reading)
    tensorboard: bool = False
    save_seconds: float = SAVE_SECONDS


class Watcher(Protocol):
    """An observer of steps and evaluations."""

    def step(self, step: int, images: int, loss: float, peak_bytes: int | None) -> None:
        """After each step: its number, its images, its loss, and the peak of memory so far."""

    def evaluation(self, line: Line) -> None:
        """After each evaluation: the line of ``metrics.jsonl``."""

    def close(self) -> None:
        """At the end of the session."""


class Session:
    """Steps, evaluations and saves of a training in its run folder.

    Only the first of several processes writes and evaluates.

    Args:
        training: to be taken to its end.
        validation: evaluated along the way; for frozen backbones its features.
        folder: of the run.
        options: of this session.
        distractors: what validation images are searched among at the end, with the setting
            ``distractors``. Default: the images of the training.

    Attributes:
        history: the lines of ``metrics.jsonl``.
        class_sizes: number of images → number of training classes that have so many.
        seconds: time of all steps, earlier sessions included, evaluations not.
        processor_seconds: the same as the processor's time, summed over threads. Waiting for
            other programs does not count: on a CPU it is what the training costs.

    Raises:
        RecallkitError: if the run is to be resumed and neither of its states can be used.
    """

    def __init__(
        self,
        training: Training,
        validation: ImageSet,
        folder: Path,
        options: SessionOptions,
        distractors: ImageSet | None = None,
    ) -> None:
        self.training, self.validation = training, validation
        self.distractors = training.set if distractors is None else distractors
        self.folder, self.first, self.options = folder, training.processes.first, options
        self.class_sizes = count_class_sizes(training.labels)
        self.history: list[Line] = []
        self.losses: list[float] = []  # since the last evaluation
        self.seconds = self.processor_seconds = 0.0
        if options.resume:
            load_state(folder, asdict(training.config), training.device, self._use)
        self.due = _evaluation_steps(training)
        self.saved_at = time.monotonic()
        self.watchers: list[Watcher] = []

    def _use(self, state: dict[str, Any]) -> None:
        self.training.load_state_dict(state)
        log = json.loads(state["log"])
        self.history, self.losses, self.seconds = log["history"], log["losses"], log["seconds"]
        self.processor_seconds = log["processor_seconds"]
        self.options.reading.bad.update(log["skipped"])

    def save(self) -> None:
        """Write the state; all processes call it together."""
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

    def run(self, stop_requested: Callable[[], bool]) -> None:
        """Train to the end, or until a stop is requested.

        Raises:
            Stopped: after a stop was requested in any process; the state is saved.
            Diverged: if a step is not finite; the state before it is saved.
            BadImageError: if an image file cannot be read; the state before the step is saved.
        """
        self.watchers = self._make_watchers() if self.first else []
        try:
            self._run(stop_requested)
        except Diverged as error:
            self._save_diverged(error)
            raise
        except BadImageError:
            if self.training.processes.world == 1:  # else the others do not know of it
                self.save()
            raise
        finally:
            for watcher in self.watchers:
                watcher.close()

    def _make_watchers(self) -> list[Watcher]:
        training, options = self.training, self.options
        total = training.steps * training.batch_size
        return [
            RunLog(self.folder, self.history, training.steps_done, options.tensorboard),
            Progress(total, training.images_seen, options.progress),
        ]

    def _run(self, stop_requested: Callable[[], bool]) -> None:
        if self._is_due():  # an image of it could not be read, and the state was saved
            self._evaluate_and_save()
        while self.training.steps_done < self.training.steps:
            self._step()
            if self._is_due():
                self._evaluate_and_save()
            self._save_or_stop(stop_requested)

    def _is_due(self) -> bool:
        """Say whether an evaluation is due after the steps done, and was not made yet."""
        done = self.training.steps_done
        is_made = any(line.get("step") == done for line in self.history[-1:])
        return done > 0 and done in self.due and not is_made

    def _evaluate_and_save(self) -> None:
        self._evaluate()
        self.save()

    def _step(self) -> None:
        training = self.training
        start, processor_start = time.perf_counter(), time.process_time()
        self.losses.append(training.step())
        self.seconds += time.perf_counter() - start
        self.processor_seconds += time.process_time() - processor_start
        peak = peak_memory(training.device)
        for watcher in self.watchers:
            watcher.step(training.steps_done, training.batch_size, self.losses[-1], peak)

    def _evaluate(self) -> None:
        """Evaluate the validation classes, keep the best weights, and tell the watchers."""
        line = self._measure() if self.first else {}
        if self.first and all(line["R@1"] > earlier["R@1"] for earlier in self.history):
            write_weights(self.folder, self.training.network, "best")
        for watcher in self.watchers:
            watcher.evaluation(line)
        self.history, self.losses = [*self.history, line], []

    def _measure(self) -> Line:
        """Return a line of ``metrics.jsonl``."""
        training, metrics = self.training, self._metrics()
        floor = training_floor(training.config, self.class_sizes).perfect
        return {
            "step": training.steps_done,
            "steps": training.steps,
            "images": training.images_seen,
            "seconds": round(self.seconds, 2),
            "processor_seconds": round(self.processor_seconds, 2),
            "learning_rate": float(training.scheduler.get_last_lr()[0]),
            "loss": sum(self.losses) / max(1, len(self.losses)),
            **({} if math.isnan(floor) else {"floor": floor}),
            **{name: round(value, 6) for name, value in metrics.items()},
        }

    def _metrics(self) -> dict[str, float]:
        training, size = self.training, self.training.config.image_size
        metrics = evaluate(training.trained, self.validation, size)
        if training.config.distractors and training.steps_done == training.steps:
            among = evaluate_among(training.trained, self.validation, self.distractors, size)
            metrics |= named_metrics({AMONG_TRAINING: among})
        return metrics

    def _save_or_stop(self, stop_requested: Callable[[], bool]) -> None:
        training = self.training
        late = time.monotonic() - self.saved_at >= self.options.save_seconds
        stop, late = training.processes.any(stop_requested(), late)
        if not (stop or late):
            return
        self.save()
        if stop:
            raise Stopped(
                f"stopped after {training.steps_done} of {training.steps} steps; "
                f"nothing is lost. Continue with: recallkit train --resume "
                f"{as_argument(self.folder)}"
            )

    def _save_diverged(self, error: Diverged) -> None:
        self.save()
        if self.first:
            content = {"problem": str(error), "step": error.step, "images": error.images}
            write_json(self.folder / "diverged.json", content)


def _evaluation_steps(training: Training) -> set[int]:
    """Return the steps after which the validation classes are evaluated."""
    config, steps = training.config, training.steps
    if config.evaluation_epochs is None:
        return {steps * (i + 1) // config.evaluations for i in range(config.evaluations)}
    return {*range(0, steps, training.steps_an_epoch * config.evaluation_epochs), steps}
