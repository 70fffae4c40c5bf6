"""The state of a training on disk: written whole or not at all, with the one before it."""

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from recallkit.errors import RecallkitError
from recallkit.files import write_atomically
from recallkit.run_files import LAST, PREVIOUS, UnusableStateError, check_has_state

State = dict[str, Any]

_OF_THE_MACHINE = (OSError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError)


def save_state(folder: Path, state: State, identity: Any) -> None:
    """Write ``state.pt`` into a run folder; the state that was there becomes the previous one.

    At every moment one of the two is whole, whatever happens to process, machine or disk.

    Args:
        folder: of the run.
        state: tensors, numbers, strings and collections of them, which can be loaded safely.
        identity: of the run, as JSON can hold it; :func:`load_state` refuses another's state.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written.
    """
    buffer = io.BytesIO()  # on a full disk torch.save would raise an error that hides the cause
    torch.save(state | {"identity": json.dumps(identity)}, buffer)
    write_atomically(
        folder / LAST, lambda path: path.write_bytes(buffer.getvalue()), folder / PREVIOUS
    )


def load_state(
    folder: Path, identity: Any, device: torch.device, use: Callable[[State], None]
) -> None:
    """Call ``use`` with the last state; if that fails, warn and call it with the previous one.

    Args:
        folder: of the run.
        identity: of the run, as given to :func:`save_state`.
        device: where tensors go.
        use: takes a state; an error that it raises means that the state is damaged.

    Raises:
        UnusableStateError: naming each file and its problem, if neither can ever be used.
        RecallkitError: the same, if one may be sound and the machine could not load it now.
    """
    check_has_state(folder)
    problems, may_be_sound = [], False
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            use(_read(path, identity, device))
        except FileNotFoundError:
            problems.append(f"{path} is missing")
        except Exception as error:  # a damaged file fails in many ways
            may_be_sound = may_be_sound or isinstance(error, _OF_THE_MACHINE)
            problems.append(f"{path} cannot be resumed from ({str(error) or repr(error)})")
        else:
            if problems:
                warnings.warn(f"{problems[0]}: the one before it is used", stacklevel=2)
            return
    if may_be_sound:
        raise RecallkitError("; ".join(problems) + ". Resume the run when that is mended.")
    raise UnusableStateError("; ".join(problems) + ". Start the run again.")


def remove_states(folder: Path) -> None:
    """Remove the states of a finished run, which nobody resumes."""
    for name in (LAST, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def _read(path: Path, identity: Any, device: torch.device) -> State:
    state = torch.load(path, map_location=device, weights_only=True)
    if not isinstance(state, dict) or state.get("identity") != json.dumps(identity):
        raise ValueError("it belongs to another run")
    return state
