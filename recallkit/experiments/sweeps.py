"""What is compared with what: every sweep as a small declaration over a preset.

A file of one's own says the same in TOML or JSON::

    name = "augmentation"
    question = "How much may drawings turn?"
    preset = "emoji"
    [base]
    images = 65000
    [grid]                      # every combination; or [[compared]] tables, one a setting
    rotation = [0.0, 15.0, 45.0]
    [tuned]
    learning_rate = [0.0015, 0.003, 0.006]
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from recallkit.config import PRESETS, Config
from recallkit.errors import RecallkitError

Setting = Mapping[str, Any]


RATES = (0.0015, 0.003, 0.006)  # around the preset's; an edge that wins is moved


GLYPH_RATES = (0.004, 0.008, 0.016)


FINETUNING_RATES = (0.0003, 0.001, 0.003)


TUNING_SEED = 1000  # of no final run: luck that chose a rate is not counted a second time


@dataclass(frozen=True)
class Sweep:
    """A comparison: which settings, on what, with what tuned for each of them.

    Attributes:
        name: of its folder and its figures.
        question: what it is to answer, in a sentence.
        preset: where all other settings come from; looked up only when it is needed.
        compared: the settings compared, each as what it changes; the most telling first.
        base: what all runs have other than the preset.
        tuned: setting → candidates, ascending, for each compared setting anew: one run each,
            judged on validation classes. Several are tuned one after the other.
        seeds: of the final runs.
        note: what a reader should know, or nothing.
    """

    name: str
    question: str
    preset: str
    compared: tuple[Setting, ...]
    base: Setting = field(default_factory=dict)
    tuned: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: {"learning_rate": RATES})
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
                f"seeds must be different numbers, at least one, without {TUNING_SEED}, "
                f"with which is tuned, not {self.seeds}"
            )
        self._check_settings()

    def _check_settings(self) -> None:
        known = {setting.name for setting in fields(Config)} - {"seed"}
        for part in (self.base, self.tuned, *self.compared):
            if unknown := sorted(set(part) - known):
                raise ValueError(f"there is no setting {unknown[0]!r}; there are {sorted(known)}")
        varied = set().union(*self.compared)
        if both := varied & set(self.tuned):
            raise ValueError(f"{sorted(both)} cannot be compared and tuned at once")
        for name, candidates in self.tuned.items():
            if not candidates or list(candidates) != sorted(set(candidates)):
                raise ValueError(f"tuned: {name} must have candidates, ascending, not {candidates}")

    @property
    def axes(self) -> tuple[str, ...]:
        """The settings that vary between those compared, in the order of their first mention."""
        return tuple(dict.fromkeys(name for setting in self.compared for name in setting))

    def config(self, setting: Setting) -> Config:
        """All settings of a run, with the preset's values of what is tuned, and seed 0.

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


def grid(**values: Sequence[Any]) -> tuple[Setting, ...]:
    """Every combination of values, the last name varying fastest."""
    return tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def cross_first(settings: Sequence[Setting], centre: Setting) -> tuple[Setting, ...]:
    """Settings ordered by how many values differ from the centre: the slices through it first."""
    return tuple(sorted(settings, key=lambda s: sum(s[name] != centre[name] for name in centre)))


PAPERS_KS = (1, 2, 4, 8, 16)


LONG_KS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32)  # with SiMix; from memory, unverified


_TEMPERATURES = cross_first(
    grid(
        rank_temperature=(0.001, 0.003, 0.01, 0.03, 0.1), k_temperature=(0.1, 0.3, 1.0, 3.0, 10.0)
    ),
    {"rank_temperature": 0.01, "k_temperature": 1.0},
)


_DECLARED = (
    Sweep(
        name="batch-size",
        question="At equal images and tuned rates, does a larger batch retrieve better?",
        preset="emoji",
        compared=grid(batch_size=(128, 2048, 32, 512), simix=(False, True)),
        base={"images": 100_000},
        note="600 classes of emoji in groups of 4 fill a batch of at most 2,400.",
    ),
    Sweep(
        name="two-minutes",
        question="In the two minutes that two cores take for emoji: which batch, at which rate?",
        preset="emoji",
        compared=grid(batch_size=(128, 512)),
        tuned={"learning_rate": (0.003, 0.006, 0.012)},
    ),
    Sweep(
        name="batch-size-frozen",
        question="For a head on frozen pretrained features: does a larger batch retrieve better?",
        preset="emoji-frozen",
        compared=grid(batch_size=(512, 32, 2048, 128), simix=(False, True)),
        tuned={"learning_rate": (0.001, 0.002, 0.004)},
        note="600 classes of emoji in groups of 4 fill a batch of at most 2,400.",
    ),
    Sweep(
        name="batch-size-finetuned",
        question="For a pretrained network trained as a whole: does a larger batch help?",
        preset="emoji-finetuned",
        compared=grid(batch_size=(512, 32, 128)),
        base={"images": 32_768},
        tuned={"learning_rate": FINETUNING_RATES},
    ),
    Sweep(
        name="two-minutes-finetuned",
        question="In two minutes on two cores, from pretrained weights: which batch and rate?",
        preset="emoji-finetuned",
        compared=grid(batch_size=(512, 128)),
        tuned={"learning_rate": FINETUNING_RATES},
    ),
    Sweep(
        name="batch-size-glyphs",
        question="With 17 times as many classes, glyphs: does a larger batch retrieve better?",
        preset="glyphs-short",
        compared=grid(batch_size=(512, 64, 4096)),
        tuned={"learning_rate": GLYPH_RATES},
        note="Under four epochs: the work of a laptop's evening, far from the end of learning.",
    ),
    Sweep(
        name="batch-size-glyphs-1m",
        question="Glyphs five times as long, on a GPU: does a larger batch retrieve better?",
        preset="glyphs",
        compared=grid(batch_size=(512, 4096, 16_384), simix=(False, True)),
        base={"images": 1_000_000},
        tuned={"learning_rate": GLYPH_RATES},
    ),
    Sweep(
        name="batch-size-glyphs-4m",
        question="Glyphs twenty times as long: does a larger batch retrieve better?",
        preset="glyphs",
        compared=grid(batch_size=(512, 4096, 16_384)),
        tuned={"learning_rate": GLYPH_RATES},
    ),
    Sweep(
        name="ten-minutes",
        question="In what a GPU trains of glyphs within ten minutes: which batch, at which rate?",
        preset="glyphs",
        compared=grid(batch_size=(4096, 512, 16_384)),
        base={"images": 30_000_000},
        tuned={"learning_rate": GLYPH_RATES},
    ),
    Sweep(
        name="temperatures",
        question="Which temperatures of ranks and of cut-offs retrieve best?",
        preset="emoji-frozen",
        compared=_TEMPERATURES,
        base={"simix": True},
    ),
    Sweep(
        name="ks",
        question="Which cut-offs retrieve best: one, the paper's five, or its ten for SiMix?",
        preset="emoji-frozen",
        compared=grid(ks=(PAPERS_KS, (1,), LONG_KS, (4,), (16,), (2,), (8,))),
        base={"simix": True},
    ),
    Sweep(
        name="definition",
        question="Query in its own database or not, the cap and the normaliser: does it matter?",
        preset="emoji-frozen",
        compared=(
            *grid(simix=(True, False), query_in_database=(False, True), loss=("recall@k",)),
            *grid(
                simix=(True,),
                query_in_database=(False,),
                loss=("recall@k-no-cap", "recall@k-over-positives", "recall@k-over-k"),
            ),
        ),
    ),
    Sweep(
        name="losses",
        question="RS@k and its peers, each at its own rate, with the same budget.",
        preset="emoji-frozen",
        compared=grid(
            loss=(
                "recall@k",
                "nt-xent",
                "multi-similarity",
                "smooth-ap",
                "contrastive",
                "proxy-anchor",
                "triplet",
                "circle",
            )
        ),
        base={"batch_size": 128, "simix": False},  # NT-Xent of the other library: B³ numbers
        note="Margins and scales are their authors' or, for cosines, usual ones: not tuned.",
    ),
    Sweep(
        name="per-class",
        question="Two, four or all images of a class in a batch?",
        preset="emoji-frozen",
        compared=grid(per_class=(4, 2, 8), simix=(True, False)),
        note="No class of emoji has more than 8 images: 8 is all.",
    ),
)


SWEEPS: dict[str, Sweep] = {sweep.name: sweep for sweep in _DECLARED}


def scaled(sweep: Sweep, images: int | None = None, seeds: Sequence[int] = ()) -> Sweep:
    """The same comparison with other images in each run, or other seeds."""
    base = sweep.base if images is None else {**sweep.base, "images": images}
    return replace(sweep, base=base, seeds=tuple(seeds) or sweep.seeds)


def find_sweep(name: str) -> Sweep:
    """The sweep called ``name``, or the one that the TOML or JSON file of that path declares.

    Raises:
        RecallkitError: if there is neither, or the file does not declare a sweep.
    """
    if name in SWEEPS:
        return SWEEPS[name]
    path = Path(name).expanduser()
    if path.suffix not in (".toml", ".json"):
        raise RecallkitError(
            f"there is no sweep {name!r}. There are {', '.join(SWEEPS)}; "
            f"or name a .toml or .json file of your own."
        )
    return _read(path)


def _read(path: Path) -> Sweep:
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
    """Lists as tuples, at any depth."""
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
