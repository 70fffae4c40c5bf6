"""Which runs a sweep needs, which are stored, and what comes next: decided from files alone.

For each compared setting, first its tuning: a run for each candidate, all with one seed that no
final run has, judged by R@1 at the last look at the *validation* classes. Where the best candidate
is the first or last, the candidates go on by a step, twice at most. Then the final runs at the best
candidate, a seed each, measured on test classes at their end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.experiments.store import FOLDER, config_of, load_results, run_key
from recallkit.experiments.sweeps import TUNING_SEED, Setting, Sweep
from recallkit.files import read_json

ABLATIONS = FOLDER / "ablations"


EXTENSIONS = 2  # steps beyond the declared candidates, at most


Stage = Literal["tuning", "final"]


Result = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One training of a sweep."""

    stage: Stage
    config: Config

    @property
    def key(self) -> str:
        """Its name, by which it is stored."""
        return run_key(self.config)


@dataclass(frozen=True)
class Stored:
    """What earlier runs have left, by their settings; of all sweeps, since some share settings.

    Attributes:
        tuning: runs that looked at validation classes alone.
        final: runs measured on test classes.
        diverged: runs of either stage that came to no end.
    """

    tuning: dict[Config, Result] = field(default_factory=dict)
    final: dict[Config, Result] = field(default_factory=dict)
    diverged: dict[Config, Result] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> "Stored":
        """All runs below ``root``, as :func:`place` puts them.

        Raises:
            RecallkitError: naming a file that is no stored run.
        """
        folders = sorted(root.iterdir()) if root.is_dir() else []
        parts: tuple[list[Result], list[Result], list[Result]] = [], [], []
        for folder in filter(Path.is_dir, folders):
            parts[0].extend(load_results(folder / "tuning", tested=False))
            parts[1].extend(load_results(folder))
            parts[2].extend(_diverged(folder / "diverged"))
        return cls(*({config_of(result): result for result in part} for part in parts))

    def has(self, run: Run) -> bool:
        """Whether the run is done, well or badly."""
        return run.config in getattr(self, run.stage) or run.config in self.diverged

    def score(self, config: Config) -> float:
        """R@1 at the last look at validation classes of a run that tuned; −∞ if it diverged."""
        if config in self.diverged:
            return -math.inf
        return self.tuning[config]["validation"][-1]["R@1"]


def _diverged(folder: Path) -> list[Result]:
    found = [(path, read_json(path)) for path in sorted(folder.glob("*.json"))]
    for path, result in found:
        try:
            config_of(result)
        except (TypeError, ValueError, KeyError) as error:
            raise RecallkitError(f"{path} is not a run that diverged: {error}") from error
    return [result for _, result in found]


def place(root: Path, sweep: Sweep, run: Run, diverged: bool = False) -> Path:
    """Where the result of a run is stored: ROOT/SWEEP/[tuning/ or diverged/]KEY.json."""
    part = "diverged" if diverged else "tuning" if run.stage == "tuning" else ""
    return root / sweep.name / part / f"{run.key}.json"


@dataclass(frozen=True)
class Tuning:
    """How far the tuning of one compared setting is.

    Attributes:
        setting: what is compared.
        config: all settings, with the best candidates so far; their seed is the one that tunes.
        done: runs stored.
        due: runs to come; more may follow from their results.
        edges: names of what is best at its outermost candidate, after all steps beyond.
        failed: whether every candidate diverged.
    """

    setting: Setting
    config: Config
    done: tuple[Run, ...] = ()
    due: tuple[Run, ...] = ()
    edges: tuple[str, ...] = ()
    failed: bool = False


def tune(sweep: Sweep, setting: Setting, stored: Stored) -> Tuning:
    """Follow the tuning of a setting as far as the stored runs go."""
    state = Tuning(setting, replace(sweep.config(setting), seed=TUNING_SEED))
    for name, candidates in sweep.tuned.items():
        state = _tune_one(state, name, tuple(candidates), stored)
        if state.due or state.failed:
            break
    return state


def _tune_one(state: Tuning, name: str, values: tuple[Any, ...], stored: Stored) -> Tuning:
    for left in reversed(range(EXTENSIONS + 1)):
        runs = [Run("tuning", replace(state.config, **{name: value})) for value in values]
        due = tuple(run for run in runs if not stored.has(run))
        done = tuple(run for run in runs if stored.has(run))
        if due:
            return replace(state, done=state.done + done, due=due)
        scores = [stored.score(run.config) for run in runs]
        best = scores.index(max(scores))
        wider = _extended(values, best)
        if left == 0 or wider == values:
            break
        values = wider
    at_edge = len(values) > 1 and best in (0, len(values) - 1)
    return replace(
        state,
        config=runs[best].config,
        done=state.done + done,
        edges=state.edges + ((name,) if at_edge else ()),
        failed=max(scores) == -math.inf,
    )


def _extended(values: tuple[Any, ...], best: int) -> tuple[Any, ...]:
    """One more candidate, by the ratio of the last two, on the side where the best is outermost."""
    if len(values) < 2 or not all(isinstance(value, float) and value > 0 for value in values):
        return values
    if best == 0:
        return (_rounded(values[0] ** 2 / values[1]), *values)
    if best == len(values) - 1:
        return (*values, _rounded(values[-1] ** 2 / values[-2]))
    return values


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


@dataclass(frozen=True)
class Plan:
    """All that is known of a sweep at one moment.

    Attributes:
        tunings: one for each compared setting.
        stored: known runs that are done.
        due: known runs that can be done now, in their order.
        later: for each final run that waits for its tuning, its settings but for what is tuned.
    """

    tunings: tuple[Tuning, ...]
    stored: tuple[Run, ...]
    due: tuple[Run, ...]
    later: tuple[Config, ...]


def make_plan(sweep: Sweep, stored: Stored) -> Plan:
    """What is done and what comes next: all tuning, then the first seed of all settings, …"""
    tunings = tuple(tune(sweep, setting, stored) for setting in sweep.compared)
    ready = [tuning for tuning in tunings if not tuning.due and not tuning.failed]
    finals = final_runs(ready, sweep.seeds)
    tuned = [run for tuning in tunings for run in tuning.done]
    waiting = [tuning.config for tuning in tunings if tuning.due]
    return Plan(
        tunings,
        (*tuned, *(run for run in finals if stored.has(run))),
        tuple(
            [run for tuning in tunings for run in tuning.due]
            + [run for run in finals if not stored.has(run)]
        ),
        tuple(replace(config, seed=seed) for seed in sweep.seeds for config in waiting),
    )


def final_runs(tunings: Sequence[Tuning], seeds: Sequence[int]) -> list[Run]:
    """The final runs of settings that are tuned, seed by seed."""
    return [Run("final", replace(t.config, seed=seed)) for seed in seeds for t in tunings]
