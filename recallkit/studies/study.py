"""Studies: methods compared in short trainings of their own, by the protocol of the sweeps."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from recallkit.experiments import EXTENSIONS, TUNING_SEED, extended

Stage = Literal["tuning", "final"]


class Outcome(NamedTuple):
    """The measurements of a run of a study.

    Attributes:
        choice: what the tuning judges by; higher is better. It comes from validation data alone.
        metrics: name → value on test data; shares, not per cent.
        history: rows of the training, a few.
    """

    choice: float
    metrics: dict[str, float]
    history: list[dict[str, float]]


class Run(NamedTuple):
    """One training of a study: a method, a candidate of what is tuned, a seed."""

    method: str
    candidate: float
    seed: int

    @property
    def stage(self) -> Stage:
        """Tell whether it tunes; such a run has a seed that no final run has."""
        return "tuning" if self.seed == TUNING_SEED else "final"


@dataclass(frozen=True)
class Study:
    """A comparison of methods, each tuned with the same budget and then trained with all seeds.

    Attributes:
        name: on the command line, and of its folder of results.
        question: that it answers, in a sentence.
        tuned: what the candidates are, such as "learning_rate".
        candidates: method → its candidates, ascending, of the same number for each method.
        run: trains by a method, a candidate and a seed; a function of a module.
        shown: the metrics of its table and figure, the most important first.
        seeds: of the final runs.
        note: what a reader should know, or nothing.

    Raises:
        ValueError: naming what does not fit.
    """

    name: str
    question: str
    tuned: str
    candidates: Mapping[str, tuple[float, ...]]
    run: Callable[[str, float, int], Outcome] = field(repr=False)
    shown: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    note: str = ""

    def __post_init__(self) -> None:
        numbers = {len(values) for values in self.candidates.values()}
        if len(numbers) != 1 or numbers == {0}:
            raise ValueError("candidates must give each method the same number of values")
        for method, values in self.candidates.items():
            if list(values) != sorted(set(values)) or values[0] <= 0:
                raise ValueError(f"candidates of {method!r} must be positive and ascend: {values}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or TUNING_SEED in self.seeds:
            raise ValueError(f"seeds must be different, at least one, and not {TUNING_SEED}")


class Tuning(NamedTuple):
    """The state of the tuning of a method.

    Attributes:
        best: the candidate of the highest choice; NaN while runs are due.
        due: runs to come; more may follow from their results.
        at_edge: whether the best candidate is the outermost, after all steps beyond.
    """

    best: float
    due: tuple[Run, ...] = ()
    at_edge: bool = False


def tune(study: Study, method: str, choices: Mapping[Run, float]) -> Tuning:
    """Follow the tuning of a method as far as stored runs go.

    Where the best candidate is the first or last, the candidates go on by a step of the same ratio,
    twice at most. A choice of NaN, of a training that diverged, counts as the worst.

    Args:
        study: that the method belongs to.
        method: one of its methods.
        choices: of the stored runs.
    """
    values: tuple[Any, ...] = study.candidates[method]
    for step in range(EXTENSIONS + 1):
        runs = [Run(method, value, TUNING_SEED) for value in values]
        if due := tuple(run for run in runs if run not in choices):
            return Tuning(math.nan, due)
        scores = [_score(choices[run]) for run in runs]
        best = scores.index(max(scores))
        wider = extended(values, best)
        if wider == values or step == EXTENSIONS:
            break
        values = wider
    return Tuning(values[best], at_edge=len(values) > 1 and best in (0, len(values) - 1))


def _score(choice: float) -> float:
    return -math.inf if math.isnan(choice) else choice


class Plan(NamedTuple):
    """The parts of a study, and its needs.

    Attributes:
        tunings: by method.
        stored: runs that are done.
        due: runs that can be done now: all tuning, then the first seed of all methods, …
        later: number of final runs that wait for their tuning.
    """

    tunings: dict[str, Tuning]
    stored: tuple[Run, ...]
    due: tuple[Run, ...]
    later: int


def make_plan(study: Study, choices: Mapping[Run, float]) -> Plan:
    """Say what is done and what comes next."""
    tunings = {method: tune(study, method, choices) for method in study.candidates}
    wanted = [run for tuning in tunings.values() for run in tuning.due]
    wanted += final_runs({m: t for m, t in tunings.items() if not t.due}, study.seeds)
    return Plan(
        tunings,
        stored=tuple(run for run in choices if run.method in tunings),
        due=tuple(run for run in wanted if run not in choices),
        later=len(study.seeds) * sum(bool(tuning.due) for tuning in tunings.values()),
    )


def final_runs(tunings: Mapping[str, Tuning], seeds: Sequence[int]) -> list[Run]:
    """Return the final runs of methods that are tuned, seed by seed."""
    return [Run(method, t.best, seed) for seed in seeds for method, t in tunings.items()]
