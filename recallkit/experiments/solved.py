"""Which stored runs ended at the loss of a perfect ranking, where a sweep cannot tell.

A training whose batches are solved has hardly any gradient left. Its R@1 on test classes may still
differ from another's, with a clear verdict. What the setting does to a training that has more to
learn cannot be seen there.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from recallkit.config import Config
from recallkit.loss_floor import NEARLY_SOLVED
from recallkit.training.floor import class_sizes_of, training_floor

__all__ = [
    "AT_FLOOR",
    "CANNOT_TELL",
    "cannot_tell",
    "ended_at_floor",
    "loss_columns",
    "warnings_of",
]

CANNOT_TELL = (
    "its runs end at the loss of a perfect ranking: it cannot tell what the setting does where "
    "more is left to learn"
)
AT_FLOOR = "ended at the loss of a perfect ranking"


def loss_columns(config: Config, result: Mapping[str, Any]) -> dict[str, float]:
    """Return what a table of runs says of the training loss.

    Args:
        config: of the run.
        result: what its file holds.

    Returns:
        "training loss", the mean since the evaluation before the last; its "floor"; the "excess" of
        :meth:`.Floor.excess`. NaN where it is not known, or the loss has no floor.
    """
    loss = (result.get("validation") or [{}])[-1].get("loss", math.nan)
    floor = training_floor(config, class_sizes_of(config, result))
    return {"training loss": loss, "floor": floor.perfect, "excess": floor.excess(loss)}


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


def warnings_of(summary: pd.DataFrame) -> list[str]:
    """Return the warning below the table or figure of a sweep that cannot tell, or nothing.

    Args:
        summary: of :func:`.sweep_summary`.
    """
    return [CANNOT_TELL] if cannot_tell(summary.loc[summary["seeds"] > 0, "excess"]) else []


def ended_at_floor(summary: pd.DataFrame) -> pd.Series:
    """Return which settings ended at the floor, where the sweep can tell nevertheless."""
    return (summary["excess"] <= NEARLY_SOLVED) & (not warnings_of(summary))
