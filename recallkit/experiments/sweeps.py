"""Sweeps: which settings are compared, on what, and which are tuned for each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Annotated, Any

from recallkit.config import PRESETS, Config, setting_types, unknown_setting
from recallkit.errors import RecallkitError, did_you_mean
from recallkit.files import file_name
from recallkit.ranges import Range, SettingError, checked

Setting = Mapping[str, Any]

LEARNING_RATES = (0.0015, 0.003, 0.006)  # around that of the preset emoji
TUNING_SEED = 1000  # of no final run: luck that chose a learning rate is not counted again


@dataclass(frozen=True)
class Sweep:
    """A comparison of settings.

    Attributes:
        name: of its folder of results and of its figures.
        question: that it answers, in a sentence.
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
        allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-")
        if not self.name or not set(self.name) <= allowed or file_name(self.name) != self.name:
            raise ValueError(f"name must be of small letters, digits and -, not {self.name!r}")
        for attribute, value in self._typed_values().items():
            object.__setattr__(self, attribute, value)
        self._check_seeds()
        self._check_settings()

    def _typed_values(self) -> dict[str, Any]:
        """Return all values in the types of their settings, and within their ranges."""
        seeds = Annotated[tuple[int, ...], Range(0, 2**63 - 1)]
        tuned = self.tuned.items()
        return {
            "seeds": _checked("", "seeds", self.seeds, seeds),
            "base": _checked_settings("[base] ", self.base),
            "compared": tuple(_checked_settings("[compared] ", s) for s in self.compared),
            "tuned": {name: checked_values("[tuned] ", name, values) for name, values in tuned},
        }

    def _check_seeds(self) -> None:
        seeds = self.seeds
        if not seeds or len(set(seeds)) < len(seeds) or TUNING_SEED in seeds:
            raise ValueError(
                f"seeds must be different numbers, at least one, and not {TUNING_SEED}, the seed "
                f"of the tuning: {seeds}"
            )

    def _check_settings(self) -> None:
        if not self.compared:
            raise ValueError("compared must hold at least one setting")
        if any(setting in self.compared[:place] for place, setting in enumerate(self.compared)):
            raise ValueError("compared must not hold a setting twice")
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
            known = f"known are: {', '.join(sorted(PRESETS))}"
            raise RecallkitError(
                f"sweep {self.name} needs the preset {self.preset!r}; "
                f"{did_you_mean(self.preset, PRESETS) or known}"
            )
        try:
            return replace(PRESETS[self.preset], **{**self.base, **setting})
        except SettingError as error:  # two settings that do not go together
            where = f"sweep {self.name}, {dict(setting)}: {error.name}"
            raise RecallkitError(f"{where} {error.problem}") from error

    def values(self, setting: Setting) -> dict[str, Any]:
        """Return the values of all axes in a compared setting; {} gives those of the preset."""
        config = self.config(setting)
        return {name: getattr(config, name) for name in self.axes}

    def in_order(self) -> list[Setting]:
        """Return the compared settings by their values: numbers by size, words as declared."""
        rows = [self.values(setting) for setting in self.compared]
        orders = {name: sorted_values(row[name] for row in rows) for name in self.axes}

        def place(setting: Setting) -> list[int]:
            return [orders[name].index(value) for name, value in self.values(setting).items()]

        return sorted(self.compared, key=place)


def checked_values(where: str, name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values of the setting ``name`` in its type; ``where`` they stand, for the message.

    Raises:
        ValueError: for a setting that does not exist, or a value that it cannot have.
    """
    if name not in setting_types() or name == "seed":
        raise unknown_setting(name)
    return tuple(_checked(where, name, value, setting_types()[name]) for value in values)


def _checked_settings(where: str, settings: Setting) -> Setting:
    return {name: checked_values(where, name, [value])[0] for name, value in settings.items()}


def _checked(where: str, name: str, value: Any, hint: Any) -> Any:
    try:
        return checked(name, value, hint)
    except SettingError as error:
        raise ValueError(f"{where}{name} {error.problem}") from None


def sorted_values(values: Iterable[Any]) -> list[Any]:
    """Sort numbers by size, sets of cut-offs by length; keep words as they were declared.

    None, which stands for no limit or the like, comes first.
    """
    values = list(dict.fromkeys(values))
    known = [value for value in values if value is not None]
    if not any(isinstance(value, str) for value in known):
        known.sort(key=lambda v: (len(v), v) if isinstance(v, tuple) else (0, v))
    return [None] * (len(known) < len(values)) + known


def grid(**values: Sequence[Any]) -> tuple[Setting, ...]:
    """Return every combination of values; the last name varies fastest."""
    return tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def scaled(sweep: Sweep, images: int | None = None, seeds: Sequence[int] = ()) -> Sweep:
    """Return the same comparison with other images in each run, or other seeds."""
    base = sweep.base if images is None else {**sweep.base, "images": images, "epochs": 0}
    return replace(sweep, base=base, seeds=tuple(seeds) or sweep.seeds)
