"""A limit of time for the check of an answer, where the system has alarms."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StoppedError(BaseException):
    """The answer was stopped; the message goes on from "it".

    It is no ``Exception``: an answer that catches those cannot hide it.
    """


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs inside after so many seconds on the clock.

    Windows has no such alarm, and only the main thread gets one: elsewhere there is no limit.

    Args:
        seconds: 0: no limit.

    Raises:
        StoppedError: inside, when the time is over.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not (seconds and is_main and hasattr(signal, "setitimer")):
        yield
        return

    def stop(*_: object) -> None:
        raise StoppedError(f"did not end within {seconds:g} seconds")

    handler = signal.signal(signal.SIGALRM, stop)
    others = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *others)
        signal.signal(signal.SIGALRM, handler)
