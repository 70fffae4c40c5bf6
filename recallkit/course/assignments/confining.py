"""Limits that a process sets for itself before it runs the code of a student."""

import ctypes
import os
import socket
from contextlib import suppress
from typing import Any

FILE_BYTES = 100 << 20  # of one file that is written
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of Linux


def confine(memory: int) -> list[str]:
    """Limit this process, and return what could not be limited here, as sentences.

    Args:
        memory: in bytes, of its data.
    """
    missing = []
    if not _limit_memory(memory):
        missing.append("memory is not limited on this system")
    if not _leave_network():
        missing.append("the network is closed for Python's own sockets only")
        socket.socket = _NoSocket  # type: ignore[misc, assignment]
    return missing


def _limit_memory(memory: int) -> bool:
    try:
        import resource
    except ImportError:  # Windows
        return False
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        return os.uname().sysname == "Linux"  # elsewhere it is taken and not enforced
    return False


def _leave_network() -> bool:
    """Move this process into an empty network of its own; whether that is allowed here."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.unshare(NEW_NETWORK) == 0:  # as root
            return True
        return library.unshare(NEW_USER | NEW_NETWORK) == 0
    except (OSError, AttributeError, TypeError):  # not Linux
        return False


class _NoSocket:
    def __init__(self, *arguments: Any, **options: Any) -> None:
        raise OSError("the grader has no network")
