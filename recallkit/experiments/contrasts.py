"""Which settings differ, by how much, and how surely: from points to words, by one rule.

A difference is that of two means over seeds on test classes, with the 95 % interval of Welch's t.
It "rises" or "falls" if the interval leaves out 0, else there is "no difference seen": the interval
says how large one could be nevertheless. Of twenty comparisons without any difference, one is
called one all the same.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recallkit.experiments.points import Point, as_text
from recallkit.experiments.summary import Estimate, difference
from recallkit.experiments.sweeps import Setting, Sweep
from recallkit.tables import text_table

RISES, FALLS, UNSEEN, ONE_SEED = "rises", "falls", "no difference seen", "one seed: no verdict"


BETWEEN, NOT_RUN = "has its best between", "not run"


VERDICTS = (RISES, FALLS, UNSEEN, ONE_SEED)


LISTED = 3  # contrasts of one verdict that a sentence names; of more it gives number and range


_WORDS = {
    "batch_size": "batch",
    "simix": "SiMix",
    "rank_temperature": "τ₂",
    "k_temperature": "τ₁",
    "ks": "K =",
    "loss": "",
    "query_in_database": "query in its database",
}


@dataclass(frozen=True)
class Contrast:
    """Two settings, and how far R@1 on test classes of the second lies above the first's.

    Attributes:
        before: what is compared with.
        after: what is compared.
        change: after − before, as a share; see :func:`.difference`.
        within: values of settings that both have, and that tell this contrast from others.
    """

    before: Point
    after: Point
    change: Estimate
    within: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        return verdict(self.change)

    @property
    def caveat(self) -> str:
        """What else is other after than before: the device; nothing if it is the same."""
        before, after = (" and ".join(sorted(p.devices)) for p in (self.before, self.after))
        return "" if before == after else f"the smaller on {before}, the larger on {after}"

    @property
    def name(self) -> str:
        """What is other after than before."""
        return words({k: v for k, v in self.after.values.items() if v != self.before.values[k]})


def verdict(change: Estimate) -> str:
    """One of :data:`VERDICTS`: whether the interval of a difference leaves out 0."""
    if not math.isfinite(change.margin):
        return ONE_SEED
    if abs(change.mean) <= change.margin:
        return UNSEEN
    return RISES if change.mean > 0 else FALLS


def contrast(before: Point, after: Point, within: Setting | None = None) -> Contrast:
    """The contrast of two points that have final runs."""
    change = difference(before.metrics["R@1"], after.metrics["R@1"])
    return Contrast(before, after, change, within or {})


def contrasts(
    points: Sequence[Point], reference: Setting, keep: Sequence[str] = ()
) -> list[Contrast]:
    """Each point against the one with the values of ``reference``, as far as both are stored.

    Args:
        points: of :func:`.collect`.
        reference: setting → value of the point to compare with.
        keep: settings that this has from the point itself: compared is within each value of them.
    """
    stored = [point for point in points if point.metrics]
    found = []
    for point in stored:
        within = {name: point.values[name] for name in keep}
        wanted = {**point.values, **reference, **within}
        before = next((other for other in stored if other.values == wanted), None)
        if before is not None and before is not point:
            found.append(contrast(before, point, within))
    return found


def reference_of(sweep: Sweep) -> dict[str, Any]:
    """The values that the sweep's base has of what is compared: those of the preset, mostly."""
    base = sweep.config({})
    return {name: getattr(base, name) for name in sweep.axes}


def chosen(points: Sequence[Point]) -> Point | None:
    """The point with the best R@1 on validation classes at the last look; test has no say."""
    stored = [point for point in points if point.metrics]
    return max(stored, key=lambda point: point.looks[-1].recall.mean, default=None)


def words(values: Mapping[str, Any]) -> str:
    """Settings in a few words."""
    return ", ".join(
        f"{_WORDS.get(name, name.replace('_', ' '))} {_value(value)}".strip()
        for name, value in values.items()
    )


def _value(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{{{as_text(value)}}}" if isinstance(value, tuple) else as_text(value)


def in_points(change: Estimate) -> str:
    """A difference in points of R@1, with half of its interval."""
    margin = f" ± {100 * change.margin:.1f}" if math.isfinite(change.margin) else ""
    return f"{100 * change.mean:+.1f}{margin}".replace("-", "−")


def with_caveat(found: Contrast) -> str:
    """The difference in points, and what else differs."""
    return in_points(found.change) + (f" ({found.caveat})" if found.caveat else "")


def contrast_table(found: Sequence[Contrast]) -> str:
    """A row for each contrast: what changes, from what, by how much, and the verdict."""
    header = ["changed", "from", "Δ R@1 test, points", "verdict"]
    rows = [[c.name, words(c.before.values), in_points(c.change), c.verdict] for c in found]
    return text_table(header, rows) if rows else NOT_RUN


def conclude(found: Sequence[Contrast], named: bool = True) -> str:
    """What the contrasts say, verdict by verdict, in one line.

    Args:
        found: of :func:`contrasts`.
        named: whether to say what changes, or only where: for contrasts that all change the same.
    """
    groups = {said: [c for c in found if c.verdict == said] for said in VERDICTS}
    places = {said: [(_where(c, named), c.change) for c in group] for said, group in groups.items()}
    told = [f"{said} {_members(group, named)}" for said, group in places.items() if group]
    return "; ".join(told) or NOT_RUN


def _where(found: Contrast, named: bool) -> str:
    place = f"at {words(found.within)}" if found.within else ""
    return f"with {found.name} {place}".strip() if named else place


def _members(group: Sequence[tuple[str, Estimate]], named: bool) -> str:
    if len(group) <= LISTED:
        return ", ".join(f"{where} ({in_points(change)})" for where, change in group)
    low, *_, high = sorted((change for _, change in group), key=lambda change: change.mean)
    count = f"with {len(group)} others" if named else f"in {len(group)}"
    return f"{count} ({in_points(low)} to {in_points(high)})"


def shape(points: Sequence[Point], axis: str) -> tuple[str, list[Contrast]]:
    """How R@1 goes along an axis of numbers: from the smallest to the validation's choice, and on.

    Args:
        points: of one series: they differ in ``axis`` alone.
        axis: the setting.

    Returns:
        One of :data:`VERDICTS`, "has its best between", or "not run" if fewer than two are stored;
        and the contrasts that say so: of the choice over the smallest, of the largest over the
        choice, or, where these say nothing or contradict each other, of the largest over the
        smallest.
    """
    stored = sorted((p for p in points if p.metrics), key=lambda p: p.values[axis])
    if len(stored) < 2:
        return NOT_RUN, []
    low, best, high = stored[0], chosen(stored), stored[-1]
    found = [contrast(*pair) for pair in ((low, best), (best, high)) if pair[0] is not pair[1]]
    said = [each.verdict for each in found]
    if said == [RISES, FALLS]:
        return BETWEEN, found
    clear = {each for each in said if each in (RISES, FALLS)}
    if len(clear) == 1:
        return clear.pop(), found
    ends = contrast(low, high)
    return ends.verdict, [ends]
