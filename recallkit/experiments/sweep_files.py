"""Files that declare sweeps: those of the project, yours, and those that ``ablate`` has kept.

:data:`TEMPLATE` shows the form, and ``notebooks/guide/sweeps.md`` explains it.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recallkit.errors import RecallkitError, did_you_mean
from recallkit.experiments.sweeps import Sweep, checked_values, grid
from recallkit.files import PACKAGE, file_name, results_folder, write_atomically, write_json

TEMPLATE = """\
# A sweep: `recallkit ablate {name}.toml` compares settings, `recallkit plot {name}` draws them.
name = "{name}"
question = "How much may drawings turn?"
preset = "emoji"                  # all other settings; recallkit train --preset emoji --show
seeds = [0, 1, 2]                 # of the final runs
# note = "What a reader of the table should know."

[base]                            # what all runs change of the preset
images = 65000
# dataset = "my-images"           # a folder of yours, one sub-folder a class

[grid]                            # every combination of these values is compared
rotation = [0.0, 15.0, 45.0]

# In place of [grid], a table for each setting compares no more than these:
# [[compared]]
# rotation = 15.0
# flip = true

[tuned]                           # candidates for each compared setting, ascending
learning_rate = [0.0015, 0.003, 0.006]
"""
"""A commented example; ``{name}`` stands for the name of the sweep."""

_LISTS = "a table of settings, each with a list of values"
_KEYS: dict[str, tuple[type, str]] = {
    "name": (str, "text"),
    "question": (str, "text"),
    "preset": (str, "text"),
    "seeds": (list, "a list of whole numbers"),
    "note": (str, "text"),
    "base": (dict, "a table of settings"),
    "grid": (dict, _LISTS),
    "compared": (list, "tables of settings, each under [[compared]]"),
    "tuned": (dict, _LISTS),
}
_NEEDED = ("name", "question", "preset")


class SweepFolder(Mapping[str, Sweep]):
    """The sweeps that a folder declares, by name; a file is read when its sweep is asked for.

    Args:
        folder: with a file NAME.toml or NAME.json for each sweep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def files(self) -> dict[str, Path]:
        """The file of each name, in alphabetical order."""
        files = {path.stem: path for path in self.folder.glob("*") if is_sweep_file(path)}
        return {name: files[name] for name in sorted(files)}

    def __getitem__(self, name: str) -> Sweep:
        return read_sweep(self.files[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def is_sweep_file(path: Path) -> bool:
    """Return whether a path has the suffix of a file that can declare a sweep."""
    return path.suffix in (".toml", ".json")


SWEEPS = SweepFolder(PACKAGE / "experiments" / "sweeps")
"""The sweeps of the project."""


def kept_sweeps() -> SweepFolder:
    """Return the sweeps of yours that ``recallkit ablate`` has kept beside your results."""
    return SweepFolder(results_folder() / "sweeps")


def keep_sweep(sweep: Sweep, results: Path) -> None:
    """Write a sweep of yours beside its results, so that its name finds it later.

    Raises:
        RecallkitError: if it cannot be written.
    """
    if sweep.name not in SWEEPS or SWEEPS[sweep.name] != sweep:
        write_json(results / "sweeps" / f"{sweep.name}.json", asdict(sweep))


def find_sweep(name: str) -> Sweep:
    """Return the sweep of a name: the project's, one of yours, or what a file declares.

    Args:
        name: of a sweep of the project; of one that ``recallkit ablate`` has run from your file;
            or the path of a .toml or .json file.

    Raises:
        RecallkitError: if there is none, or the file does not declare a sweep.
    """
    for sweeps in (SWEEPS, kept_sweeps()):
        if name in sweeps:
            return sweeps[name]
    path = Path(name).expanduser()
    if not is_sweep_file(path):
        known = [*SWEEPS, *kept_sweeps()]
        others = f"there are {', '.join(known)}; or name a .toml or .json file of your own"
        raise RecallkitError(f"there is no sweep {name!r}; {did_you_mean(name, known) or others}")
    return read_sweep(path)


def read_sweep(path: Path) -> Sweep:
    """Read a sweep from a TOML or JSON file.

    Raises:
        RecallkitError: naming the file, the key, and what it must be.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return _declared(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))
    except FileNotFoundError:
        new = f"recallkit ablate --new {path} writes an example"
        raise RecallkitError(f"there is no file {path}; {new}") from None
    except (OSError, ValueError) as error:
        raise RecallkitError(f"{path} does not declare a sweep: {error}") from error


def write_template(path: Path) -> None:
    """Write a commented example of a sweep; nothing is overwritten.

    Raises:
        RecallkitError: if the file exists, is no .toml, or cannot be written.
    """
    if path.suffix != ".toml":
        raise RecallkitError(f"an example is written as TOML: name a file such as {path.stem}.toml")
    if path.exists():
        raise RecallkitError(f"{path} exists already, and is not overwritten")
    letters = [c if c.isascii() and c.isalnum() else "-" for c in path.stem.lower()]
    name = file_name("".join(letters)).replace("_", "x-")  # of a reserved name
    text = TEMPLATE.format(name=name)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _declared(values: Any) -> Sweep:
    _check_keys(values)
    if ("grid" in values) == ("compared" in values):
        raise ValueError("it must have either [grid] or [[compared]]")
    for table in ("grid", "tuned"):
        for name, candidates in values.get(table, {}).items():
            if not isinstance(candidates, list) or not candidates:
                raise ValueError(f"[{table}] {name} must be a list of values, not {candidates!r}")
    for setting in values.get("compared", []):
        if not isinstance(setting, dict):
            raise ValueError(f"compared must be {_KEYS['compared'][1]}, not {setting!r}")
    if "grid" in values:
        columns = values.pop("grid").items()
        values["compared"] = grid(**{n: checked_values("[grid] ", n, v) for n, v in columns})
    return Sweep(**values)


def _check_keys(values: Any) -> None:
    """Refuse unknown and missing keys, and values of other types, each by name."""
    if not isinstance(values, dict):
        raise ValueError("it holds no keys")
    for name in values:
        if name not in _KEYS:
            hint = did_you_mean(name, _KEYS)
            raise ValueError(f"there is no key {name!r}; {hint} {_known_keys()}".replace("  ", " "))
    if missing := [name for name in _NEEDED if name not in values]:
        raise ValueError(f"the key {missing[0]!r} is missing; {_known_keys()}")
    for name, value in values.items():
        kind, words = _KEYS[name]
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be {words}, not {value!r}")


def _known_keys() -> str:
    others = [name for name in _KEYS if name not in (*_NEEDED, "grid", "compared")]
    return f"keys are {', '.join(_NEEDED)}, grid or compared, and if need be {', '.join(others)}"
