"""The paper's claims: the stored runs that test each, the published numbers, the conditions.

A claim says that one setting retrieves better than another. Every difference here goes from the
one to the other, so a positive one speaks for the paper.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from recallkit import plots
from recallkit.config import PRESETS
from recallkit.constants import PAPERS_KS, SIMIX_KS
from recallkit.experiments.results import load_results
from recallkit.experiments.statistics import FALLS, RISES, Comparison, Interval, interval
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.experiments.sweep_tables import (
    Pair,
    compared_runs,
    contrasts,
    past_sweeps,
    settings_of,
    with_values,
)
from recallkit.experiments.sweeps import Setting
from recallkit.findings.gains import trained_on
from recallkit.findings.notes import far_apart
from recallkit.findings.page_tables import NOTHING, in_points, percent, with_source
from recallkit.findings.published import STATUSES, Published, load_published
from recallkit.tables import text_table
from recallkit.words import as_text, in_words, with_short_sets

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIVALS = ("smooth-ap", "contrastive")
"""The losses that the paper compares RS@k with, and that are here."""

PUBLISHED = "published"

PAPERS_RUNS = ("sop-resnet50", "inaturalist-resnet50", "cars196-resnet50")
"""The presets of the paper whose conditions stand beside ours."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes:
        name: of its figure and its table.
        sentence: what the paper claims.
        sweeps: that test it, also past ones, the hardest data first.
        pairs: from the compared settings to pairs, before and after. Each setting has the values
            that the sweep varies, and ``simix``.
        published: the methods whose published numbers are before and after.
        backwards: whether a pair is tested from after to before, as all settings of a sweep are
            compared with one reference. Then p is corrected as elsewhere.
    """

    name: str
    sentence: str
    sweeps: tuple[str, ...]
    pairs: Callable[[Sequence[Setting]], Iterable[Pair]]
    published: tuple[tuple[str, str], ...] = ()
    backwards: bool = True


class Change(NamedTuple):
    """A difference that tests a claim, of stored runs or of published numbers.

    Attributes:
        where: the sweep, or "published".
        trained: what was trained in it, in words; empty for published numbers.
        same: what both sides have: the other compared settings, or data set, network and metric.
        step: what differs, before → after.
        sides: the means before and after with half of their intervals, as shares.
        change: after − before, as a share.
        margin: half of its interval; NaN if there is none.
        verdict: of :class:`.Comparison`; of published numbers, how far they can be trusted.
        seeds: of the two sides; empty for published numbers.
        far_apart: whether a run of a side ended far below the others: the means say little.
    """

    where: str
    trained: str
    same: str
    step: str
    sides: tuple[Interval, Interval]
    change: float
    margin: float
    verdict: str
    seeds: str
    far_apart: bool = False


def _steps(name: str, settings: Sequence[Setting]) -> Iterator[Pair]:
    """Yield each value of a setting and the next larger one, all else equal."""
    for setting in settings:
        beside = [one for one in settings if _differ(setting, one) <= {name}]
        ordered = sorted(beside, key=lambda one: one[name])
        yield from (pair for pair in pairwise(ordered) if pair[0] == setting)


def _towards(aim: Callable[[Setting], Setting], settings: Sequence[Setting]) -> Iterator[Pair]:
    """Yield each setting and the one that the paper takes, if they differ in one value."""
    for setting in settings:
        after = {**setting, **aim(setting)}
        if after in settings and len(_differ(setting, after)) == 1:
            yield setting, after


def _differ(one: Setting, other: Setting) -> set[str]:
    return {name for name in one if one[name] != other[name]}


def _from_rivals(settings: Sequence[Setting]) -> list[Pair]:
    """Return the losses of :data:`RIVALS`, in their order, and RS@k."""
    pairs = [*_towards(lambda _: {"loss": "recall@k"}, settings)]
    return [pair for loss in RIVALS for pair in pairs if pair[0]["loss"] == loss]


def _papers_ks(setting: Setting) -> Setting:
    return {"ks": SIMIX_KS if setting["simix"] else PAPERS_KS}


CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        Claim(
            "batch-size",
            "A larger batch retrieves better.",
            (
                "distorted-batch-size",
                "distorted-lengths",
                "distorted-large",
                "batch-size",
                "emoji-lengths",
                "batch-size-finetuned",
                "finetuned-lengths",
                "finetuned-simix",
                "batch-size-glyphs-4m",
            ),
            partial(_steps, "batch_size"),
            backwards=False,
        ),
        Claim(
            "simix",
            "SiMix retrieves better.",
            (
                "distorted-batch-size",
                "distorted-large",
                "distorted-classes",
                "distorted-per-class",
                "distorted-simix-six",
                "batch-size",
                "emoji-classes",
                "emoji-per-class",
                "finetuned-simix",
                "batch-size-glyphs-1m",
            ),
            partial(_steps, "simix"),
            (("RS@k", "RS@k with SiMix"),),
            backwards=False,
        ),
        Claim(
            "losses",
            "RS@k retrieves better than Smooth-AP and the contrastive loss.",
            ("distorted-losses", "emoji-losses", "finetuned-losses", "losses"),
            _from_rivals,
            (("Smooth-AP", "RS@k"), ("contrastive", "RS@k")),
        ),
        Claim(
            "temperatures",
            "τ₁ = 1 and τ₂ = 0.01 are good temperatures.",
            (
                "distorted-temperatures",
                "emoji-temperatures",
                "finetuned-temperatures",
                "temperatures",
            ),
            partial(_towards, lambda _: {"rank_temperature": 0.01, "k_temperature": 1.0}),
        ),
        Claim(
            "ks",
            "K = {1, 2, 4, 8, 16}, and up to 32 with SiMix, are good cut-offs.",
            ("distorted-ks", "distorted-simix-six", "emoji-ks", "finetuned-simix", "ks"),
            partial(_towards, _papers_ks),
        ),
    )
}
"""Name → claim."""


def changes_here(claim: Claim, runs: pd.DataFrame) -> list[Change]:
    """Return the differences between stored runs that test a claim.

    Args:
        claim: of :data:`CLAIMS`.
        runs: of :func:`.load_results`.

    Returns:
        In the order of its sweeps. Runs that two of these share count once.
    """
    found: dict[frozenset[str], Change] = {}
    for name, axes, finals in _stored(claim, runs):
        known = [*dict.fromkeys([*axes, "simix"])]
        settings = settings_of(known, finals.drop_duplicates(known))
        pairs: list[Pair] = [
            ({n: before[n] for n in axes}, {n: after[n] for n in axes})
            for before, after in claim.pairs(settings)
        ]
        tested = _tested(claim, name, pairs, runs)
        for pair, comparison in zip(pairs, tested, strict=True):
            sides = [with_values(finals, side) for side in pair]
            keys = frozenset(key for side in sides for key in side["key"])
            found.setdefault(keys, _change_here(name, pair, sides, comparison))
    return [*found.values()]


def _stored(claim: Claim, runs: pd.DataFrame) -> Iterator[tuple[str, list[str], pd.DataFrame]]:
    """Yield the sweeps of a claim, with the settings they vary and their final runs.

    As on other pages, a sweep is left out as long as one of these settings has a single value.
    """
    known = {*SWEEPS, *past_sweeps(runs)}
    for name in filter(known.__contains__, claim.sweeps):
        axes, finals = compared_runs(name, runs)
        if all(finals[axis].nunique(dropna=False) > 1 for axis in axes):
            yield name, axes, finals


def _tested(
    claim: Claim, sweep: str, pairs: Sequence[Pair], runs: pd.DataFrame
) -> list[Comparison]:
    """Compare pairs with one correction, from before to after."""
    if not pairs or not claim.backwards:
        return contrasts(sweep, pairs, runs) if pairs else []
    turned = {RISES: FALLS, FALLS: RISES}
    backwards: list[Pair] = [(after, before) for before, after in pairs]
    return [
        change._replace(change=-change.change, verdict=turned.get(change.verdict, change.verdict))
        for change in contrasts(sweep, backwards, runs)
    ]


def _change_here(
    sweep: str, pair: Pair, sides: Sequence[pd.DataFrame], tested: Comparison
) -> Change:
    before, after = pair
    differ = _differ(before, after)
    kept = {name: value for name, value in before.items() if name not in differ}
    same = _words(kept) if len(before) > 1 else ""
    step = " → ".join(_words({n: side[n] for n in before if n in differ}) for side in pair)
    means = interval(sides[0]["R@1"]), interval(sides[1]["R@1"])
    seeds = " and ".join(dict.fromkeys(str(len(side)) for side in sides))
    trained = trained_on(sides[0].iloc[0])
    apart = any(far_apart([*side["R@1"]]) for side in sides)
    return Change(sweep, trained, same, step, means, *tested[:2], tested.verdict, seeds, apart)


def _words(setting: Setting) -> str:
    """Name a setting in a few words: SiMix without a variant is not said, long sets are cut."""
    whole = ("simix_variant", "none")
    return with_short_sets(in_words(dict(pair for pair in setting.items() if pair != whole)))


def changes_published(claim: Claim) -> list[Change]:
    """Return the differences between published numbers that belong to a claim.

    Both methods must have a number of the same metric, data set and network.
    """
    rows = load_published()
    return [
        _change_published(before, after)
        for pair in claim.published
        for before in rows
        for after in rows
        if (before.method, after.method) == pair
        and (before.dataset, before.network) == (after.dataset, after.network)
    ]


def _change_published(before: Published, after: Published) -> Change:
    metric = next(name for name in before.metrics if name in after.metrics)
    sides = [Interval(row.metrics[metric] / 100, math.nan) for row in (before, after)]
    words = [before.dataset, before.network, *([metric] if metric != "R@1" else [])]
    status = max((before.status, after.status), key=STATUSES.index)  # the less certain one
    return Change(
        PUBLISHED,
        "",
        ", ".join(words),
        f"{before.method} → {after.method}",
        (sides[0], sides[1]),
        sides[1].mean - sides[0].mean,
        math.nan,
        status,
        "",
    )


def draw_claim(name: str, runs: pd.DataFrame) -> "Figure":
    """Draw all differences of a claim on one axis: ours with intervals, published ones without.

    A difference with a run far below the others is left to the table: its interval would be all
    that one sees.

    Args:
        name: of :data:`CLAIMS`.
        runs: of :func:`.load_results`.
    """
    claim = CLAIMS[name]
    rows = [
        plots.Difference(
            f"{change.trained} ({change.where})" if change.trained else change.where,
            ": ".join(filter(None, [change.same, change.step])),
            change.change,
            change.margin,
            change.verdict,
        )
        for change in [*changes_here(claim, runs), *changes_published(claim)]
        if not change.far_apart
    ]
    return plots.plot_differences(rows, title=claim.sentence)[0]


def claim_table(name: str, results: Path) -> str:
    """Tabulate the differences of a claim, stored and published.

    Args:
        name: of :data:`CLAIMS`.
        results: a folder of results.
    """
    here = changes_here(CLAIMS[name], load_results(results))
    if not here:
        return NOTHING
    header = "sweep|the same|before → after|R@1, %|Δ R@1|verdict|seeds"
    rows = [_row(change) for change in [*here, *changes_published(CLAIMS[name])]]
    return with_source(
        text_table(header.split("|"), rows),
        "Mean ± 95 % interval over seeds on test classes; differences in points of R@1, with the "
        "interval of each alone; verdicts by Welch’s tests with Holm’s correction over the "
        "comparisons of a sweep and those shown. From `data/results/ablations`; published numbers "
        "from `data/paper`.",
    )


def _row(change: Change) -> list[str]:
    before, after = (percent(*side) for side in change.sides)
    where = f"`{change.where}`" if change.trained else change.where
    moved = in_points(change.change, change.margin)
    verdict = f"{change.verdict} (a run failed)" if change.far_apart else change.verdict
    cells = [change.same, change.step, f"{before} → {after}", moved, verdict]
    return [where, *cells, change.seeds]


def conditions(results: Path) -> str:
    """Tabulate under which conditions the paper and the sweeps of the claims were run.

    Args:
        results: a folder of results.
    """
    runs = load_results(results)
    rows = {
        name: _conditions_here(name, finals)
        for claim in CLAIMS.values()
        for name, _, finals in _stored(claim, runs)
    }
    if not rows:
        return NOTHING
    header = "run|trained|network|pixels|training classes|batch|images|SiMix|seeds"
    return with_source(
        text_table(header.split("|"), [*map(_papers_conditions, PAPERS_RUNS), *rows.values()]),
        "The paper’s conditions are those of its presets, which were not run here. Sweeps: from "
        "`data/results/ablations`.",
    )


def _papers_conditions(preset: str) -> list[str]:
    config = PRESETS[preset]
    size, batch = str(config.image_size), as_text(config.batch_size)
    cells = [config.network, size, "", batch, f"{config.epochs} epochs", "off, on", ""]
    return [f"paper, `{preset}`", f"{config.dataset}, pretrained", *cells]


def _conditions_here(sweep: str, finals: pd.DataFrame) -> list[str]:
    seen = finals["images"].where(finals["images"] > 0, finals["images_seen"])
    counted = [finals["image_size"], finals["training classes"], finals["batch_size"], seen]
    cells = [*map(_values, counted), _values(finals["simix"]), str(finals["seed"].nunique())]
    network = finals["network"].iloc[0].rpartition("/")[2]
    return [f"`{sweep}`", trained_on(finals.iloc[0]), network, *cells]


def _values(column: pd.Series) -> str:
    """Return the different values of a column in words, in their order."""
    values: list[Any] = sorted(column.dropna().unique().tolist())
    return ", ".join(as_text(int(v) if isinstance(v, float) else v) for v in values)
