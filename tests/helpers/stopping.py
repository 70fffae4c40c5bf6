"""A training that is stopped on the way, as by its user."""

import os
import signal

from recallkit.training.trainer import Training


def stop_after(monkeypatch, steps):
    """Send Ctrl-C from within step number ``steps``."""
    original = Training.step

    def step(self):
        if self.steps_done == steps - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self)

    monkeypatch.setattr(Training, "step", step)
