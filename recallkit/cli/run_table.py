"""The runs of a folder side by side: how far each is, how good, and in what it differs."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.files import read_json_object
from recallkit.run_files import LAST, PREVIOUS, read_config, read_last_metrics
from recallkit.tables import text_table
from recallkit.words import as_text

HEADER = ("run", "state", "step", "loss", "floor", "R@1 val", "R@1 test", "seconds")
WIDTH = 100  # characters that a line may have
LONGEST = 24  # characters of a value; of longer ones, such as folders, the end is shown


def run_table(folder: Path, width: int = WIDTH) -> str:
    """Make a table of the runs below ``folder``: a row a run, a column a setting that differs.

    Runs stand in the order of these settings, numbers by size. Settings for which there is no room
    are named below the table.

    Args:
        folder: with run folders, at any depth.
        width: characters that a line may have.

    Raises:
        RecallkitError: if there is no run.
    """
    runs = sorted(path.parent for path in folder.rglob("config.json"))
    if not runs:
        raise RecallkitError(f"there is no run below {folder}. Train one with: recallkit train")
    configs: dict[Path, Config | None] = dict.fromkeys(runs)
    for run in runs:
        with suppress(RecallkitError):  # damaged, and shown as such
            configs[run] = read_config(run)
    sound = [vars(config) for config in configs.values() if config is not None]
    varied = [name for name in (sound or [{}])[0] if any(c[name] != sound[0][name] for c in sound)]
    rows = [
        [str(run.relative_to(folder)), *_progress(run, config), *_settings(config, varied)]
        for run, config in sorted(configs.items(), key=lambda item: _order(item[1], varied))
    ]
    names = ["loss function" if name == "loss" else name.replace("_", " ") for name in varied]
    return _fitted([*HEADER, *names], rows, width)


def _order(config: Config | None, varied: Sequence[str]) -> tuple[Any, ...]:
    """Runs without settings last; None before numbers, numbers before words."""
    values = [getattr(config, name, None) for name in varied]
    return config is None, *((value is not None, isinstance(value, str), value) for value in values)


def _settings(config: Config | None, varied: Sequence[str]) -> list[str]:
    texts = ["" if config is None else as_text(getattr(config, name)) for name in varied]
    return [text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}" for text in texts]


def _progress(run: Path, config: Config | None) -> list[str]:
    """State, step, training loss and its floor, R@1 on validation and on test classes, seconds."""
    if config is None:
        return ["damaged config", *[""] * (len(HEADER) - 2)]
    last = read_last_metrics(run)
    step, steps = _number(last.get("step", 0), ","), _number(last.get("steps"), ",")
    return [
        _state(run),
        f"{step}/{steps}" if steps else step,  # older logs lack the latter
        *(_number(last.get(name), ".3f") for name in ("loss", "floor")),
        _number(last.get("R@1"), ".1%"),
        _test_recall(run),
        _number(last.get("seconds"), ".0f"),
    ]


def _number(value: Any, form: str) -> str:
    """Return a number in a form of ``format``: "" for None, "damaged" for what is no number."""
    try:
        return "" if value is None else format(value, form)
    except (OverflowError, TypeError, ValueError):
        return "damaged"


def _state(run: Path) -> str:
    files = {"result.json": "finished", "diverged.json": "diverged"}
    files |= dict.fromkeys((LAST, PREVIOUS), "unfinished")
    return next((word for name, word in files.items() if (run / name).exists()), "not saved yet")


def _test_recall(run: Path) -> str:
    try:
        result = read_json_object(run / "result.json") if (run / "result.json").exists() else {}
        return _number(result["test"]["trained"]["R@1"], ".1%")
    except RecallkitError:
        return "damaged"
    except (KeyError, TypeError):
        return ""  # it is not finished, or had no test classes


def _fitted(header: list[str], rows: list[list[str]], width: int) -> str:
    """Make a table of the columns that fit, and name the others below."""
    kept, left_out, used = [], [], 1
    for place, cells in enumerate(zip(header, *rows, strict=True)):
        column = max(3, *map(len, cells)) + 3
        if place < len(HEADER) or used + column <= width:
            kept.append(cells)
            used += column
        else:
            left_out.append(header[place])
    shown = [list(row) for row in zip(*kept, strict=True)]
    table = text_table(shown[0], shown[1:])
    if not left_out:
        return table
    return f"{table}\nno room for {len(left_out)} settings that differ: {', '.join(left_out)}"
