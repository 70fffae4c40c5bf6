"""The runs of a folder side by side: how far each is, how good, and in what it differs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.experiments.sweeps import as_text
from recallkit.files import read_json
from recallkit.tables import text_table
from recallkit.training import read_config

HEADER = ("run", "state", "step", "R@1 val", "R@1 test", "seconds")
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
    configs = {run: _config(run) for run in runs}
    varied = _varied([config for config in configs.values() if config is not None])
    rows = [
        [str(run.relative_to(folder)), *_progress(run, config), *_settings(config, varied)]
        for run, config in sorted(configs.items(), key=lambda item: _order(item[1], varied))
    ]
    return _fitted([*HEADER, *(name.replace("_", " ") for name in varied)], rows, width)


def _config(run: Path) -> Config | None:
    try:
        return read_config(run)
    except RecallkitError:
        return None


def _varied(configs: Sequence[Config]) -> list[str]:
    """Settings that have several values."""
    first = vars(configs[0]) if configs else {}
    return [name for name, value in first.items() if any(vars(c)[name] != value for c in configs)]


def _order(config: Config | None, varied: Sequence[str]) -> tuple[Any, ...]:
    """Runs without settings last; None before numbers, numbers before words."""
    if config is None:
        return (True,)
    values = (getattr(config, name) for name in varied)
    return (False, *((value is not None, isinstance(value, str), value) for value in values))


def _settings(config: Config | None, varied: Sequence[str]) -> list[str]:
    if config is None:
        return [""] * len(varied)
    texts = (as_text(getattr(config, name)) for name in varied)
    return [text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}" for text in texts]


def _progress(run: Path, config: Config | None) -> list[str]:
    """State, step, R@1 on validation and on test classes, seconds."""
    if config is None:
        return ["damaged config", "", "", "", ""]
    lines = _lines(run / "metrics.jsonl")
    last = lines[-1] if lines else {}
    recall, seconds = last.get("R@1"), last.get("seconds")
    return [
        _state(run),
        _step(last),
        "" if recall is None else f"{recall:.1%}",
        _test_recall(run),
        "" if seconds is None else f"{seconds:.0f}",
    ]


def _step(last: Mapping[str, Any]) -> str:
    """Steps done of all steps; logs of older versions do not have the latter."""
    done = last.get("step", 0)
    return f"{done:,}/{last['steps']:,}" if "steps" in last else f"{done:,}"


def _state(run: Path) -> str:
    if (run / "result.json").exists():
        return "finished"
    if (run / "diverged.json").exists():
        return "diverged"
    saved = any((run / name).exists() for name in ("state.pt", "state.previous.pt"))
    return "unfinished" if saved else "not saved yet"


def _lines(path: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a log; a run on its way may be writing its last one."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines


def _test_recall(run: Path) -> str:
    if not (run / "result.json").exists():
        return ""
    try:
        return f"{read_json(run / 'result.json')['test']['trained']['R@1']:.1%}"
    except RecallkitError:
        return "damaged"
    except (KeyError, TypeError):
        return ""  # it had no test classes


def _fitted(header: list[str], rows: list[list[str]], width: int) -> str:
    """Make a table of the columns that fit, and name the others below."""
    widths = [max(3, *(len(row[i]) for row in [header, *rows])) + 3 for i in range(len(header))]
    kept, used = [], 1
    for place, column in enumerate(widths):
        if place < len(HEADER) or used + column <= width:
            kept.append(place)
            used += column
    shown = [[row[i] for i in kept] for row in [header, *rows]]
    table = text_table(shown[0], shown[1:])
    left_out = [name for place, name in enumerate(header) if place not in kept]
    if not left_out:
        return table
    return f"{table}\nno room for {len(left_out)} settings that differ: {', '.join(left_out)}"
