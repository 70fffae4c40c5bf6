"""The process of one student: it runs cells and calls functions, as the grader asks.

The grader (:mod:`recallkit.course.assignments.isolation`) sends pickles: ("step",), which begins a
step with a limit of time; ("run", source, answers); or ("call", answer, inputs). The replies are
JSON: a pickle from here would run code where it is read. Seeds, references and checks stay with the
grader. What the student's code prints goes nowhere.
"""

import json
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import FunctionType
from typing import Any

import torch

from recallkit.course.assignments.answers import tensor_of
from recallkit.course.assignments.confining import confine

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "LANG")


def run(folder: str, seconds: float, memory: int, channel: Connection) -> None:
    """Serve the grader until it ends this process, which is made for one student.

    Args:
        folder: to work in.
        seconds: of computing in a step.
        memory: in bytes.
        channel: to the grader. The first message is what could not be limited.
    """
    _settle(folder)
    _send(channel, confine(folder, memory))
    cells = Cells()
    while True:
        kind, *rest = pickle.loads(channel.recv_bytes())
        if kind == "step":
            _limit(seconds)
        else:
            _send(channel, (cells.run if kind == "run" else cells.call)(*rest))


class Cells:
    """The cells of a student that ran so far, and the answers that they define."""

    def __init__(self) -> None:
        self.space: dict[str, Any] = {"__name__": "__main__"}
        self.answers: dict[str, Any] = {}

    def run(self, source: str, answers: Sequence[str]) -> dict[str, Any]:
        """Run a cell, and keep the answers that it defines.

        Args:
            source: of the cell.
            answers: the names of the exercises that it should answer.

        Returns:
            {"answers": the exercises that it does answer, "error": what it raises, or ""}.
        """
        before, error = dict(self.space), ""
        try:
            exec(without_magics(source), self.space)
        except (Exception, SystemExit) as raised:
            error = f"{type(raised).__name__}: {raised}"
        new = {key for key, value in self.space.items() if value is not before.get(key)}
        found = {name: self._answer_among(new, name) for name in answers}
        self.answers |= {name: self.space[key] for name, key in found.items() if key}
        return {"answers": [name for name in answers if found[name]], "error": error}

    def _answer_among(self, names: set[str], exercise: str) -> str:
        """The name of the answer: the exercise's, else that of the only function; "" if none."""
        function = exercise.partition("/")[2]
        if function in names:
            return function
        functions = [name for name in names if isinstance(self.space[name], FunctionType)]
        return functions[0] if len(functions) == 1 else ""

    def call(self, answer: str, inputs: Sequence[Any]) -> dict[str, Any]:
        """Call an answer.

        Returns:
            {"numbers": a list, "shape": of the array}; {"other": the name of a type that is no
            numbers}; or {"raised": the name of a type, "text": its message}.
        """
        try:
            value = self.answers[answer](*inputs)
        except (Exception, SystemExit) as raised:
            return {"raised": type(raised).__name__, "text": str(raised)}
        try:
            numbers = tensor_of(value)
        except (TypeError, ValueError, RuntimeError):
            return {"other": type(value).__name__}
        return {"numbers": numbers.flatten().tolist(), "shape": [*numbers.shape]}


def without_magics(source: str) -> str:
    """Return the source without the lines that only IPython understands."""
    lines = source.splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def _settle(folder: str) -> None:
    """Become a group of processes with an empty environment and folder, and print to nowhere."""
    if hasattr(os, "setsid"):
        os.setsid()  # so that it can be ended with its children
    os.chdir(folder)
    sys.argv = [""]  # those of the grader have the secret
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | {"HOME": folder, "TMPDIR": folder, "MPLBACKEND": "agg"})
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    torch.set_num_threads(1)


def _limit(seconds: float) -> None:
    """End this process after so many seconds of computing."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _send(channel: Connection, reply: Any) -> None:
    channel.send_bytes(json.dumps(reply).encode())
