"""The paper's claims beside what stored sweeps found, and under which conditions either holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from recallkit.config import PRESETS, Config
from recallkit.data import load
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.experiments.contrasts import (
    BETWEEN,
    NOT_RUN,
    ONE_SEED,
    RISES,
    UNSEEN,
    Contrast,
    conclude,
    contrast,
    in_points,
    with_caveat,
)
from recallkit.experiments.findings import (
    Collected,
    batch_shapes,
    batch_sweeps,
    choice,
    collect_all,
    on_what,
    simix_by_data,
)
from recallkit.experiments.plan import Stored
from recallkit.experiments.points import Point
from recallkit.experiments.published import Published, as_printed, load_published
from recallkit.experiments.sweeps import SWEEPS, Sweep
from recallkit.tables import text_table

PAPERS = "sop-resnet50"  # the preset with the paper's settings for its largest usual benchmark


UNTESTED = "untested"


_LINE = "<br>"  # between lines of a cell, in Markdown


@dataclass(frozen=True)
class Claim:
    """Something that the paper says, or does as if it were so.

    Attributes:
        text: in a few words.
        published: of this method over that one: (data set, network, lesser method, better method);
            none where no number was found in a text.
        tested: from stored points to what was found, and its verdicts.
    """

    text: str
    published: tuple[tuple[str, str, str, str], ...]
    tested: Callable[[Collected], tuple[str, list[str]]]


def _batch(found: Collected) -> tuple[str, list[str]]:
    shapes = {key: shape for key, shape in batch_shapes(found).items() if shape[0] != NOT_RUN}
    clauses = [f"{', '.join(key)}: {said} {_sizes(steps)}" for key, (said, steps) in shapes.items()]
    return _LINE.join(clauses), [said for said, _ in shapes.values()]


def _sizes(steps: Sequence[Contrast]) -> str:
    sizes = [f"{step.before.values['batch_size']:,} →" for step in steps]
    last = f"{steps[-1].after.values['batch_size']:,}"
    return f"({' '.join([*sizes, last])}: {', '.join(map(with_caveat, steps))})"


def _simix(found: Collected) -> tuple[str, list[str]]:
    by_data = simix_by_data(found)
    clauses = [
        f"{data}: {conclude(members, named=False)}" for data, members in by_data.items() if members
    ]
    verdicts = [each.verdict for members in by_data.values() for each in members]
    return _LINE.join(clauses), verdicts


def _over(peer: str) -> Callable[[Collected], tuple[str, list[str]]]:
    def tested(found: Collected) -> tuple[str, list[str]]:
        points = {p.values["loss"]: p for p in found.get("losses", ()) if p.metrics}
        if not {peer, "recall@k"} <= points.keys():
            return "", []
        step = contrast(points[peer], points["recall@k"])
        said = f"{on_what(SWEEPS['losses'])}: {in_points(step.change)}, {step.verdict}"
        return said, [step.verdict]

    return tested


def _chosen(name: str) -> Callable[[Collected], tuple[str, list[str]]]:
    """Whether nothing that validation classes choose beats the paper's; if so, it "rises"."""

    def tested(found: Collected) -> tuple[str, list[str]]:
        points = found.get(name, ())
        if sum(bool(point.metrics) for point in points) < 2:
            return "", []
        better = choice(SWEEPS[name], points)
        said = [f"{c.name}: {in_points(c.change)}, {c.verdict}" for c in better]
        words = f"best on validation classes: {said[0] if said else 'the same'}"
        verdicts = [each.verdict for each in better]
        return f"{on_what(SWEEPS[name])}, {words}", [UNSEEN if RISES in verdicts else RISES]

    return tested


CLAIMS = (
    Claim("a larger batch retrieves better", (), _batch),
    Claim(
        "SiMix retrieves better",
        (("Cars196", "ResNet-50", "RS@k", "RS@k with SiMix"),),
        _simix,
    ),
    Claim(
        "RS@k retrieves better than Smooth-AP",
        (
            ("SOP", "ResNet-50", "Smooth-AP", "RS@k"),
            ("iNaturalist", "ResNet-50", "Smooth-AP", "RS@k"),
        ),
        _over("smooth-ap"),
    ),
    Claim(
        "RS@k retrieves better than the contrastive loss",
        (("ROxford", "GeM", "contrastive", "RS@k"), ("RParis", "GeM", "contrastive", "RS@k")),
        _over("contrastive"),
    ),
    Claim("τ₁ = 1, τ₂ = 0.01 are good temperatures", (), _chosen("temperatures")),
    Claim("K = {1, 2, 4, 8, 16} are good cut-offs", (), _chosen("ks")),
)


def claims_table(found: Collected) -> str:
    """A row for each claim: the published numbers, what was found here, and whether they agree."""
    header = ["the paper's claim", "published there, %", "found here, points of R@1", "agree?"]
    rows = load_published()
    return text_table(header, [_claim_row(claim, rows, found) for claim in CLAIMS])


def _claim_row(claim: Claim, rows: Sequence[Published], found: Collected) -> list[str]:
    numbers = "; ".join(_published(rows, *names) for names in claim.published)
    said, verdicts = claim.tested(found)
    return [
        claim.text,
        numbers or "no number found in a text",
        said or NOT_RUN,
        agreement(verdicts),
    ]


def _published(
    rows: Sequence[Published], dataset: str, network: str, lesser: str, better: str
) -> str:
    """As in "SOP, ResNet-50, R@1: 80.1 → 82.7", with the status of what is not published."""
    known = {(row.dataset, row.network, row.method): row for row in rows}
    pair = [known[dataset, network, method] for method in (lesser, better)]
    metric = next(iter(pair[0].metrics))
    values = [as_printed(row.metrics[metric]) for row in pair]
    doubts = [row.status for row in pair if row.status != "published"]
    doubt = f" ({doubts[0]})" if doubts else ""
    return f"{dataset}, {network}, {metric}: {' → '.join(values)}{doubt}"


def agreement(verdicts: Sequence[str]) -> str:
    """Whether what was found is what was claimed, that it rises."""
    if not verdicts:
        return NOT_RUN
    if ONE_SEED in verdicts:
        return "one seed: not to be told"
    rising = sum(verdict == RISES for verdict in verdicts)
    if rising == len(verdicts):
        return "yes"
    return f"in part ({rising} of {len(verdicts)})" if rising or BETWEEN in verdicts else "no"


@cache
def _train_size(dataset: str, image_size: int) -> tuple[int, int]:
    """Images and classes that train."""
    train = load(dataset, image_size).train
    return len(train), len(train.labels.unique())


@dataclass(frozen=True)
class _Conditions:
    """Under which a training stands."""

    classes: int
    pretrained: bool
    frozen: bool
    side: int
    batch: int
    epochs: float


def _conditions_of(sweep: Sweep, points: Sequence[Point]) -> _Conditions:
    config = sweep.config({})
    images, classes = _train_size(config.dataset, config.image_size)
    largest = max(point.values["batch_size"] for point in points if point.metrics)
    return _conditions(config, largest, classes, config.epochs or config.images / images)


def _conditions(config: Config, batch: int, classes: int, epochs: float) -> _Conditions:
    state = (config.pretrained, config.frozen)
    return _Conditions(classes, *state, config.image_size, batch, epochs)


_ROWS: tuple[
    tuple[str, Callable[[_Conditions], str], Callable[[_Conditions, _Conditions], bool]], ...
] = (
    ("classes that train", lambda c: f"{c.classes:,}", lambda c, p: c.classes >= p.classes / 2),
    (
        "network",
        lambda c: ("pretrained" if c.pretrained else "from scratch") + ", frozen" * c.frozen,
        lambda c, p: c.pretrained and not c.frozen,
    ),
    ("side of an image, px", lambda c: f"{c.side}", lambda c, p: c.side >= p.side),
    ("largest batch", lambda c: f"{c.batch:,}", lambda c, p: c.batch >= p.batch),
    ("epochs", lambda c: f"{c.epochs:.0f}", lambda c, p: c.epochs >= p.epochs),
)


def conditions_table(found: Collected) -> str:
    """The conditions of the paper beside those of the stored sweeps over batch sizes.

    A condition is "tested" by a sweep if the sweep has it as the paper does, or beyond; half the
    classes count as as many.
    """
    config = PRESETS[PAPERS]
    _, classes = BENCHMARKS[config.dataset].counts["train"]
    paper = _conditions(config, config.batch_size, classes, config.epochs)
    here = _stored_conditions(found)
    header = ["condition", f"paper (`{PAPERS}`)", *here, "as in the paper"]
    rows = []
    for name, show, same in _ROWS:
        by = [data for data, conditions in here.items() if same(conditions, paper)]
        tested = f"tested by {', '.join(by)}" if by else UNTESTED
        rows.append([name, show(paper), *map(show, here.values()), tested])
    return text_table(header, rows)


def _stored_conditions(found: Collected) -> Mapping[str, _Conditions]:
    return {
        on_what(sweep): _conditions_of(sweep, found[sweep.name])
        for sweep in batch_sweeps(found)
        if any(point.metrics for point in found[sweep.name])
    }


def against_paper(stored: Stored) -> str:
    """Both tables, as Markdown."""
    found = collect_all(stored)
    return f"{claims_table(found)}\n\n{conditions_table(found)}"
