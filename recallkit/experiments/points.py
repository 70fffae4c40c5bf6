"""From the stored runs of a sweep to the points of its plots, and to the rows of their tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recallkit.experiments.plan import Result, Stored, Tuning, final_runs, tune
from recallkit.experiments.summary import Estimate, estimate, over_seeds
from recallkit.experiments.sweeps import Sweep
from recallkit.tables import text_table

FLAT = 0.005  # R@1: what the last look may lie above the one before, 3 of 660 validation images


NAMED = 8  # settings that a remark lists; of more it gives the number


Row = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """Where the runs of one setting stood at one look at the validation classes.

    Attributes:
        images: seen.
        updates: done.
        seconds: of training, the mean over seeds.
        recall: R@1 on validation classes, over seeds.
        processor_seconds: time of the processor, all threads together, the mean over seeds: what
            other programs on the machine hardly change. None where a run has not noted it, or had
            another device than a CPU.
        devices: names of those that the runs were made on.
        shared: whether a card had several runs at a time, so that their seconds say little.
    """

    images: int
    updates: int
    seconds: float
    recall: Estimate
    processor_seconds: float | None = None
    devices: frozenset[str] = frozenset()
    shared: bool = False


@dataclass(frozen=True)
class Point:
    """One compared setting, as far as its runs are stored.

    Attributes:
        values: of the settings that vary between those compared.
        tuned: setting → its best candidate; empty while it is not tuned.
        edges: what is best at its outermost candidate, even after the steps beyond.
        metrics: on test classes after the last epoch, over seeds; empty where not run.
        looks: on validation classes, in their order.
        diverged: final runs that came to no end.
        tried: R@1 on validation classes at the last look of each run that tuned, by the values of
            what is tuned; without those that diverged.
    """

    values: Mapping[str, Any]
    tuned: Mapping[str, Any]
    edges: tuple[str, ...]
    metrics: Mapping[str, Estimate]
    looks: tuple[Look, ...]
    diverged: int
    tried: Mapping[tuple[Any, ...], float] = field(default_factory=dict)

    @property
    def devices(self) -> frozenset[str]:
        """Names of those that its final runs were made on."""
        return frozenset().union(*(look.devices for look in self.looks))

    @property
    def rise(self) -> float | None:
        """How far R@1 on validation classes rose between the last two looks; None if unknown."""
        if len(self.looks) < 2:
            return None
        before, last = self.looks[-2:]
        return last.recall.mean - before.recall.mean

    @property
    def flat(self) -> bool | None:
        """Whether it rose by no more than half a point; None if unknown."""
        return None if self.rise is None else self.rise <= FLAT

    @property
    def status(self) -> str:
        """What is stored, in words."""
        if not self.metrics:
            return "diverged" if self.diverged else "not run"
        count = self.metrics["R@1"].count
        words = f"{count} seeds" if count > 1 else "one seed"
        return f"{words}, {self.diverged} diverged" if self.diverged else words


def collect(sweep: Sweep, stored: Stored) -> list[Point]:
    """A point for each compared setting, in their order; nothing is trained."""
    return [_point(sweep, tune(sweep, setting, stored), stored) for setting in sweep.compared]


def _point(sweep: Sweep, tuning: Tuning, stored: Stored) -> Point:
    config = sweep.config(tuning.setting)
    values = {name: getattr(config, name) for name in sweep.axes}
    tried = _tried(sweep, tuning, stored)
    if tuning.due:
        return Point(values, {}, (), {}, (), 0, tried)
    wanted = [run.config for run in final_runs([tuning], sweep.seeds)]
    results = [stored.final[config] for config in wanted if config in stored.final]
    return Point(
        values,
        {name: getattr(tuning.config, name) for name in sweep.tuned},
        tuning.edges,
        over_seeds(results, "trained") if results else {},
        _looks(results),
        len(sweep.seeds) if tuning.failed else sum(c in stored.diverged for c in wanted),
        tried,
    )


def _tried(sweep: Sweep, tuning: Tuning, stored: Stored) -> dict[tuple[Any, ...], float]:
    return {
        tuple(getattr(run.config, name) for name in sweep.tuned): stored.score(run.config)
        for run in sorted(tuning.done, key=lambda run: [vars(run.config)[n] for n in sweep.tuned])
        if run.config not in stored.diverged
    }


def _looks(results: Sequence[Result]) -> tuple[Look, ...]:
    histories = [result["validation"] for result in results]
    on_cpu = all(result.get("device_type", "cpu") == "cpu" for result in results)
    about = {
        "devices": frozenset(result["device"] for result in results if "device" in result),
        "shared": not on_cpu and any(result.get("side_by_side", 1) > 1 for result in results),
    }
    return tuple(_look(lines, on_cpu, about) for lines in zip(*histories, strict=True))


def _look(lines: Sequence[Mapping[str, Any]], on_cpu: bool, about: Mapping[str, Any]) -> Look:
    noted = on_cpu and all("processor_seconds" in line for line in lines)
    return Look(
        lines[0]["images"],
        lines[0]["step"],
        _mean(lines, "seconds"),
        estimate([line["R@1"] for line in lines]),
        _mean(lines, "processor_seconds") if noted else None,
        **about,
    )


def _mean(lines: Sequence[Mapping[str, Any]], name: str) -> float:
    return sum(line[name] for line in lines) / len(lines)


def at_updates(point: Point, updates: int) -> float | None:
    """R@1 on validation classes after so many updates, on a straight line between two looks.

    Returns:
        The mean over seeds; None before the first look and after the last.
    """
    for before, after in zip(point.looks, point.looks[1:], strict=False):
        if before.updates <= updates <= after.updates:
            share = (updates - before.updates) / (after.updates - before.updates)
            return before.recall.mean + share * (after.recall.mean - before.recall.mean)
    return None


def result_rows(points: Sequence[Point]) -> list[Row]:
    """A row a setting: what it is, what was tuned, metrics on test classes, costs, flatness."""
    return [_result_row(point) for point in points]


def _result_row(point: Point) -> Row:
    last = point.looks[-1] if point.looks else None
    row: Row = {name: as_text(value) for name, value in point.values.items()}
    row |= {f"tuned {name}": value for name, value in point.tuned.items()}
    row |= {"status": point.status, "at edge": " ".join(point.edges)}
    for name in ("R@1", "mAP@R"):
        row |= _interval(f"test {name}", point.metrics.get(name))
    row |= _interval("validation R@1", last.recall if last else None)
    row |= {"rise at last look": _digits(point.rise), "flat": point.flat}
    for name in ("images", "updates", "seconds", "processor_seconds"):
        row[name.replace("_", " ")] = _digits(getattr(last, name)) if last else None
    return row | {"device": ", ".join(sorted(last.devices)) if last else None}


def look_rows(points: Sequence[Point]) -> list[Row]:
    """A row for each look at the validation classes of each setting: the three views of cost."""
    return [
        {name: as_text(value) for name, value in point.values.items()}
        | {"images": look.images, "updates": look.updates, "seconds": _digits(look.seconds)}
        | {"processor seconds": _digits(look.processor_seconds)}
        | _interval("validation R@1", look.recall)
        | {"seeds": look.recall.count}
        for point in points
        for look in point.looks
    ]


def _interval(name: str, value: Estimate | None) -> Row:
    known = value is not None and value.count > 1
    return {
        name: _digits(value.mean) if value else None,
        f"{name} ± 95 %": _digits(value.margin) if known else None,
    }


def _digits(value: float | None) -> float | None:
    return value if value is None or not math.isfinite(value) else round(value, 6)


def as_text(value: Any) -> str:
    """The value of a setting as a label."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(map(as_text, value))
    return str(value)


def tried_rows(sweep: Sweep, points: Sequence[Point]) -> list[Row]:
    """A row for each run that tuned: what was tried, and R@1 on validation classes."""
    return [
        {name: as_text(value) for name, value in point.values.items()}
        | {f"tried {name}": value for name, value in zip(sweep.tuned, values, strict=True)}
        | {"validation R@1": _digits(recall)}
        for point in points
        for values, recall in point.tried.items()
    ]


def points_table(points: Sequence[Point]) -> str:
    """Each setting with its rate, R@1 on test classes and interval, as a Markdown table."""
    header = ["setting", "tuned to", "R@1 test, %", "mAP@R test, %", "runs"]
    return text_table(header, [_table_row(point) for point in points])


def _table_row(point: Point) -> list[str]:
    tuned = ", ".join(f"{value:g}" for value in point.tuned.values())
    metrics = [percent_of(point.metrics.get(name)) for name in ("R@1", "mAP@R")]
    return [label(point), tuned, *metrics, point.status]


def percent_of(value: Estimate | None) -> str:
    """Mean and half of the 95 % interval, in percent; nothing of nothing."""
    if value is None:
        return ""
    margin = f" ± {100 * value.margin:.1f}" if value.count > 1 else ""
    return f"{100 * value.mean:.1f}{margin}"


def remarks(points: Sequence[Point]) -> list[str]:
    """What a reader of the plot must know: curves not flat, rates at the edge, seeds that lack."""
    notes = {
        f"still rising (by more than {100 * FLAT:g} points at the last look)": [
            p for p in points if p.flat is False
        ],
        "no interval (one seed)": [p for p in points if p.metrics and p.metrics["R@1"].count == 1],
        "best rate at the edge": [p for p in points if p.edges],
        "diverged": [p for p in points if p.diverged],
        "not run": [p for p in points if not p.metrics and not p.diverged],
    }
    said = [f"{said}: {_named(which, len(points))}" for said, which in notes.items() if which]
    if why := incomparable_seconds(points):
        said.append(f"seconds are not compared: {why}")
    return said


def incomparable_seconds(points: Sequence[Point]) -> str:
    """Why the seconds of the runs cannot be compared; nothing if they can."""
    looks = [look for point in points for look in point.looks]
    devices = sorted(frozenset().union(*(point.devices for point in points)))
    if len(devices) > 1:
        return f"runs were made on {' and '.join(devices)}"
    return "several runs shared the card" if any(look.shared for look in looks) else ""


def _named(which: Sequence[Point], of: int) -> str:
    if len(which) == of > 1:
        return "all"
    return f"{len(which)} of {of}" if len(which) > NAMED else "; ".join(map(label, which))


def label(point: Point) -> str:
    """A point's own settings, in a few words."""
    if len(point.values) == 1:
        return as_text(*point.values.values())
    words = (f"{name} {as_text(value)}" for name, value in point.values.items())
    return ", ".join(words) or "preset"
