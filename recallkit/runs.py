"""The run folder: what a training writes, and how it is read again.

config.json           the settings
metrics.jsonl         a line an evaluation
tensorboard/          the same and the loss of each step, for TensorBoard
best.safetensors      the network that was best on validation classes (R@1), so far
weights.safetensors   the network at the end of the run
state.pt              while the run goes on: everything needed to continue it
state.previous.pt     the state before that, in case the last one is damaged
diverged.json         if loss or gradient was not finite: at which step, with which images
result.json           written last: a folder that has it is a finished run
figures/              learning curve and retrievals
"""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from recallkit.errors import RecallkitError
from recallkit.presets import Config, config_from


def write_atomically(
    path: Path, write: Callable[[Path], object], previous: Path | None = None
) -> None:
    """Let ``write`` make a file, and put it at ``path`` only when it is whole and on the disk.

    With ``previous``, the file that was at ``path`` is moved there first.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written; ``path`` is as before.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        _flush_to_disk(temporary)
        temporary.chmod(0o644)
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)
        if os.name == "posix":
            _flush_to_disk(path.parent)  # the names
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


_WRITTEN = ("config.json", "metrics.jsonl", "diverged.json", "result.json", "state.pt")
_WRITTEN += ("best.safetensors", "weights.safetensors")


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in a run ``folder``."""
    for name in _WRITTEN:
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> RecallkitError:
    return RecallkitError(
        f"cannot write {path}: {error.strerror or error}. "
        f"Free some space, or choose another folder with --out."
    )


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        RecallkitError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecallkitError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise RecallkitError(f"{path} cannot be read as JSON: {error}") from error


def read_config(folder: Path) -> Config:
    """The settings of the run in ``folder``.

    Raises:
        RecallkitError: if it is not a run folder, or its settings are not of this version.
    """
    if not (folder / "config.json").is_file():
        raise RecallkitError(f"{folder} is not a run: it has no config.json. Train one first.")
    values = read_json(folder / "config.json")
    try:
        return config_from(values)
    except (TypeError, ValueError, AttributeError) as error:
        raise RecallkitError(f"{folder / 'config.json'} does not hold settings: {error}") from error


def write_weights(
    folder: Path, network: torch.nn.Module, name: Literal["weights", "best"] = "weights"
) -> None:
    """Keep the weights of ``network`` in the run ``folder``."""
    from safetensors.torch import save

    packed = save({name: value.contiguous() for name, value in network.state_dict().items()})
    write_atomically(folder / f"{name}.safetensors", lambda path: path.write_bytes(packed))


def read_weights(folder: Path, name: Literal["weights", "best"] = "weights") -> dict[str, Tensor]:
    """The weights of the run in ``folder``: the last, or those best on validation classes.

    Raises:
        RecallkitError: if they are missing, truncated, or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise RecallkitError(
            f"{path} is missing: the run did not finish. Continue it with --resume."
        )
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RecallkitError(f"{path} is damaged ({error}). Train again.") from error
    for name, value in weights.items():
        if not value.isfinite().all():
            raise RecallkitError(
                f"{path} holds weights that are not finite, in {name}. Train again."
            )
    return weights


def append_metrics(folder: Path, line: dict[str, float]) -> None:
    """Add a line to the run's ``metrics.jsonl``.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written.
    """
    path = folder / "metrics.jsonl"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise _cannot_write(path, error) from error


def environment(device: torch.device) -> dict[str, Any]:
    """What a stored number depends on besides its config: device, libraries, commit."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": name,
        "device_type": device.type,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "libraries": {package: version(package) for package in ("torch", "torchvision", "numpy")},
        "commit": commit_of(Path(__file__).parent),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit_of(folder: Path) -> str:
    """The commit of the checkout that holds ``folder``, "-dirty" if more than results differs.

    A run that is stored over an older one of its settings changes no code, nor does it make the
    next run one of unknown code. "unknown" outside a checkout, or without git.
    """
    code = (":/", ":(top,exclude)data/results")
    try:
        name = _git(folder, "describe", "--always", "--abbrev=12")
        return name + "-dirty" * bool(_git(folder, "diff", "--name-only", "HEAD", "--", *code))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
