"""The result of an evaluation: rows of metrics, and the lines under their tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recallkit.evaluation.embedding import named_metrics
from recallkit.evaluation.remarks import counted_line
from recallkit.metrics import Retrieval

Table = dict[str, dict[str, float]]  # row → metric → value, from 0 to 1


@dataclass(frozen=True)
class Evaluation:
    """The metrics of an evaluation.

    Attributes:
        rows: row → metric → value, from 0 to 1. Where a protocol has several searches, the name of
            each stands before its metrics, as in "small R@1".
        lines: name of a search ("" if there is one) → the line under its table: the ranking, and
            over how many queries the means are.
        remarks: what was used, and what may surprise.
    """

    rows: Table
    lines: dict[str, str]
    remarks: tuple[str, ...] = ()


def evaluation_of(
    row: str,
    searches: Mapping[str, Retrieval],
    galleries: Mapping[str, int | None],
    measure: str,
    per_class: bool = False,
    groups: bool = False,
    remarks: Sequence[str] = (),
) -> Evaluation:
    """Make a row of the means over queries, and with ``per_class`` one of the means over classes.

    Args:
        row: its name.
        searches: name → result.
        galleries: name → size of the gallery; None where all are searched among all.
        measure: that was ranked by, in words.
        per_class: whether to add the second row.
        groups: whether the group of each query was left out.
        remarks: see :class:`Evaluation`.
    """
    rows = {row: named_metrics({name: result.metrics for name, result in searches.items()})}
    if per_class:
        means = {name: result.class_metrics for name, result in searches.items()}
        rows[f"{row}, mean over classes"] = named_metrics(means)
    lines = {
        name: counted_line(result, measure, galleries[name], groups)
        for name, result in searches.items()
    }
    return Evaluation(rows, lines, tuple(remarks))
