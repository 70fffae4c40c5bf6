"""Trainings in processes that can be killed: forked from one that has loaded everything.

``python killed_run.py FILE`` reads config and splits from the pickle FILE. Each line on its
standard input names a run folder and the seconds between saves. For each it forks a training, and
prints the number of its process, "started" at its first step, and its exit status.
"""

import os
import pickle
import sys
from pathlib import Path

import safetensors.torch  # noqa: F401  (otherwise every fork would load it, and _dynamo)
import torch
import torch._dynamo

from recallkit.training import Training, train


def run_a_session(config, splits, folder, save_seconds):
    """Begin a run or resume it, whatever state it was left in."""
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
            run_a_session(config, splits, Path(folder), float(save_seconds))
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
