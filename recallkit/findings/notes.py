"""The stored runs that ended at the loss of a perfect ranking, where a sweep cannot tell.

A training whose batches are solved has hardly any gradient left. Its R@1 on test classes may still
differ from another's, with a clear verdict. What the setting does to a training that has more to
learn cannot be seen there.
"""

from collections.abc import Iterable, Sequence
from itertools import compress
from operator import not_
from statistics import median

import pandas as pd

from recallkit.experiments.sweeps import Sweep
from recallkit.loss_floor import NEARLY_SOLVED
from recallkit.words import in_words

CANNOT_TELL = (
    "its runs end at the loss of a perfect ranking: it cannot tell what the setting does where "
    "more is left to learn"
)
AT_FLOOR = "ended at the loss of a perfect ranking"
FLAT = 0.005  # R@1: what the last evaluation may lie above the one before, 3 of 660 images
APART = 0.2  # R@1: seeds differ by a few points; a run that far below the median has failed
NAMED = 8  # settings that a footnote lists; of more it gives the number


def cannot_tell(excess: Iterable[float]) -> bool:
    """Return whether a sweep cannot tell: all its settings ended at the floor.

    The threshold is :data:`.NEARLY_SOLVED`, an excess of 0.1. Where few rankings are wrong the
    excess is close to the share of queries whose ranking is not perfect, so nine queries of ten are
    ranked as well as can be. A sweep in which one setting ended far from the floor can tell: that
    setting trained worse.

    Args:
        excess: a number a setting, the mean over its runs; NaN for a loss without a floor, which
            may have something left to learn.
    """
    values = list(excess)
    return len(values) > 1 and all(value <= NEARLY_SOLVED for value in values)


def far_apart(recalls: Sequence[float]) -> bool:
    """Tell whether a run lies so far below the median that their mean says little."""
    return len(recalls) > 1 and median(recalls) - min(recalls) > APART


def footnotes(sweep: Sweep, summary: pd.DataFrame) -> list[str]:
    """List what a reader of :func:`.sweep_summary` must know: solved, not flat, or not run."""
    is_stored, diverged = summary["seeds"] > 0, summary["failed"] | (summary["diverged"] > 0)
    silent = cannot_tell(summary.loc[is_stored, "excess"])
    rising = f"still rising (by more than {100 * FLAT:g} points at the last evaluation)"
    tuned = " or ".join(sweep.tuned).replace("_", " ")
    which = {
        AT_FLOOR: (summary["excess"] <= NEARLY_SOLVED) & (not silent),
        rising: summary["rise"] > FLAT,
        f"a run more than {100 * APART:g} points below the others": summary["runs"].map(far_apart),
        "a single run, so no interval": summary["seeds"] == 1,
        f"{tuned} at the edge of its candidates": is_stored & (summary["edges"] != ""),
        "diverged": diverged,
        "not run": ~is_stored & ~diverged,
        **{f"run on {device}": of for device, of in _devices(summary).items()},
    }
    settings = [in_words({n: row[n] for n in sweep.axes}) for row in summary.to_dict("records")]
    notes = [
        f"{note}: {_listed(settings, [*holds])}" for note, holds in which.items() if any(holds)
    ]
    return [CANNOT_TELL] * silent + notes


def _devices(summary: pd.DataFrame) -> dict[str, pd.Series]:
    """Return which settings ran on which device, if these differ."""
    names = sorted({*summary["device"]} - {""})
    return {name: summary["device"] == name for name in names} if len(names) > 1 else {}


def _listed(settings: Sequence[str], holds: Sequence[bool]) -> str:
    """Name the settings for which a note holds in the fewest words; there is at least one.

    A setting is quoted: it has commas and an "all" of its own.
    """
    some, others = ([*compress(settings, which)] for which in (holds, map(not_, holds)))
    if len(some) > 1 and len(others) < 2:
        return " ".join(["all settings", *(f"except “{other}”" for other in others)])
    if len(some) > NAMED:
        return f"{len(some)} of the {len(settings)} settings"
    *first, last = (f"“{setting}”" for setting in some)
    return " and ".join([*filter(None, [", ".join(first)]), last])
