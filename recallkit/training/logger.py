"""The log of a training: metrics.jsonl and, if asked for, TensorBoard's files."""

import json
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recallkit.files import write_atomically
from recallkit.training.run_folder import Line, append_metrics


class RunLog:
    """The log of one run, which continues where an earlier session stopped.

    Args:
        folder: of the run.
        history: lines of earlier sessions, up to the state that is resumed; later ones are removed
            from the file.
        steps_done: steps of earlier sessions.
        tensorboard: also write for TensorBoard, if it is installed.
    """

    def __init__(
        self, folder: Path, history: Sequence[Line], steps_done: int, tensorboard: bool
    ) -> None:
        self.folder = folder
        text = "".join(json.dumps(line) + "\n" for line in history)
        if history or (folder / "metrics.jsonl").exists():
            write_atomically(
                folder / "metrics.jsonl", lambda path: path.write_text(text, encoding="utf-8")
            )
        self.writer = _tensorboard(folder / "tensorboard", steps_done) if tensorboard else None

    def step(self, step: int, images: int, loss: float, peak_bytes: int | None) -> None:
        """Write the loss of a step."""
        if self.writer is not None:
            self.writer.add_scalar("train/loss", loss, step)

    def evaluation(self, line: Line) -> None:
        """Write an evaluation on the validation classes."""
        append_metrics(self.folder, line)
        if self.writer is not None:
            for name, value in line.items():
                if name not in ("step", "steps", "loss"):
                    kind = "train" if name == "floor" else "validation"
                    self.writer.add_scalar(f"{kind}/{name}", value, line["step"])
            self.writer.flush()

    def close(self) -> None:
        """End what is written for TensorBoard."""
        if self.writer is not None:
            self.writer.close()


def _tensorboard(folder: Path, steps_done: int) -> Any:
    """Return a writer, or None without TensorBoard: metrics.jsonl holds the evaluations anyway."""
    if find_spec("tensorboard") is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries it imports
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(str(folder), purge_step=steps_done + 1 if steps_done else None)
