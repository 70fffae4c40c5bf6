"""Presets worth training, and the sweep on whose validation classes each was chosen."""

from collections.abc import Mapping, Sequence

from recallkit.experiments.contrasts import chosen, in_points, reference_of, verdict, words
from recallkit.experiments.findings import Collected
from recallkit.experiments.points import Point, percent_of
from recallkit.experiments.summary import Estimate, difference
from recallkit.experiments.sweeps import SWEEPS
from recallkit.tables import text_table

RECIPES: Mapping[str, str] = {
    "emoji": "two-minutes",
    "emoji-finetuned": "two-minutes-finetuned",
    "emoji-frozen": "batch-size-frozen",
    "glyphs-short": "batch-size-glyphs",
    "glyphs": "batch-size-glyphs-4m",
}
"""Preset → the sweep that compares it with rivals of the same length, all rates tuned."""


def recipe_points(preset: str, found: Collected) -> tuple[Point | None, Point | None]:
    """The point that has the preset's settings, and the one that validation classes choose."""
    sweep = SWEEPS[RECIPES[preset]]
    points = found[sweep.name]
    wanted, rate = reference_of(sweep), sweep.config({}).learning_rate
    own = (p for p in points if p.metrics and p.values == wanted)
    return next((p for p in own if p.tuned["learning_rate"] == rate), None), chosen(points)


def recipe_table(found: Collected) -> str:
    """A row for each recipe: what it was compared with, R@1 on validation and on test classes."""
    header = ["preset", "batch", "rate", "compared with", "R@1 validation, %", "of the best there"]
    header += ["R@1 test, %", "a run", "on"]
    rows = [_row(preset, found) for preset in RECIPES]
    return text_table(header, [row for row in rows if row])


def _row(preset: str, found: Collected) -> list[str]:
    own, best = recipe_points(preset, found)
    if own is None or best is None:
        return []
    sweep = SWEEPS[RECIPES[preset]]
    config = sweep.config({})
    others = [p for p in found[sweep.name] if p.metrics and p is not own]
    return [
        f"`{preset}`",
        f"{config.batch_size:,}",
        f"{own.tuned['learning_rate']:g}",
        _rivals(others, own),
        percent_of(on_validation(own)),
        "itself" if best is own else _best(own, best),
        percent_of(own.metrics["R@1"]),
        _time(own),
        " and ".join(sorted(own.devices)),
    ]


def on_validation(point: Point) -> Estimate:
    """R@1 on validation classes at the last look, over seeds."""
    return point.looks[-1].recall


def _rivals(others: Sequence[Point], own: Point) -> str:
    """Batch sizes, and whether SiMix varied, in a few words."""
    sizes = sorted({p.values["batch_size"] for p in others} - {own.values["batch_size"]})
    mixed = ["SiMix on"] if any(p.values.get("simix") for p in others) else []
    return ", ".join([*(f"{size:,}" for size in sizes), *mixed])


def _best(own: Point, best: Point) -> str:
    change = difference(on_validation(own), on_validation(best))
    changed = {k: v for k, v in best.values.items() if v != own.values[k]}
    return f"{words(changed)}: {in_points(change)}, {verdict(change)}"


def _time(point: Point) -> str:
    last = point.looks[-1]
    if last.processor_seconds is not None:
        return f"{last.processor_seconds:.0f} s of one thread"
    return f"{last.seconds:.0f} s" + (", card shared" if last.shared else "")
