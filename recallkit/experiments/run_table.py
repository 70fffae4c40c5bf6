"""The runs of a folder side by side: how far each is, how good, and what is different about it."""

import json
from pathlib import Path
from typing import Any

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.files import read_json
from recallkit.tables import text_table
from recallkit.training.run_folder import read_config

HEADER = ["run", "state", "step", "R@1 val", "R@1 test", "seconds", "differs in"]


def run_table(folder: Path) -> str:
    """A row for each run below ``folder``, by name; settings that all share are not shown.

    Raises:
        RecallkitError: if there is no run.
    """
    runs = sorted(path.parent for path in folder.rglob("config.json"))
    if not runs:
        raise RecallkitError(f"there is no run below {folder}. Train one with: recallkit train")
    configs = {run: _config(run) for run in runs}
    shared = _shared_settings([config for config in configs.values() if config is not None])
    rows = [_row(run, str(run.relative_to(folder)), configs[run], shared) for run in runs]
    return text_table(HEADER, rows)


def _config(run: Path) -> Config | None:
    try:
        return read_config(run)
    except RecallkitError:
        return None


def _shared_settings(configs: list[Config]) -> dict[str, Any]:
    """Settings that have one value in all runs."""
    first = vars(configs[0]) if configs else {}
    return {k: v for k, v in first.items() if all(vars(c)[k] == v for c in configs)}


def _row(run: Path, name: str, config: Config | None, shared: dict[str, Any]) -> list[str]:
    if config is None:
        return [name, "config.json damaged", "", "", "", "", ""]
    lines = _lines(run / "metrics.jsonl")
    last = lines[-1] if lines else {}
    own = {k: v for k, v in vars(config).items() if k not in shared}
    return [
        name,
        _state(run),
        f"{last.get('step', 0)}/{config.images // config.batch_size}",
        f"{last['R@1']:.1%}" if "R@1" in last else "",
        _test_recall(run),
        f"{last['seconds']:.0f}" if "seconds" in last else "",
        ", ".join(f"{k} {v}" for k, v in own.items()),
    ]


def _state(run: Path) -> str:
    if (run / "result.json").exists():
        return "finished"
    if (run / "diverged.json").exists():
        return "diverged"
    saved = any((run / name).exists() for name in ("state.pt", "state.previous.pt"))
    return "unfinished" if saved else "no save yet"


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log; a run that goes on may be writing its last one."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def _test_recall(run: Path) -> str:
    if not (run / "result.json").exists():
        return ""
    try:
        return f"{read_json(run / 'result.json')['test']['trained']['R@1']:.1%}"
    except (RecallkitError, KeyError, TypeError):
        return "damaged"
