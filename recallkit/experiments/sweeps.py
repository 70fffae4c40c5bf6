"""Sweeps: which settings are compared, on what, and which are tuned for each of them.

A sweep is a TOML file. The sweeps of the project lie in the folder ``sweeps`` beside this module,
and yours look the same::

    name = "augmentation"
    question = "How much may drawings turn?"
    preset = "emoji"            # all other settings come from here
    [base]                      # what all runs change of the preset
    images = 65000
    [grid]                      # every combination; or compared = [{…}, {…}], one table a setting
    rotation = [0.0, 15.0, 45.0]
    [tuned]                     # candidates for each compared setting, ascending
    learning_rate = [0.0015, 0.003, 0.006]
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from recallkit.config import PRESETS, Config
from recallkit.errors import RecallkitError, did_you_mean

Setting = Mapping[str, Any]

LEARNING_RATES = (0.0015, 0.003, 0.006)  # around that of the preset emoji
TUNING_SEED = 1000  # of no final run: luck that chose a learning rate is not counted again


@dataclass(frozen=True)
class Sweep:
    """A comparison of settings.

    Attributes:
        name: of its folder of results and of its figures.
        question: what it is to answer, in a sentence.
        preset: where all other settings come from; looked up only when it is needed.
        compared: the compared settings, each as what it changes; they are run in this order.
        base: what all runs change of the preset.
        tuned: setting → candidates, ascending, for each compared setting: one run each, judged on
            validation classes. Several are tuned one after the other.
        seeds: of the final runs.
        note: what a reader should know, or nothing.

    Raises:
        ValueError: naming what does not fit.
    """

    name: str
    question: str
    preset: str
    compared: tuple[Setting, ...]
    base: Setting = field(default_factory=dict)
    tuned: Mapping[str, tuple[Any, ...]] = field(
        default_factory=lambda: {"learning_rate": LEARNING_RATES}
    )
    seeds: tuple[int, ...] = (0, 1, 2)
    note: str = ""

    def __post_init__(self) -> None:
        if not self.name or not set(self.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"):
            raise ValueError(f"name must be of small letters, digits and -, not {self.name!r}")
        if not self.compared:
            raise ValueError("compared must hold at least one setting")
        if any(setting in self.compared[:place] for place, setting in enumerate(self.compared)):
            raise ValueError("compared must not hold a setting twice")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or TUNING_SEED in self.seeds:
            raise ValueError(
                f"seeds must be different numbers, at least one, and not {TUNING_SEED}, the seed "
                f"of the tuning: {self.seeds}"
            )
        self._check_settings()

    def _check_settings(self) -> None:
        known = {setting.name for setting in fields(Config)} - {"seed"}
        for settings in (self.base, self.tuned, *self.compared):
            if unknown := sorted(set(settings) - known):
                raise ValueError(f"there is no setting {unknown[0]!r}; there are {sorted(known)}")
        if both := set(self.axes) & set(self.tuned):
            raise ValueError(f"{sorted(both)} cannot be compared and tuned at once")
        for name, candidates in self.tuned.items():
            if not candidates or list(candidates) != sorted(set(candidates)):
                raise ValueError(f"tuned: {name} must have candidates, ascending, not {candidates}")

    @property
    def axes(self) -> tuple[str, ...]:
        """The settings that vary between those compared, in the order of their first mention."""
        return tuple(dict.fromkeys(name for setting in self.compared for name in setting))

    def config(self, setting: Setting) -> Config:
        """Return all settings of a run, with the preset's values of what is tuned, and seed 0.

        Raises:
            RecallkitError: if there is no such preset, or a value is refused.
        """
        if self.preset not in PRESETS:
            raise RecallkitError(
                f"sweep {self.name} needs the preset {self.preset!r}; known are: "
                f"{', '.join(sorted(PRESETS))}"
            )
        try:
            return replace(PRESETS[self.preset], **{**self.base, **setting})
        except (TypeError, ValueError) as error:
            raise RecallkitError(f"sweep {self.name}, {dict(setting)}: {error}") from error

    def values(self, setting: Setting) -> dict[str, Any]:
        """Return the values of all axes in a compared setting; {} gives those of the preset."""
        config = self.config(setting)
        return {name: getattr(config, name) for name in self.axes}

    def in_order(self) -> list[Setting]:
        """Return the compared settings by their values: numbers by size, words as declared."""
        orders = [_sorted([self.values(s)[name] for s in self.compared]) for name in self.axes]

        def place(setting: Setting) -> list[int]:
            values = self.values(setting).values()
            return [order.index(value) for order, value in zip(orders, values, strict=True)]

        return sorted(self.compared, key=place)


def _sorted(values: Sequence[Any]) -> list[Any]:
    """Numbers by size, sets of cut-offs by length, words as they were declared."""
    values = list(dict.fromkeys(values))
    if all(isinstance(value, tuple) for value in values):
        return sorted(values, key=lambda value: (len(value), value))
    return values if any(isinstance(value, str) for value in values) else sorted(values)


def grid(**values: Sequence[Any]) -> tuple[Setting, ...]:
    """Return every combination of values, the last name varying fastest."""
    return tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def scaled(sweep: Sweep, images: int | None = None, seeds: Sequence[int] = ()) -> Sweep:
    """Return the same comparison with other images in each run, or other seeds."""
    base = sweep.base if images is None else {**sweep.base, "images": images, "epochs": 0}
    return replace(sweep, base=base, seeds=tuple(seeds) or sweep.seeds)


class SweepFolder(Mapping[str, Sweep]):
    """The sweeps that a folder declares, by name; a file is read when its sweep is asked for.

    Args:
        folder: with a file NAME.toml for each sweep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in alphabetical order."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.toml")))

    def __getitem__(self, name: str) -> Sweep:
        if name not in self.names:
            raise KeyError(name)
        return read_sweep(self.folder / f"{name}.toml")

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


SWEEPS = SweepFolder(Path(__file__).with_suffix(""))
"""The sweeps of the project."""


def find_sweep(name: str) -> Sweep:
    """Return the project's sweep called ``name``, or the one declared in the file of that path.

    Raises:
        RecallkitError: if there is neither, or the file does not declare a sweep.
    """
    if name in SWEEPS:
        return SWEEPS[name]
    path = Path(name).expanduser()
    if path.suffix not in (".toml", ".json"):
        others = f"there are {', '.join(SWEEPS)}; or name a .toml or .json file of your own"
        raise RecallkitError(f"there is no sweep {name!r}; {did_you_mean(name, SWEEPS) or others}")
    return read_sweep(path)


def read_sweep(path: Path) -> Sweep:
    """Read a sweep from a TOML or JSON file.

    Raises:
        RecallkitError: naming the file, if it is missing or does not declare a sweep.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        return _declared(values)
    except FileNotFoundError:
        raise RecallkitError(f"there is no file {path}") from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RecallkitError(f"{path} does not declare a sweep: {error}") from error


def _declared(values: dict[str, Any]) -> Sweep:
    values = {name: _frozen(value) for name, value in values.items()}
    if ("grid" in values) == ("compared" in values):
        raise ValueError("it must have either [grid] or [[compared]]")
    if "grid" in values:
        values["compared"] = grid(**values.pop("grid"))
    return Sweep(**values)


def _frozen(value: Any) -> Any:
    """Return lists as tuples, at any depth."""
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


_WORDS = {
    "batch_size": "batch {}",
    "simix": "SiMix {}",
    "ks": "K = {}",
    "rank_temperature": "τ₂ = {}",
    "k_temperature": "τ₁ = {}",
    "loss": "{}",
    "query_in_database": "query in its database {}",
    "per_class": "{} images a class",
}

_LOSSES = {
    "recall@k": "RS@k",
    "recall@k-no-cap": "RS@k without cap",
    "recall@k-over-positives": "RS@k over positives",
    "recall@k-over-k": "RS@k over k",
    "smooth-ap": "Smooth-AP",
    "nt-xent": "NT-Xent",
    "proxy-anchor": "ProxyAnchor",
}


def in_words(values: Setting) -> str:
    """Return settings as a label, such as "batch 512, SiMix on"; "preset" if nothing is changed."""
    words = (_template(name).format(as_text(value)) for name, value in values.items())
    return ", ".join(words) or "preset"


def _template(setting: str) -> str:
    return _WORDS.get(setting, setting.replace("_", " ") + " {}")


def as_text(value: Any) -> str:
    """Return the value of a setting as a label: on, off, {1, 2, 4}, 4,096, 0.01, RS@k."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return "{" + ", ".join(map(as_text, value)) + "}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return _LOSSES.get(value, str(value))
