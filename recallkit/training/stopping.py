"""A stop between two steps: Ctrl-C and SIGTERM ask for it, and nothing is lost."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recallkit.errors import RecallkitError


class Stopped(RecallkitError):
    """The training was asked to stop, and has saved its state."""


@contextmanager
def stop_request() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C and SIGTERM instead of ending at once; a second Ctrl-C interrupts.

    Yields:
        A function that says whether a stop was requested. Outside the main thread signals cannot
        be caught, and it says no.
    """
    requested: list[int] = []

    def note(number: int, frame: object) -> None:
        if requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        requested.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(requested)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
