"""Seconds until a command answers, beside those of Python alone: ``recallkit bench commands``."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from recallkit.bench.cases import seconds
from recallkit.config import Config
from recallkit.tables import text_table
from recallkit.training.run_folder import append_metrics, begin_run

RUNS = 40  # that `recallkit runs` lists
PROGRAM = ("-m", "recallkit")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "Python alone": ("-c", "pass"),
    "import recallkit": ("-c", "import recallkit"),
    "import pandas": ("-c", "import pandas"),
    "import torch": ("-c", "import torch"),
    "recallkit --help": (*PROGRAM, "--help"),
    "recallkit --version": (*PROGRAM, "--version"),
    "recallkit runs": (*PROGRAM, "runs"),
    "recallkit train --help": (*PROGRAM, "train", "--help"),
}


def bench_commands(repeats: int = 7) -> list[dict[str, Any]]:
    """Time each command in a process of its own, in a folder with ``RUNS`` runs.

    Args:
        repeats: rounds through all commands; the median counts.

    Returns:
        For each command "name" and "seconds".
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(RUNS):
            _begin(folder / "runs" / str(seed), seed)
        rounds = [
            {name: _seconds(command, folder) for name, command in COMMANDS.items()}
            for _ in range(repeats)
        ]
    return [{"name": name, "seconds": median(times[name] for times in rounds)} for name in COMMANDS]


def _begin(folder: Path, seed: int) -> None:
    """Fill the folder of a run that has been evaluated ten times."""
    begin_run(folder, replace(Config(), seed=seed))
    for step in range(10):
        append_metrics(folder, {"step": step, "loss": 1 / (2 + step), "R@1": 0.05 * step})


def _seconds(command: Sequence[str], folder: Path) -> float:
    def call() -> None:
        whole = [sys.executable, *command]
        subprocess.run(whole, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    return seconds(call, "cpu")


def commands_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format the seconds as a table, a row for each command."""
    return text_table(["command", "s"], [[row["name"], f"{row['seconds']:.2f}"] for row in rows])
