"""Limits that a process sets for itself before it runs the code of a student."""

import ctypes
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE_BYTES = 100 << 20  # of one file that is written
INSIDE = 1000  # the number of the user inside: not 0, which would get its powers back

# of Linux: unshare, mount, mount_setattr, capset
NEW_USER, NEW_NETWORK, NEW_MOUNTS, NEW_PROCESSES = 0x10000000, 0x40000000, 0x00020000, 0x20000000
RECURSIVE, PRIVATE, READ_ONLY = 0x4000, 1 << 18, 1
MOUNT_SETATTR, THIS_FOLDER, ALL_BELOW = 442, -100, 0x8000
CAPABILITIES = 0x20080522


def confine(folder: str, memory: int) -> list[str]:
    """Limit this process, and return what could not be limited here, as sentences.

    Args:
        folder: that may be written to.
        memory: in bytes, of its data.
    """
    missing = []
    if not _limit_memory(memory):
        missing.append("memory is not limited on this system")
    if not _shut_in(folder):
        socket.socket = _NoSocket  # type: ignore[misc, assignment]
        missing.append(
            "this system does not shut students' code in: it can write your files, end your "
            "programs, read the secret, and get past Python's own sockets to the network"
        )
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


def _shut_in(folder: str) -> bool:
    """Leave the network, all other processes, and all that can be written but ``folder``.

    Returns:
        Whether the system allows it.
    """
    try:
        system = ctypes.CDLL(None, use_errno=True)
        user, group = os.getuid(), os.getgid()
        if system.unshare(NEW_USER | NEW_NETWORK | NEW_MOUNTS | NEW_PROCESSES):
            return False
        _name_user(user, group)
        done = _make_read_only(system, folder)
        _go_on_in_child()  # the first of a new world, whose end ends all others
        _go_on_in_child()  # which the signals of limits reach
        return done and _give_up_powers(system)
    except (OSError, AttributeError, TypeError):  # not Linux, or an old one
        return False


def _go_on_in_child() -> None:
    """Return in a new process; this one waits for it, and ends with its status or signal."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(abs(os.waitstatus_to_exitcode(status)))


def _name_user(user: int, group: int) -> None:
    """Name the user of the new world, who could make no file otherwise."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INSIDE} {user} 1"),
        ("gid_map", f"{INSIDE} {group} 1"),
    ):
        Path("/proc/self", name).write_text(text)


def _make_read_only(system: Any, folder: str) -> bool:
    """Make all files read-only, put an empty folder over ``folder``, and hide the processes."""
    word = ctypes.c_ulong
    attributes = struct.pack("QQQQ", READ_ONLY, 0, 0, 0)
    done = [
        system.mount(None, b"/", None, word(RECURSIVE | PRIVATE), None),
        system.syscall(
            ctypes.c_long(MOUNT_SETATTR),
            ctypes.c_long(THIS_FOLDER),
            b"/",
            word(ALL_BELOW),
            attributes,
            word(len(attributes)),
        ),
        system.mount(b"tmpfs", folder.encode(), b"tmpfs", word(0), f"size={FILE_BYTES}".encode()),
        system.mount(b"tmpfs", b"/proc", b"tmpfs", word(READ_ONLY), None),
    ]
    os.chdir(folder)
    return not any(done)


def _give_up_powers(system: Any) -> bool:
    """Give up what the new world allows to who has made it: to undo all this."""
    return system.capset(struct.pack("Ii", CAPABILITIES, 0), bytes(24)) == 0


class _NoSocket:
    def __init__(self, *arguments: Any, **options: Any) -> None:
        raise OSError("the grader has no network")
