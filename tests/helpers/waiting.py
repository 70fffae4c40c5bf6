"""Wait for what a page does after a key, a click or a load: it may be done a moment later."""

import time

SECONDS = 120  # only what never comes takes so long


def wait(condition, seconds=SECONDS):
    """Wait until ``condition()`` is true; return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return value


def comes(browser, read, expected):
    """Assert that ``read(browser)`` is what is expected, now or soon."""
    _read_until(browser, read, lambda value: value == expected)
    assert read(browser) == expected


def changes(browser, read, before):
    """Assert that ``read(browser)`` is no longer what it was before, now or soon."""
    _read_until(browser, read, lambda value: value != before)
    assert read(browser) != before


def _read_until(browser, read, accepts):
    deadline = time.monotonic() + SECONDS
    while not accepts(read(browser)) and time.monotonic() < deadline:
        time.sleep(0.05)
