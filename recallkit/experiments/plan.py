"""The plan of a sweep: the runs it needs, those that are stored, and what comes next.

For each compared setting, first its tuning: a run for each candidate, all with one seed that no
final run has, judged by R@1 at the last evaluation on *validation* classes. Where the best
candidate is the first or last, the candidates go on by a step, twice at most. Then the final runs
at the best candidate, a seed each, measured on test classes at their end.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from recallkit.config import Config
from recallkit.experiments.results import run_key
from recallkit.experiments.sweeps import TUNING_SEED, Setting, Sweep

EXTENSIONS = 2  # steps beyond the declared candidates, at most

RunStage = Literal["tuning", "final"]


@dataclass(frozen=True)
class Run:
    """One training of a sweep."""

    stage: RunStage
    config: Config

    @cached_property
    def key(self) -> str:
        """Its name, by which it is stored."""
        return run_key(self.config)


@dataclass(frozen=True)
class Stored:
    """Results of earlier runs, by their keys; of all sweeps, since some share settings.

    Attributes:
        tuning: R@1 at the last evaluation on validation classes; −∞ of a run that diverged.
        final: runs measured on test classes, and those that diverged.
    """

    tuning: Mapping[str, float] = field(default_factory=dict)
    final: frozenset[str] = frozenset()

    @classmethod
    def of(cls, results: pd.DataFrame) -> "Stored":
        """Take what a plan needs from a table of :func:`.load_results`."""

        def recalls(stage: str) -> dict[str, float]:
            runs = results[results["stage"] == stage]
            return dict(zip(runs["key"], runs["validation R@1"], strict=True))

        diverged = dict.fromkeys(recalls("diverged"), -math.inf)
        return cls(recalls("tuning") | diverged, frozenset(recalls("final") | diverged))

    def __or__(self, other: "Stored") -> "Stored":
        return Stored({**self.tuning, **other.tuning}, self.final | other.final)

    def has(self, run: Run) -> bool:
        """Whether the run is done, well or badly."""
        return run.key in (self.tuning if run.stage == "tuning" else self.final)


def place(results: Path, sweep: Sweep, run: Run, diverged: bool = False) -> Path:
    """Return where a run is stored: RESULTS/ablations/SWEEP/[tuning/ or diverged/]KEY.json."""
    part = "diverged" if diverged else "tuning" if run.stage == "tuning" else ""
    return results / "ablations" / sweep.name / part / f"{run.key}.json"


@dataclass(frozen=True)
class Tuning:
    """The state of the tuning of one compared setting.

    Attributes:
        setting: what is compared.
        config: all settings, with the best candidates so far, and the seed of the tuning.
        done: stored runs.
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
    """Follow the tuning of a setting as far as stored runs go."""
    state = Tuning(setting, replace(sweep.config(setting), seed=TUNING_SEED))
    for name, candidates in sweep.tuned.items():
        state = _tune_one(state, name, tuple(candidates), stored)
        if state.due or state.failed:
            break
    return state


def _tune_one(
    state: Tuning, name: str, values: tuple[Any, ...], stored: Stored, steps: int = EXTENSIONS
) -> Tuning:
    """Follow the tuning of one setting; ``steps`` candidates may still be added at an edge."""
    runs = [Run("tuning", replace(state.config, **{name: value})) for value in values]
    due = tuple(run for run in runs if not stored.has(run))
    done = tuple(run for run in runs if stored.has(run))
    if due:
        return replace(state, done=state.done + done, due=due)
    scores = [stored.tuning[run.key] for run in runs]
    best = scores.index(max(scores))
    wider = _extended(values, best)
    if steps and wider != values:
        return _tune_one(state, name, wider, stored, steps - 1)
    at_edge = len(values) > 1 and best in (0, len(values) - 1)
    return replace(
        state,
        config=runs[best].config,
        done=state.done + done,
        edges=state.edges + ((name,) if at_edge else ()),
        failed=max(scores) == -math.inf,
    )


def _extended(values: tuple[Any, ...], best: int) -> tuple[Any, ...]:
    """Add a candidate, by the ratio of the last two, on the side where the best is outermost."""
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
        stored: runs that are done.
        due: runs that can be done now, in their order.
        later: for each final run that waits for its tuning, its settings before the tuning.
    """

    tunings: tuple[Tuning, ...]
    stored: tuple[Run, ...]
    due: tuple[Run, ...]
    later: tuple[Config, ...]


def most_steps_beyond(sweep: Sweep, plan: Plan) -> list[Config]:
    """Return the runs that the tuning adds at most: wherever the best candidate is the outermost.

    A run is given by the settings of the tuning it belongs to; its candidate is not known yet.
    """
    widened = sum(_extended(values, 0) != values for values in sweep.tuned.values())
    waiting = [tuning for tuning in plan.tunings if tuning.due]
    return [tuning.config for tuning in waiting for _ in range(EXTENSIONS * widened)]


def make_plan(sweep: Sweep, stored: Stored) -> Plan:
    """Say what is done and what comes next: all tuning, then the first seed of all settings, …"""
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
    """Return the final runs of settings that are tuned, seed by seed."""
    return [Run("final", replace(t.config, seed=seed)) for seed in seeds for t in tunings]
