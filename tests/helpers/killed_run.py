"""Trainings in processes of their own, to be killed: forked from one that has loaded everything.

``python killed_run.py FILE`` takes its task from the pickle FILE. For each line (a folder, and the
seconds between saves) it forks a training, and answers with its process, with "started" when it
takes its first step, and with its exit status.
"""

import os
import pickle
import sys
from pathlib import Path

import safetensors.torch  # noqa: F401  (these two are else loaded in every fork)
import torch
import torch._dynamo

from recallkit.training.loop import train
from recallkit.training.trainer import Training


def sit(config, splits, folder, save_seconds):
    """Begin a run or go on with it, whatever state it was left in."""
    step = Training.step

    def first_step(self):
        Training.step = step
        print("started", flush=True)
        return step(self)

    Training.step = first_step
    resume = any((folder / name).exists() for name in ("state.pt", "state.previous.pt"))
    options = {"resume": resume, "save_seconds": save_seconds, "device": "cpu", "progress": False}
    train(config, folder, splits=splits, **options)


def main():
    torch.set_num_threads(1)
    config, splits = pickle.loads(Path(sys.argv[1]).read_bytes())
    for line in sys.stdin:
        folder, save_seconds = line.split()
        child = os.fork()
        if child == 0:
            sit(config, splits, Path(folder), float(save_seconds))
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
