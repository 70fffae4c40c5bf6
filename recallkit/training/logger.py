"""What a training says while it runs: a line on the screen, metrics.jsonl, TensorBoard."""

import json
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from recallkit.files import write_atomically
from recallkit.training.run_folder import append_metrics

Line = dict[str, float]


class RunLog:
    """The log of one run, which goes on where an earlier sitting stopped.

    Args:
        folder: of the run.
        earlier: lines of earlier sittings; those beyond the state that was resumed are forgotten.
        total: images of the whole training.
        done: images of earlier sittings.
        steps_done: steps of earlier sittings.
        tensorboard: also write for TensorBoard, if it is installed.
        progress: show a line with the loss, R@1, images a second, peak memory and the time left.
    """

    def __init__(
        self,
        folder: Path,
        earlier: Sequence[Line],
        total: int,
        done: int,
        steps_done: int,
        tensorboard: bool,
        progress: bool,
    ) -> None:
        self.folder, self.history = folder, list(earlier)
        text = "".join(json.dumps(line) + "\n" for line in self.history)
        if self.history or (folder / "metrics.jsonl").exists():
            write_atomically(folder / "metrics.jsonl", lambda path: path.write_text(text))
        self.writer = _tensorboard(folder / "tensorboard", steps_done) if tensorboard else None
        self.shown: dict[str, str] = {}
        self.bar = tqdm(
            total=total,
            initial=done,
            unit=" images",
            unit_scale=True,
            desc="training",
            disable=not progress,
            mininterval=0.5,
        )

    def step(self, step: int, images: int, loss: float, peak_bytes: int) -> None:
        """After every step."""
        self.shown |= {"loss": f"{loss:.3f}", "peak": f"{peak_bytes / 1e9:.2g} GB"}
        self.bar.set_postfix(self.shown, refresh=False)
        self.bar.update(images)
        if self.writer is not None:
            self.writer.add_scalar("train/loss", loss, step)

    def look(self, line: Line) -> None:
        """After every evaluation on validation classes."""
        self.shown["R@1"] = f"{line['R@1']:.1%}"
        self.history.append(line)
        append_metrics(self.folder, line)
        if self.writer is not None:
            for name, value in line.items():
                if name not in ("step", "steps", "loss"):
                    self.writer.add_scalar(f"validation/{name}", value, line["step"])
            self.writer.flush()

    def close(self) -> None:
        """End the line on the screen, and what is written for TensorBoard."""
        self.bar.close()
        if self.writer is not None:
            self.writer.close()


def _tensorboard(folder: Path, steps_done: int) -> Any:
    """A writer, or None where TensorBoard is not installed: metrics.jsonl holds what it would."""
    if find_spec("tensorboard") is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries it brings
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(str(folder), purge_step=steps_done + 1 if steps_done else None)
