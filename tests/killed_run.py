"""A training in a process of its own, to be killed; apart from the tests, so that it loads fast."""

import sys

import torch


def sit(config, folder, splits, started, save_seconds):
    """Begin a run or go on with it, whatever state it was left in."""
    from recallkit.training import Training, train

    torch.set_num_threads(1)
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    step = Training.step

    def first_step(self):
        Training.step = step
        started.set()
        return step(self)

    Training.step = first_step
    resume = any((folder / name).exists() for name in ("state.pt", "state.previous.pt"))
    train(
        config,
        folder,
        splits=splits,
        device="cpu",
        resume=resume,
        progress=False,
        save_seconds=save_seconds,
    )
