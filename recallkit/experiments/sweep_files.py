"""Files that declare sweeps: those of the project, yours, and those that ``ablate`` has kept.

``example.toml`` shows the form, and ``notebooks/guide/sweeps.md`` explains it.
"""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recallkit.errors import RecallkitError, did_you_mean
from recallkit.experiments.sweeps import Sweep, checked_values, grid
from recallkit.files import (
    PACKAGE,
    expanded,
    file_name,
    finished_files,
    results_folder,
    write_atomically,
    write_json,
)

FOLDER = PACKAGE / "experiments"
SUFFIXES = (".toml", ".json")

_LISTS = "a table of settings, each with a list of values"
_KEYS: dict[str, tuple[type, str]] = {
    "name": (str, "text"),
    "question": (str, "text"),
    "preset": (str, "text"),
    "grid": (dict, _LISTS),
    "compared": (list, "tables of settings, each under [[compared]]"),
    "seeds": (list, "a list of whole numbers"),
    "note": (str, "text"),
    "base": (dict, "a table of settings"),
    "tuned": (dict, _LISTS),
}
_NEEDED = ("name", "question", "preset")
_OTHERS = [name for name in _KEYS if name not in (*_NEEDED, "grid", "compared")]
_KNOWN = f"keys are {', '.join(_NEEDED)}, grid or compared, and if need be {', '.join(_OTHERS)}"


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
    for name, value in values.items():
        if name not in _KEYS:
            hint = did_you_mean(name, _KEYS)
            raise ValueError(f"there is no key {name!r}; {hint} {_KNOWN}".replace("  ", " "))
        kind, words = _KEYS[name]
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be {words}, not {value!r}")
    if missing := [name for name in _NEEDED if name not in values]:
        raise ValueError(f"the key {missing[0]!r} is missing; {_KNOWN}")


def _files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder that declare sweeps, by their names, in alphabetical order."""
    files = {path.stem: path for path in finished_files(folder, "*") if path.suffix in SUFFIXES}
    return dict(sorted(files.items()))


SWEEPS = {name: read_sweep(path) for name, path in _files(FOLDER / "sweeps").items()}
"""The sweeps of the project, by name."""


def kept_sweeps() -> dict[str, Sweep]:
    """Return the sweeps of yours that ``recallkit ablate`` has kept beside your results."""
    return {name: read_sweep(path) for name, path in _files(results_folder() / "sweeps").items()}


def declared_names() -> set[str]:
    """Return the names of the sweeps of the project, and of yours that have run."""
    return {*SWEEPS, *_files(results_folder() / "sweeps")}


def keep_sweep(sweep: Sweep, results: Path) -> None:
    """Write a sweep of yours beside its results, so that its name finds it later.

    Raises:
        RecallkitError: if it cannot be written.
    """
    if SWEEPS.get(sweep.name) != sweep:
        write_json(results / "sweeps" / f"{sweep.name}.json", asdict(sweep))


def find_sweep(name: str) -> Sweep:
    """Return the sweep of a name: the project's, one of yours, or what a file declares.

    Args:
        name: of a sweep of the project; of one that ``recallkit ablate`` has run from your file;
            or the path of a .toml or .json file.

    Raises:
        RecallkitError: if there is none, or the file does not declare a sweep.
    """
    if name in SWEEPS:
        return SWEEPS[name]
    kept = _files(results_folder() / "sweeps")
    path = kept.get(name, expanded(name))
    if path.suffix in SUFFIXES:
        return read_sweep(path)
    known = [*SWEEPS, *kept]
    others = f"there are {', '.join(known)}; or name a .toml or .json file of your own"
    raise RecallkitError(f"there is no sweep {name!r}; {did_you_mean(name, known) or others}")


def write_example(path: Path) -> None:
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
    text = (FOLDER / "example.toml").read_text(encoding="utf-8").replace("{name}", name)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
