"""The command in a process of its own, which gets Ctrl-C and does not outlive its test."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

COVERAGE = "COVERAGE_PROCESS"  # begins the variables that let processes count their lines
SECONDS = 120  # generous: only a process that hangs takes so long


def untraced():
    """The environment of a process whose lines other tests count: it runs faster uncounted."""
    return {name: value for name, value in os.environ.items() if not name.startswith(COVERAGE)}


@contextmanager
def uncounted():
    """Let the processes that are started meanwhile not count their lines."""
    with pytest.MonkeyPatch.context() as patch:
        for name in {*os.environ} - {*untraced()}:
            patch.delenv(name)
        yield


@contextmanager
def command(*arguments, **options):
    """Run the command; at the end, kill it with all that it has started.

    Args:
        arguments: of the command, as in a shell.
        options: of ``subprocess.Popen``; without them both outputs are pipes of text.
    """
    line = [sys.executable, "-m", "recallkit", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **{**pipes, **options}, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # all have ended
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition, process):
    """Wait until a condition holds; a process that ends before it fails the test."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{process.args} does not come so far"
        time.sleep(0.05)


def end(process):
    """End a process: by SIGKILL if it does not listen."""
    process.terminate()
    try:
        process.wait(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def interrupt(process):
    """Press Ctrl-C; what the process prints until it has ended, on both outputs."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=SECONDS)


def side_by_side(work, arguments, count):
    """Call ``work(rank, *arguments)`` in ``count`` processes; an error in one is an error here.

    They are forked from a process that has imported torch, where that is possible: each would take
    three seconds for it.
    """
    from torch.multiprocessing import start_processes

    forks = "forkserver" in multiprocessing.get_all_start_methods()
    if forks:
        multiprocessing.set_forkserver_preload(["recallkit.training", "torch._dynamo"])
    start_processes(work, arguments, count, start_method="forkserver" if forks else "spawn")
