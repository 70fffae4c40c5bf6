"""One training of a sweep, in a process of its own.

So the peak of memory is its own, and what ends it ends no other. When the other end of its
connection is closed, because the sweep stops or was killed, it saves its state and ends.
"""

import os
import shutil
import signal
import sys
import threading
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from recallkit.config import Config
from recallkit.data import load
from recallkit.data.image_set import Splits
from recallkit.errors import RecallkitError
from recallkit.experiments.store import config_of
from recallkit.files import read_json, write_json
from recallkit.training import Stopped, train
from recallkit.training.trainer import Diverged

STOPPED = 3  # exit status of a run that saved its state and can go on


SAVE_SECONDS = 60.0


def do_run(task: dict[str, Any], splits: Splits | None = None) -> None:
    """Train, or go on with what was left of an earlier sitting, and store the result.

    A run that tunes is given no test classes.

    Args:
        task: "config"; "stage", "tuning" or "final"; "folder" of the run; "result" and
            "diverged", where one of the two is stored; "device"; "side_by_side", the number of
            runs at a time, kept beside the seconds, which depend on it.
        splits: the data; None: as the settings name it.
    """
    config, folder = config_of(task), Path(task["folder"])
    splits = load(config.dataset, config.image_size) if splits is None else splits
    if task["stage"] == "tuning":
        splits = splits.without_test()
    try:
        result = _trained(config, folder, splits, task["device"])
    except Diverged as error:
        found = {"config": asdict(config), "seed": config.seed, "diverged": str(error)}
        write_json(Path(task["diverged"]), found)
    else:
        stored = result | {"side_by_side": task["side_by_side"]}
        write_json(Path(task["result"]), stored)


def _trained(config: Config, folder: Path, splits: Splits, device: str) -> dict[str, Any]:
    if (folder / "result.json").exists():  # ended between the end of the run and its storing
        return read_json(folder / "result.json")
    options = {"splits": splits, "device": device, "progress": False, "save_seconds": SAVE_SECONDS}
    options["baselines"] = False  # the same for all runs, and not compared
    if any((folder / name).exists() for name in ("state.pt", "state.previous.pt")):
        try:
            return train(config, folder, resume=True, **options)
        except (Stopped, Diverged):
            raise
        except RecallkitError as error:  # damaged, or of another version
            print(f"{folder} begins anew: {error}", file=sys.stderr)
            aside = folder.with_name(f"{folder.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
    return train(config, folder, **options)


def main(task: dict[str, Any], parent: Connection, log: Path) -> None:
    """What the process does: :func:`do_run`; what is said goes to the file ``log``.

    Its exit status is 0 if the result is stored, ``STOPPED``, or 1.
    """
    if hasattr(os, "setsid"):  # a session of its own keeps a terminal's Ctrl-C from it
        os.setsid()
    with log.open("w") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    if task["threads"] is not None:
        torch.set_num_threads(task["threads"])
    try:
        do_run(task)
    except Stopped as error:
        print(error, file=sys.stderr)
        sys.exit(STOPPED)
    except (RecallkitError, ValueError, OSError) as error:
        sys.exit(f"{error}")


def _stop_with(parent: Connection) -> None:
    parent.poll(None)  # nothing is ever sent: it is closed
    os.kill(os.getpid(), signal.SIGTERM)
