"""The state of a training on disk: written whole or not at all, and the one before it kept too."""

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from recallkit.errors import RecallkitError
from recallkit.files import write_atomically

LAST, PREVIOUS = "state.pt", "state.previous.pt"


State = dict[str, Any]


def save_state(folder: Path, state: State, identity: Any) -> None:
    """Write ``state.pt`` of the run ``folder``; the one that was there becomes the previous.

    At every moment one of the two is whole, whatever happens to process, machine or disk.

    Args:
        folder: of the run.
        state: tensors, numbers, strings and collections of them: what can be loaded safely.
        identity: of the run, as JSON can hold it: a state of another is refused.
    """
    buffer = io.BytesIO()  # on a full disk torch.save would raise what says nothing of disks
    torch.save(state | {"identity": json.dumps(identity)}, buffer)
    write_atomically(
        folder / LAST, lambda path: path.write_bytes(buffer.getvalue()), folder / PREVIOUS
    )


def load_state(
    folder: Path, identity: Any, device: torch.device, use: Callable[[State], None]
) -> None:
    """Give the last state to ``use``; if it is damaged or foreign, say so and give the previous.

    Raises:
        RecallkitError: naming each file and what is wrong with it, if neither can be used.
    """
    problems = []
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            use(_read(path, identity, device))
        except FileNotFoundError:
            problems.append(f"{path} is missing")
        except Exception as error:  # a damaged file fails in many ways, each of them final
            problems.append(f"{path} cannot be resumed from ({str(error) or repr(error)})")
        else:
            if problems:
                warnings.warn(f"{problems[0]}: the one before it is used", stacklevel=2)
            return
    if not any((folder / name).is_file() for name in (LAST, PREVIOUS)):
        problems = [f"{folder / LAST} is missing: the run stopped before its first save"]
    raise RecallkitError("; ".join(problems) + ". Start anew.")


def remove_states(folder: Path) -> None:
    """Once a run is finished nobody goes on from its states."""
    for name in (LAST, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def _read(path: Path, identity: Any, device: torch.device) -> State:
    state = torch.load(path, map_location=device, weights_only=True)
    if not isinstance(state, dict) or state.get("identity") != json.dumps(identity):
        raise ValueError("it belongs to another run")
    return state
