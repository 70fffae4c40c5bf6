"""The plan of a sweep: the runs it needs, those that are stored, and what comes next.

For each compared setting, first its tuning: a run for each candidate, all with one seed that no
final run has, judged by R@1 at the last evaluation on *validation* classes. Where the best
candidate is the first or last, the candidates go on by a step, twice at most, and never out of the
range of their setting. Then the final runs at the best candidate, a seed each, measured on test
classes at their end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from recallkit.config import Config
from recallkit.experiments.results import run_key
from recallkit.experiments.sweeps import TUNING_SEED, Setting, Sweep, checked_values

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


class Stored(dict[tuple[str, str], float]):
    """R@1 on validation classes of stored runs, by stage and key.

    The sweep does not matter, since some share settings. A run that diverged counts in both stages,
    with −∞.
    """

    @classmethod
    def of(cls, results: pd.DataFrame) -> "Stored":
        """Take what a plan needs from a table of :func:`.load_results`."""
        runs = results[results["stage"].isin(["tuning", "final"])]
        names = zip(runs["stage"], runs["key"], strict=True)
        stored = cls(zip(names, runs["validation R@1"], strict=True))
        for key in results.loc[results["stage"] == "diverged", "key"]:
            stored["tuning", key] = stored["final", key] = -math.inf
        return stored

    def has(self, run: Run) -> bool:
        """Tell whether a run is done, well or badly."""
        return (run.stage, run.key) in self


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
        waiting: names of what is tuned after them.
        edges: names of what is best at its outermost candidate, after all steps beyond.
        failed: whether every candidate diverged.
    """

    setting: Setting
    config: Config
    done: tuple[Run, ...] = ()
    due: tuple[Run, ...] = ()
    waiting: tuple[str, ...] = ()
    edges: tuple[str, ...] = ()
    failed: bool = False


def tune(sweep: Sweep, setting: Setting, stored: Stored) -> Tuning:
    """Follow the tuning of a setting as far as stored runs go; what has no effect is left out."""
    state = Tuning(setting, replace(sweep.config(setting), seed=TUNING_SEED))
    names = [name for name in sweep.tuned if state.config.has_effect(name)]
    for place, name in enumerate(names):
        state = _tune_one(state, name, tuple(sweep.tuned[name]), stored)
        if state.due or state.failed:
            return replace(state, waiting=tuple(names[place + 1 :]))
    return state


def _tune_one(
    state: Tuning, name: str, values: tuple[Any, ...], stored: Stored, steps: int = EXTENSIONS
) -> Tuning:
    """Follow the tuning of one setting; ``steps`` candidates may still be added at an edge."""
    runs = [Run("tuning", replace(state.config, **{name: value})) for value in values]
    done = state.done + tuple(run for run in runs if stored.has(run))
    if due := tuple(run for run in runs if not stored.has(run)):
        return replace(state, done=done, due=due)
    scores = [stored[run.stage, run.key] for run in runs]
    best = scores.index(max(scores))
    wider = _wider(name, values, best)
    if steps and wider != values:
        return _tune_one(state, name, wider, stored, steps - 1)
    edges = (name,) if len(values) > 1 and best in (0, len(values) - 1) else ()
    failed = max(scores) == -math.inf
    return replace(
        state, config=runs[best].config, done=done, edges=state.edges + edges, failed=failed
    )


def _wider(name: str, values: tuple[Any, ...], best: int) -> tuple[Any, ...]:
    """Add a candidate as :func:`extended` does, if the setting can have it."""
    wider = extended(values, best)
    try:
        return checked_values("", name, wider)
    except ValueError:  # crop has no candidate beyond 1
        return values


def extended(values: tuple[Any, ...], best: int) -> tuple[Any, ...]:
    """Add a candidate, by the ratio of the last two, on the side where the best is outermost.

    Args:
        values: candidates, ascending. Those that are not positive floats stay as they are.
        best: the place of the best of them.
    """
    if len(values) < 2 or not all(isinstance(value, float) and value > 0 for value in values):
        return values
    if best == 0:
        return (_rounded(values[0] ** 2 / values[1]), *values)
    return (*values, _rounded(values[-1] ** 2 / values[-2])) if best == len(values) - 1 else values


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


@dataclass(frozen=True)
class Plan:
    """The state of a sweep at one moment.

    Attributes:
        tunings: one for each compared setting.
        stored: runs that are done.
        due: runs that can be done now, in their order.
        later: for each run that waits for a tuning, its settings before that tuning.
    """

    tunings: tuple[Tuning, ...]
    stored: tuple[Run, ...]
    due: tuple[Run, ...]
    later: tuple[Config, ...]


def make_plan(sweep: Sweep, stored: Stored) -> Plan:
    """Say what is done and what comes next: all tuning, then the first seed of all settings, …"""
    tunings = tuple(tune(sweep, setting, stored) for setting in sweep.compared)
    finals = final_runs([t for t in tunings if not (t.due or t.failed)], sweep.seeds)
    runs = [*(run for t in tunings for run in (*t.done, *t.due)), *finals]
    waiting = [tuning for tuning in tunings if tuning.due]
    tuned = [t.config for t in waiting for name in t.waiting for _ in _others(sweep, t, name)]
    final = [replace(t.config, seed=seed) for seed in sweep.seeds for t in waiting]
    return Plan(
        tunings,
        stored=tuple(run for run in runs if stored.has(run)),
        due=tuple(run for run in runs if not stored.has(run)),
        later=(*tuned, *final),
    )


def _others(sweep: Sweep, tuning: Tuning, name: str) -> list[Any]:
    """Return the candidates that are not run already, with the value before the tuning."""
    return [value for value in sweep.tuned[name] if value != getattr(tuning.config, name)]


def final_runs(tunings: Sequence[Tuning], seeds: Sequence[int]) -> list[Run]:
    """Return the final runs of settings that are tuned, seed by seed."""
    return [Run("final", replace(t.config, seed=seed)) for seed in seeds for t in tunings]


def most_steps_beyond(sweep: Sweep, plan: Plan) -> list[Config]:
    """Return the runs that the tuning adds at most: wherever the best candidate is the outermost.

    A run is given by the settings of the tuning it belongs to; its candidate is not known yet.
    """
    wider = {n for n, values in sweep.tuned.items() if _is_wider_at_an_end(n, values)}
    waiting = [tuning.config for tuning in plan.tunings if tuning.due]
    return [c for c in waiting for name in wider if c.has_effect(name) for _ in range(EXTENSIONS)]


def _is_wider_at_an_end(name: str, values: tuple[Any, ...]) -> bool:
    return any(_wider(name, values, end) != values for end in (0, len(values) - 1))
