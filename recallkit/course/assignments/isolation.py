"""Ask the code of one student, which runs in a process of its own, with limits.

What holds where:

- Checks, seeds and references stay in this process. A student's function gets inputs and returns
  numbers, so nothing that it changes, prints or writes can turn a wrong answer into a right one.
- Time: a step (a cell, or the check of an answer) that computes longer than its limit is killed; so
  is one that takes much longer on the clock, whatever it waits for. On Windows the clock alone
  counts. Processes that the student's code has started end with it (not on Windows).
- Memory: on Linux. macOS does not enforce the limit, and Windows has none.
- Network, files, other processes: on Linux, where a user may make namespaces. Then no network is
  left, only an empty folder can be written to, and no other process is seen or ended. The files
  that your user can read can be read. Elsewhere only Python's own sockets are taken away.

All these processes are forked from one that has imported torch, where the system can fork: a
student then costs a fraction of a second.
"""

import json
import os
import pickle
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context
from typing import Any

import torch

from recallkit.course.assignments.checking import problems
from recallkit.course.assignments.patience import StoppedError, time_limit
from recallkit.course.assignments.running import run
from recallkit.errors import RecallkitError

STEP_SECONDS = 10.0  # of a cell, or of the check of an answer: 100 times what the slowest needs
WAITED_SECONDS = 20.0  # on the clock, beyond those that a step may compute: other programs run, too
START_SECONDS = 300.0  # importing torch on a busy machine
MEMORY_BYTES = 4 << 30
REPLY_BYTES = 16 << 20
PRELOADED = [  # what the notebooks import: once for all students
    "recallkit.course.assignments.running",
    "recallkit.course.explorables",
    "recallkit.course.figures",
    "matplotlib.pyplot",
    "pandas",
    "sklearn.datasets",
]


@dataclass(frozen=True)
class Limits:
    """The limits of a student's process.

    Attributes:
        seconds: of computing in one step: a cell, or the check of one answer.
        memory: in bytes, of the data of the process.
    """

    seconds: float = STEP_SECONDS
    memory: int = MEMORY_BYTES


@dataclass(frozen=True)
class Cell:
    """A cell of code, and the names of the exercises that it answers."""

    source: str
    answers: Sequence[str] = ()


class Student:
    """The code of one student, to be asked for answers. Leave it as a context: its process ends.

    Args:
        needs: the sources of the course that come first.
        cells: of the student.
        limits: of the process.

    Attributes:
        missing: sentences on what could not be limited on this system.
    """

    def __init__(self, needs: Sequence[str], cells: Sequence[Cell], limits: Limits) -> None:
        self.missing: set[str] = set()
        self._needs = needs
        self._cells = [*cells]
        self._limits = limits
        self._process: _Process | None = None
        self._found: set[str] = set()
        self._failed: dict[str, str] = {}  # exercise → what became of its cell

    def __enter__(self) -> "Student":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def wrong(self, name: str, seed: int) -> list[str]:
        """List what is wrong with the answer to an exercise; empty when it is right.

        Args:
            name: of the exercise, "01/both_recalls".
            seed: that the inputs are drawn from.

        Raises:
            RecallkitError: if the cells that exercises need do not run.
        """
        while self._process is None:
            self._start()
        if name not in self._found:
            function = name.partition("/")[2]
            return [self._failed.get(name, f"no function {function} that differs from the start")]
        self._process.step(self._limits.seconds)
        try:
            return problems(name, lambda *inputs: self._call(name, inputs), seed, seconds=0)
        except Exception as error:  # a check that an odd answer breaks must not stop the grading
            return [f"the check cannot judge this answer: {type(error).__name__}: {error}"]

    def _start(self) -> None:
        """Start the process, and run all cells; one on which it ends is left out from now on."""
        self._process = _Process(self._limits)
        try:
            self.missing.update(self._process.reply())
            for source in self._needs:
                if error := self._ask("run", source, ())["error"]:
                    raise RecallkitError(f"a cell that the exercises need fails: {error}")
        except StoppedError as error:
            raise RecallkitError(f"a cell that the exercises need: it {error}") from None
        self._found = set()
        failed = [place for place in range(len(self._cells)) if self._fails(place)]
        for place in failed:  # cells may have changed places: what they need has come now
            self._fails(place)

    def _fails(self, place: int) -> bool:
        """Run a cell, and return whether it raises; one that ends the process is left out then."""
        if self._process is None:  # an earlier one has ended it: all will run again
            return False
        cell = self._cells[place]
        try:
            error = self._run(cell)
        except StoppedError as stopped:
            self._end()
            self._cells[place] = Cell("")
            error = f"it {stopped}"
        if error:
            self._failed |= dict.fromkeys(cell.answers, f"its cell: {error}")
        return bool(error)

    def _run(self, cell: Cell) -> str:
        """Run a cell, and return what it raises; "" if nothing."""
        assert self._process is not None
        self._process.step(self._limits.seconds)
        reply = self._ask("run", cell.source, cell.answers)
        try:
            self._found |= {*cell.answers} & {*reply["answers"]}
            return str(reply["error"] and f"it raises {reply['error']}")
        except (KeyError, TypeError):
            raise StoppedError("wrote to the grader's channel") from None

    def _call(self, name: str, inputs: Sequence[Any]) -> Any:
        """Call an answer, and return numbers, or an object of a type with the name of its type."""
        reply = self._ask("call", name, inputs)
        if "raised" in reply:
            raise _type(reply["raised"], Exception)(str(reply["text"]))
        if "other" in reply:
            return None if reply["other"] == "NoneType" else _type(reply["other"], object)()
        return torch.tensor(reply["numbers"], dtype=torch.float64).reshape(reply["shape"])

    def _ask(self, *request: Any) -> Mapping[str, Any]:
        """Send a request, and return the reply.

        Raises:
            StoppedError: if there is none; the process has ended then.
        """
        if self._process is None:
            raise StoppedError("has ended its process")
        try:
            return self._process.ask(*request)
        except StoppedError:
            self._end()
            raise

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = None


def _type(name: object, base: type) -> Any:
    """Make a type of that name, for a sentence about it."""
    return type(str(name)[:50], (base,), {})


class _Process:
    """A process in an empty folder, and the channel to it."""

    def __init__(self, limits: Limits) -> None:
        can_fork = "forkserver" in get_all_start_methods()
        context: Any = get_context("forkserver" if can_fork else "spawn")
        if can_fork:
            context.set_forkserver_preload(PRELOADED)
        self._seconds = limits.seconds
        self._deadline = time.monotonic() + START_SECONDS
        self._folder = tempfile.TemporaryDirectory(prefix="recallkit-", ignore_cleanup_errors=True)
        self._channel, theirs = context.Pipe()
        arguments = (self._folder.name, limits.seconds, limits.memory, theirs)
        self._process = context.Process(target=run, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def step(self, seconds: float) -> None:
        """Begin a step, for which the process has so many seconds of computing."""
        self._deadline = time.monotonic() + seconds + WAITED_SECONDS
        with suppress(OSError):  # it has ended: the next reply says so
            self._channel.send_bytes(pickle.dumps(("step",)))

    def ask(self, *request: Any) -> Mapping[str, Any]:
        """Send a request, and return the reply.

        Raises:
            StoppedError: if there is none.
        """
        with time_limit(self._left() + 1), suppress(OSError):  # it may have stopped to read
            self._channel.send_bytes(pickle.dumps(request))
        return self.reply()

    def reply(self) -> Any:
        """Return the next message.

        Raises:
            StoppedError: if it does not come in time, or is none.
        """
        try:
            if self._channel.poll(self._left()):
                with time_limit(self._left() + 1):  # it may have stopped in the middle
                    return json.loads(self._channel.recv_bytes(REPLY_BYTES))
        except (OSError, EOFError, ValueError, RecursionError):
            raise StoppedError(self._reason()) from None
        raise StoppedError(self._too_long())

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _reason(self) -> str:
        """Why there is no reply, as a sentence that begins with "it"."""
        self._process.join(timeout=1)
        status = self._process.exitcode
        if status is None:
            return "sent more than the grader reads, or what it cannot read"
        if abs(status) == getattr(signal, "SIGPROF", None):
            return self._too_long()
        return "ended its process: too much memory, or a crash"

    def _too_long(self) -> str:
        return f"did not end within {self._seconds:g} seconds"

    def end(self) -> None:
        """End the process, and those that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix" and self._process.pid is not None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._channel.close()
        self._folder.cleanup()
