"""What a practitioner should do, as far as stored sweeps tell: sentences made from their numbers.

Each begins with an advice that the verdicts of :mod:`.contrasts` choose from a few, and goes on
with the differences it stands on, in points of R@1 on test classes with half of the 95 % interval.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from recallkit.experiments.contrasts import (
    BETWEEN,
    FALLS,
    LISTED,
    NOT_RUN,
    ONE_SEED,
    RISES,
    UNSEEN,
    Contrast,
    chosen,
    conclude,
    contrast,
    contrasts,
    in_points,
    reference_of,
    shape,
    with_caveat,
    words,
)
from recallkit.experiments.lengths import (
    Family,
    Lengths,
    Series,
    grows,
    length_contrasts,
    say_lengths,
)
from recallkit.experiments.plan import Stored
from recallkit.experiments.points import Point, collect, percent_of
from recallkit.experiments.sweeps import SWEEPS, Sweep
from recallkit.tables import text_table

Collected = Mapping[str, Sequence[Point]]


def collect_all(stored: Stored, sweeps: Mapping[str, Sweep] = SWEEPS) -> dict[str, list[Point]]:
    """The points of every sweep, by its name."""
    return {name: collect(sweep, stored) for name, sweep in sweeps.items()}


def batch_sweeps(names: Iterable[str] = SWEEPS) -> list[Sweep]:
    """Those of the named sweeps that compare batch sizes, whatever they are trained on."""
    sweeps = [SWEEPS[name] for name in names]
    return [sweep for sweep in sweeps if sweep.axes[:1] == ("batch_size",)]


def on_what(sweep: Sweep) -> str:
    """What a sweep is trained on, in a few words: its preset, and how long if that differs."""
    images = sweep.base.get("images")
    return f"`{sweep.preset}`" + ("" if images is None else f" ({images:,} images)")


def by_simix(sweep: Sweep, points: Sequence[Point]) -> dict[str, list[Point]]:
    """Points apart by SiMix, without it first; where it does not vary, those there are."""
    base = sweep.config({}).simix
    groups = {
        name: [point for point in points if point.values.get("simix", base) is on]
        for name, on in (("SiMix off", False), ("SiMix on", True))
    }
    varies = "simix" in sweep.axes
    return {name: group for name, group in groups.items() if group or varies}


def batch_series(found: Collected) -> list[Series]:
    """All sweeps over batch sizes, with and without SiMix."""
    return [
        (sweep, name, members)
        for sweep in batch_sweeps(found)
        for name, members in by_simix(sweep, found[sweep.name]).items()
    ]


def batch_shapes(found: Collected) -> dict[tuple[str, str], tuple[str, list[Contrast]]]:
    """How R@1 goes from the smallest batch to the largest: (trained on, SiMix) → shape."""
    return {
        (on_what(sweep), name): shape(members, "batch_size")
        for sweep, name, members in batch_series(found)
    }


def batch_lengths(found: Collected) -> dict[Family, Lengths]:
    """A larger batch over a smaller one, by the length of training; see :mod:`.lengths`."""
    return length_contrasts(batch_series(found))


def batch_table(found: Collected) -> str:
    """R@1 on test classes by batch size, a row for each series of a stored sweep, as Markdown."""
    series = [
        (sweep, name, members)
        for sweep, name, members in batch_series(found)
        if any(point.metrics for point in members)
    ]
    if not series:
        return NOT_RUN
    sizes = sorted({point.values["batch_size"] for *_, members in series for point in members})
    rows = [
        [
            f"`{sweep.preset}`",
            f"{sweep.config({}).images:,}",
            name.removeprefix("SiMix "),
            *_by_size(members, sizes),
            shape(members, "batch_size")[0],
        ]
        for sweep, name, members in series
    ]
    header = ["R@1, %", "images seen", "SiMix", *(f"{size:,}" for size in sizes)]
    return text_table([*header, "with the batch, R@1"], rows)


def _by_size(points: Sequence[Point], sizes: Sequence[int]) -> list[str]:
    cells = {
        point.values["batch_size"]: percent_of(point.metrics["R@1"]) if point.metrics else NOT_RUN
        for point in points
    }
    return [cells.get(size, "") for size in sizes]


def simix_contrasts(points: Sequence[Point]) -> list[Contrast]:
    """SiMix on against off, at each batch size, the smallest first."""
    found = contrasts(points, {"simix": False}, keep=("batch_size",))
    return sorted(found, key=lambda each: each.after.values["batch_size"])


def simix_by_data(found: Collected) -> dict[str, list[Contrast]]:
    """:func:`simix_contrasts` of each sweep that has them to compare, by what it is trained on."""
    return {
        on_what(sweep): simix_contrasts(found[sweep.name])
        for sweep in batch_sweeps(found)
        if "simix" in sweep.axes
    }


def preset_contrasts(sweep: Sweep, points: Sequence[Point]) -> list[Contrast]:
    """Each setting of a sweep against the preset's, with SiMix as it is in that setting."""
    keep = tuple(name for name in sweep.axes if name == "simix")
    return contrasts(points, reference_of(sweep), keep)


def batch_size(found: Collected) -> str:
    """Whether to train with large batches."""
    shapes, lengths = batch_shapes(found), batch_lengths(found)
    verdicts = [said for said, _ in shapes.values() if said != NOT_RUN]
    advice = _advice(
        verdicts,
        {
            RISES: "Train with a large batch.",
            FALLS: "Train with a small batch.",
            BETWEEN: "Train with a batch between the smallest and the largest.",
            UNSEEN: "Choose the batch by time and memory: no difference was seen.",
        },
        _mixed_advice(verdicts, lengths),
    )
    clauses = [
        f"{on_what}, {simix}: {said}{_how(found)}"
        for (on_what, simix), (said, found) in shapes.items()
    ]
    if len(verdicts) > LISTED:
        clauses = [_counted(verdicts), *(c for c in clauses if c.endswith(f": {NOT_RUN}"))]
    clauses += [say_lengths(*family) for family in lengths.items()]
    return _sentence("Batch size", advice, clauses)


def _mixed_advice(verdicts: Sequence[str], lengths: Mapping[Family, Lengths]) -> str:
    if not any(map(grows, lengths.values())):
        return "Try several batch sizes: what the best is depends on what is trained, and how."
    if BETWEEN in verdicts:
        between = "between the smallest and the largest"
        return f"Begin with a batch {between}; the longer you train, the larger."
    return "The longer you train, the larger the batch."


def _counted(verdicts: Sequence[str]) -> str:
    known = [said for said in (RISES, BETWEEN, FALLS, UNSEEN, ONE_SEED) if said in verdicts]
    phrases = {UNSEEN: "shows no difference", ONE_SEED: "has one seed"}
    counts = [f"{phrases.get(said, said)} in {verdicts.count(said)}" for said in known]
    return (
        f"Of {len(verdicts)} comparisons at equal images and tuned rates, R@1 {', '.join(counts)}"
    )


def _how(found: Sequence[Contrast]) -> str:
    steps = [
        f"{c.before.values['batch_size']:,} → {c.after.values['batch_size']:,}: {with_caveat(c)}"
        for c in found
    ]
    return f" ({', '.join(steps)})" if steps else ""


def simix(found: Collected) -> str:
    """Whether to mix."""
    by_data = simix_by_data(found)
    advice = _advice(
        [each.verdict for members in by_data.values() for each in members],
        {
            RISES: "Switch SiMix on.",
            FALLS: "Leave SiMix off.",
            UNSEEN: "SiMix may be on or off: no difference was seen.",
        },
        "Try SiMix on and off: whether it helps depends on the batch and on what is trained.",
    )
    clauses = [f"{data}: {conclude(members, named=False)}" for data, members in by_data.items()]
    return _sentence("SiMix", advice, clauses)


def loss(found: Collected) -> str:
    """Whether RS@k is the loss to take."""
    return _kept(found, "Loss", "RS@k", ("losses",))


def knobs(found: Collected) -> str:
    """Whether to keep the paper's temperatures and cut-offs."""
    of = "the paper's temperatures and cut-offs"
    return _kept(found, "Temperatures and cut-offs", of, ("temperatures", "ks"))


def batch_makeup(found: Collected) -> str:
    """Whether the definition of the loss and the images of a class matter."""
    of = "the benchmark's definition and four images of a class"
    return _kept(found, "Definition and images of a class", of, ("definition", "per-class"))


def _kept(found: Collected, title: str, of: str, names: Sequence[str]) -> str:
    """Whether to keep the preset's, or to take what validation classes choose."""
    known = {name: found.get(name, ()) for name in names}
    advice = _advice(
        [said for name, points in known.items() for said in _choice_verdict(SWEEPS[name], points)],
        {
            RISES: f"Do not keep {of}: what validation classes chose retrieved better.",
            UNSEEN: f"Keep {of}: nothing that validation classes chose retrieved better.",
        },
        f"Keep {of} in part: one choice of validation classes retrieved better, one did not.",
    )
    clauses = [
        f"{on_what(SWEEPS[name])}, {name}: {against_preset(SWEEPS[name], points)}"
        for name, points in known.items()
    ]
    return _sentence(title, advice, clauses)


def _choice_verdict(sweep: Sweep, points: Sequence[Point]) -> list[str]:
    """What the choice is against the preset's, worse as no better; nothing if it was not run."""
    if not _is_compared(sweep, points):
        return []
    said = [each.verdict for each in choice(sweep, points)] or [UNSEEN]
    return [UNSEEN if each == FALLS else each for each in said]


def choice(sweep: Sweep, points: Sequence[Point]) -> list[Contrast]:
    """What validation classes choose against the preset's; nothing if that is what they choose."""
    reference = _preset_point(sweep, points)
    best = chosen(points)
    if reference is None or best is reference:
        return []
    return [contrast(reference, best)]


def _preset_point(sweep: Sweep, points: Sequence[Point]) -> Point | None:
    wanted = reference_of(sweep)
    return next((p for p in points if p.metrics and p.values == wanted), None)


def _is_compared(sweep: Sweep, points: Sequence[Point]) -> bool:
    """Whether the preset's setting and another are stored."""
    return _preset_point(sweep, points) is not None and bool(preset_contrasts(sweep, points))


def against_preset(sweep: Sweep, points: Sequence[Point]) -> str:
    """What validation classes choose, and how all settings compare with the preset's, in words."""
    if not _is_compared(sweep, points):
        return NOT_RUN
    best = choice(sweep, points)
    first = (
        f"best on validation classes is {best[0].name} ({in_points(best[0].change)} over the "
        f"preset's, {best[0].verdict})"
        if best
        else f"best on validation classes is the preset's, {words(reference_of(sweep))}"
    )
    lacking = sum(not point.metrics for point in points)
    rest = f"; {lacking} of {len(points)} settings not run" if lacking else ""
    return f"{first}; R@1: {conclude(preset_contrasts(sweep, points))}{rest}"


def _advice(verdicts: Iterable[str], advices: Mapping[str, str], mixed: str) -> str:
    """The advice of the one verdict that there is, or that for several; those not run are none."""
    said = {verdict for verdict in verdicts if verdict != NOT_RUN}
    if not said:
        return "Not run."
    if ONE_SEED in said:
        return "No advice from one seed."
    return advices[said.pop()] if len(said) == 1 else mixed


def _sentence(title: str, advice: str, clauses: Sequence[str]) -> str:
    if advice == "Not run.":
        return f"**{title}**: not run."
    told = [clause for clause in clauses if not clause.endswith(f": {NOT_RUN}")]
    lacking = [clause.removesuffix(f": {NOT_RUN}") for clause in clauses if clause not in told]
    rest = f" Not run: {'; '.join(lacking)}." if lacking else ""
    return f"**{title}. {advice}** {'. '.join(told)}.{rest}"


FINDINGS: tuple[Callable[[Collected], str], ...] = (batch_size, simix, loss, knobs, batch_makeup)


def findings(stored: Stored) -> list[str]:
    """The five sentences."""
    found = collect_all(stored)
    return [finding(found) for finding in FINDINGS]
