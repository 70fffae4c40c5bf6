"""Output that any terminal can show, and a quiet end when nobody reads it any more."""

import codecs
import io
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

PLAIN = {
    **{"±": "+-", "×": "x", "·": "*", "→": "->", "…": "...", "–": "-", "—": "-", "−": "-"},
    **{"≤": "<=", "≥": ">=", "≠": "!=", "∞": "inf", "Σ": "sum", "Δ": "delta"},
    **{"σ": "sigma", "τ": "tau", "γ": "gamma", "α": "alpha", "λ": "lambda", "✓": "v", "✗": "x"},
    **{"“": '"', "”": '"', "‘": "'", "’": "'", "█": "#"},
    **{"│": "|", "─": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "├": "+", "┤": "+"},
}
"""Plain forms of characters, for terminals that have no such character."""


LEAST_WIDTH = 20  # characters that a line of --help takes in any terminal


def make_readable() -> None:
    """Let stdout and stderr write a plain form of what their encoding lacks ("+-" for "±")."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it is closed: nobody reads what is written
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("recallkit", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="recallkit")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(PLAIN.get(character) or _letters(character) for character in missing), error.end


def _letters(character: str) -> str:
    """Return a character without its accents, or "?" if nothing in ASCII is left of it."""
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def keep_logs_short() -> None:
    """Let bars write seldom where stderr is a file or a pipe, which keep every state of a bar.

    tqdm writes at most two states a minute then. The variables TQDM_MININTERVAL and
    TQDM_MAXINTERVAL say otherwise. It reads them when it is imported.
    """
    if sys.stderr.isatty():
        return
    names = [n for n in ("TQDM_MININTERVAL", "TQDM_MAXINTERVAL") if n not in os.environ]
    os.environ.update(dict.fromkeys(names, "30"))  # seconds
    import_module("tqdm")
    for name in names:
        del os.environ[name]  # programs that this one starts have other screens


@contextmanager
def wide_enough() -> Iterator[None]:
    """Write for a terminal of at least 20 columns: tyro's help never ends in fewer than five."""
    before = os.environ.get("COLUMNS")
    if shutil.get_terminal_size().columns >= LEAST_WIDTH:
        yield
        return
    os.environ["COLUMNS"] = str(LEAST_WIDTH)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def leave_quietly() -> None:
    """End as a program does whose reader is gone (``recallkit … | head``): status 141, no word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)  # 128 + SIGPIPE
