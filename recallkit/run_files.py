"""Files of a run folder that tell of its settings and how far it is, read without torch."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from recallkit.config import Config, config_from
from recallkit.errors import RecallkitError
from recallkit.files import read_json_object

LAST, PREVIOUS = "state.pt", "state.previous.pt"  # all that is needed to continue a run


class UnusableStateError(RecallkitError):
    """No session can go on from what a run folder holds: it is damaged, or of another run."""


def read_config(folder: Path) -> Config:
    """Read the settings of the run in ``folder``.

    Raises:
        RecallkitError: if it is not a run folder, or its settings are not of this version.
    """
    if not (folder / "config.json").is_file():
        if not folder.exists():
            raise RecallkitError(
                f"{folder} is not a run: there is no such folder. Train one first."
            )
        raise RecallkitError(
            f"{folder} is not a run: it has no config.json. Train one first; where it holds "
            f"images, name a run, and the folder by --dataset."
        )
    values = read_json_object(folder / "config.json")
    try:
        return config_from(values)
    except (TypeError, ValueError, AttributeError) as error:
        raise RecallkitError(f"{folder / 'config.json'} does not hold settings: {error}") from error


def check_unfinished(folder: Path) -> None:
    """Refuse a run that cannot be resumed.

    Raises:
        RecallkitError: if it is no run, is finished, or has no state.
    """
    read_config(folder)
    if (folder / "result.json").exists():
        raise RecallkitError(f"the run in {folder} is finished: there is nothing to resume")
    check_has_state(folder)


def check_settings(folder: Path, config: Config) -> None:
    """Refuse a run that is to go on with other settings than its own.

    Raises:
        UnusableStateError: if its settings are others, or damaged.
        RecallkitError: if they cannot be read now.
    """
    try:
        own = read_config(folder)
    except RecallkitError as error:
        if isinstance(error.__cause__, OSError):  # the file may be sound
            raise
        raise UnusableStateError(str(error)) from error
    if own != config:
        raise UnusableStateError(f"the run in {folder} has other settings; resume with its own")


def check_has_state(folder: Path) -> None:
    """Refuse a run that has saved no state.

    Raises:
        RecallkitError: naming the file that is missing.
    """
    if not any((folder / name).is_file() for name in (LAST, PREVIOUS)):
        raise RecallkitError(
            f"{folder / LAST} is missing: the run stopped before its first save, or has not come "
            f"to it yet. Start the run again."
        )


def read_last_metrics(folder: Path) -> dict[str, Any]:
    """Return the last whole line of the run's ``metrics.jsonl``; {} if there is none.

    A run on its way may be writing another one, and a machine that failed may have left anything.
    """
    log = folder / "metrics.jsonl"
    for text in reversed(log.read_bytes().splitlines() if log.is_file() else []):
        with suppress(ValueError, RecursionError):
            if isinstance(line := json.loads(text), dict):
                return line
    return {}
