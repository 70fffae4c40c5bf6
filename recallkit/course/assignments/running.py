"""The process of one student: it runs the cells, and tells each step and result.

It is started by :mod:`recallkit.course.assignments.isolation`. What the student's code prints goes
nowhere.
"""

import json
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import torch

from recallkit.course.assignments.checking import problems
from recallkit.course.assignments.confining import confine

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "LANG")


def steps_of(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run a job, step by step: an announcement before each step, and what came of it.

    Args:
        job: ``needs``, the sources that come first; ``cells``, the student's, each with ``source``
            and the names of exercises that it ``answers``; ``seeds``, exercise → seed.

    Yields:
        {"begin": "needs"}, {"begin": ["cell", place]} or {"begin": ["exercise", name]}; and after
        an exercise {"wrong": what is wrong}.
    """
    yield {"begin": "needs"}
    space: dict[str, Any] = {"__name__": "__main__"}
    for source in job["needs"]:
        exec(without_magics(source), space)
    answers: dict[str, Any] = {}
    failures: dict[str, str] = {}
    for place, cell in enumerate(job["cells"]):
        yield {"begin": ["cell", place]}
        _run_cell(cell, space, answers, failures)
    for name, seed in job["seeds"].items():
        yield {"begin": ["exercise", name]}
        function = name.partition("/")[2]
        missing = failures.get(name) or f"no function {function} that differs from the start"
        if name in answers:
            yield {
                "wrong": problems(name, answers[name], seed, seconds=0)
            }  # the process is limited
        else:
            yield {"wrong": [missing]}


def _run_cell(
    cell: dict[str, Any], space: dict[str, Any], answers: dict[str, Any], failures: dict[str, str]
) -> None:
    """Run a cell of the student, and keep the answers that it defines, or why it does not."""
    before = dict(space)
    error = ""
    try:
        exec(without_magics(cell["source"]), space)
    except (Exception, SystemExit) as raised:
        error = f"its cell raises {type(raised).__name__}: {raised}"
    for name in cell["answers"]:
        function = name.partition("/")[2]
        new = {key for key, value in space.items() if value is not before.get(key)}
        given = function if function in new else _only_function(new, space)
        if given:
            answers[name] = space[given]
        elif error:
            failures[name] = error


def _only_function(names: set[str], space: dict[str, Any]) -> str:
    """The one function among ``names``: an answer whose name was changed; "" if it is not one."""
    functions = [name for name in names if callable(space[name])]
    return functions[0] if len(functions) == 1 else ""


def without_magics(source: str) -> str:
    """Return the source without the lines that only IPython understands."""
    lines = source.splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def run(job: dict[str, Any], folder: str, channel: Connection) -> None:
    """Run a job in this process, which is made for it, and end the process.

    Args:
        job: what :func:`steps_of` takes, with ``seconds`` a step and ``memory`` in bytes.
        folder: to work in.
        channel: takes each step as JSON. (Pickles from here would run code where they are read.)
    """
    if hasattr(os, "setsid"):
        os.setsid()  # so that it can be ended with its children
    _settle(folder)
    torch.set_num_threads(1)
    _tell({"missing": confine(job["memory"])}, channel)
    for step in steps_of(job):
        _limit_step(job["seconds"] if step.get("begin") != "needs" else 0)
        _tell(step, channel)
    _tell({"end": True}, channel)
    os._exit(0)  # whatever threads the student's code has left


def _settle(folder: str) -> None:
    """Move to a folder, forget the environment, and send all that is printed to nowhere."""
    os.chdir(folder)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | {"HOME": folder, "TMPDIR": folder, "MPLBACKEND": "agg"})
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _limit_step(seconds: float) -> None:
    """End this process after so many seconds of computing; 0: no limit."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _tell(step: dict[str, Any], channel: Connection) -> None:
    channel.send_bytes(json.dumps(step).encode())
