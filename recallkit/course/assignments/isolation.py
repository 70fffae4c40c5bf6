"""Run the code of one student in a process of its own, with limits of time, memory and network.

What holds where:

- Time: a step that computes longer than its limit is killed; so is one that takes ten times as
  long on the clock, whatever it waits for. On Windows the clock alone counts. Processes that the
  student's code has started end with it (not on Windows).
- Memory: on Linux. macOS does not enforce the limit, and Windows has none.
- Network: on Linux, where the user may make a network of its own for a process; then there is
  no way out. Elsewhere only Python's own sockets are taken away, which stops accidents.
- Files: the process starts in an empty folder, without the variables of your environment. It can
  read what your user can read. Files that it writes are limited in size on Linux and macOS.

The checks run in the same process as the student's code. So this stops errors, loops and copied
numbers; it is no jail for someone who attacks the grader.

All these processes are forked from one that has imported torch, where the system can fork: a
student then costs a fraction of a second.
"""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from recallkit.course.assignments.running import run
from recallkit.errors import RecallkitError

STEP_SECONDS = 10.0  # of a cell, or of the check of an answer: 100 times what the slowest needs
START_SECONDS = 300.0  # importing torch on a busy machine
PATIENCE = 10  # seconds on the clock for each that a step may compute: other programs run, too
MEMORY_BYTES = 4 << 30
PRELOADED = ["recallkit.course.assignments.running", "matplotlib.pyplot"]


@dataclass(frozen=True)
class Limits:
    """The limits of a student's process.

    Attributes:
        seconds: of computing in one step: a cell, or the check of one answer.
        memory: in bytes, of the data of the process.
    """

    seconds: float = STEP_SECONDS
    memory: int = MEMORY_BYTES


def run_job(job: dict[str, Any], limits: Limits, missing: set[str]) -> dict[str, list[str]]:
    """Run a job of :mod:`recallkit.course.assignments.running`; start again after a step that dies.

    Args:
        job: ``needs``, ``cells`` and ``seeds``.
        limits: of its process.
        missing: takes the sentences on what cannot be limited here.

    Returns:
        Exercise → what is wrong.

    Raises:
        RecallkitError: if the cells that exercises need do not run.
    """
    cells = list(job["cells"])
    waiting = dict(job["seeds"])
    results: dict[str, list[str]] = {}
    while waiting:
        begun: Any = None
        for step in _steps({**job, "cells": cells, "seeds": waiting}, limits):
            if "wrong" in step:
                results[begun[1]] = step["wrong"]
                del waiting[begun[1]]
            begun = step.get("begin", begun)
            missing.update(step.get("missing", []))
            if "died" in step:
                _leave_out(begun, step["died"], cells, waiting, results)
    return results


def _leave_out(
    begun: Any, cause: str, cells: list[Any], waiting: dict[str, int], results: dict[str, list[str]]
) -> None:
    """Give no points for the step that died, and go on without it."""
    if begun is None or begun == "needs":
        raise RecallkitError(f"the cells that the exercises need do not run: {cause}")
    kind, which = begun
    lost = [which] if kind == "exercise" else cells[which]["answers"]
    if kind == "cell":
        cells[which] = {"source": "", "answers": []}
    for name in lost:
        if waiting.pop(name, None) is not None:
            results[name] = [cause if kind == "exercise" else f"its cell: {cause}"]


def _steps(job: dict[str, Any], limits: Limits) -> Iterator[dict[str, Any]]:
    """The steps of one process; {"died": why} at the end of one that did not end well."""
    with _process({**job, **asdict(limits)}) as (process, reader):
        seconds = START_SECONDS
        while True:
            if not reader.poll(seconds):
                yield {"died": _too_long(limits)}
                return
            try:
                step = json.loads(reader.recv_bytes())
            except EOFError:
                process.join()
                yield {"died": _cause(process.exitcode, limits)}
                return
            yield step
            if "end" in step:
                return
            seconds = START_SECONDS if step.get("begin") == "needs" else PATIENCE * limits.seconds


def _cause(status: int | None, limits: Limits) -> str:
    if hasattr(signal, "SIGPROF") and status == -signal.SIGPROF:
        return _too_long(limits)
    return "the process ended: too much memory, or a crash"


def _too_long(limits: Limits) -> str:
    return f"it did not end within {limits.seconds:g} seconds"


@contextmanager
def _process(job: dict[str, Any]) -> Iterator[tuple[BaseProcess, Connection]]:
    """A process in an empty folder, and what it tells; when it is left, it is gone."""
    can_fork = "forkserver" in get_all_start_methods()
    context: Any = get_context("forkserver" if can_fork else "spawn")
    if can_fork:
        context.set_forkserver_preload(PRELOADED)
    reader, writer = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="recallkit-", ignore_cleanup_errors=True) as folder:
        process = context.Process(target=run, args=(job, folder, writer), daemon=True)
        process.start()
        writer.close()
        try:
            yield process, reader
        finally:
            _end(process)
            reader.close()


def _end(process: BaseProcess) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix" and process.pid is not None:
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
