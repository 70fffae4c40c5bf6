"""The claims of the paper: which settings test them, in which direction, with which verdict."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.config import PRESETS
from recallkit.experiments import SWEEPS, load_results, project_results, verdict
from recallkit.files import embedded
from recallkit.findings import CLAIMS, changes_here, changes_published, draw_claim, load_published
from recallkit.findings.claims import PAPERS_RUNS, claim_table, conditions

TURNED = {"rises": "falls", "falls": "rises"}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def steps(changes):
    return [(change.same, change.step) for change in changes]


def cells_of(text, start):
    lines = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_batch_sizes_are_compared_with_the_next_larger_one_and_simix_at_each(tmp_path):
    def recall(config):
        gain = 0.1 * (config.batch_size == 512) - 0.05 * config.simix
        return 0.3 + gain + config.seed % 3 / 1000

    runs = made_up_runs(tmp_path, SWEEPS["distorted-batch-size"], recall)
    changes = changes_here(CLAIMS["batch-size"], runs)
    assert sorted(steps(changes)) == [
        ("SiMix off", "batch 512 → batch 2,048"),
        ("SiMix off", "batch 64 → batch 512"),
        ("SiMix on", "batch 512 → batch 2,048"),
        ("SiMix on", "batch 64 → batch 512"),
    ]
    for change in changes:
        up = change.step.startswith("batch 64")
        assert change.change == pytest.approx(0.1 if up else -0.1)
        assert change.verdict == ("rises" if up else "falls")
        assert change.sides[1].mean - change.sides[0].mean == pytest.approx(change.change)
        assert change.seeds == "5"
        assert change.trained == "glyphs-distorted"
    changes = changes_here(CLAIMS["simix"], runs)
    assert {change.step for change in changes} == {"SiMix off → SiMix on"}
    assert [change.change for change in changes] == pytest.approx([-0.05] * 3)


def test_a_difference_goes_towards_what_the_paper_takes(tmp_path):
    def recall(config):
        worse = 0.1 * (config.rank_temperature != 0.01 or config.k_temperature != 1)
        return 0.5 - worse + config.seed % 3 / 1000

    runs = made_up_runs(tmp_path, SWEEPS["distorted-temperatures"], recall)
    changes = changes_here(CLAIMS["temperatures"], runs)
    assert len(changes) == 8
    for change in changes:
        assert change.step.endswith(("→ τ₁ = 1", "→ τ₂ = 0.01"))
        assert change.change == pytest.approx(0.1)
        assert change.verdict == "rises"


def test_with_simix_the_papers_cut_offs_are_others(tmp_path):
    runs = made_up_runs(
        tmp_path, SWEEPS["distorted-ks"], lambda c: 0.3 + len(c.ks) / 50 + c.seed % 3 / 1000
    )
    changes = changes_here(CLAIMS["ks"], runs)
    ends = {(change.same, change.step.partition(" → ")[2]) for change in changes}
    assert ends == {
        ("SiMix off", "K = {1, 2, 4, 8, 16}"),
        ("SiMix on", "K = {1, 2, 4, …, 32}"),
    }
    assert len(changes) == 8
    long = [c for c in changes if c.same == "SiMix off" and c.step.startswith("K = {1, 2, 4, …")]
    assert [change.change for change in long] == pytest.approx([-0.1])
    assert {change.verdict for change in changes if change not in long} == {"rises"}


def test_losses_are_those_that_the_paper_compares_with(tmp_path):
    values = {"recall@k": 0.6, "smooth-ap": 0.5, "contrastive": 0.7}
    runs = made_up_runs(
        tmp_path,
        SWEEPS["emoji-losses"],
        lambda config: values.get(config.loss, 0.4) + config.seed % 3 / 1000,
    )
    changes = changes_here(CLAIMS["losses"], runs)
    assert [change.step for change in changes] == ["Smooth-AP → RS@k", "contrastive → RS@k"]
    assert [change.verdict for change in changes] == ["rises", "falls"]


def test_runs_of_two_sweeps_count_once_and_a_sweep_of_one_value_does_not(tmp_path):
    sweep = SWEEPS["emoji-classes"]
    runs = made_up_runs(tmp_path, sweep, lambda c: 0.5, lacks=lambda c: c.classes != 0)
    assert changes_here(CLAIMS["simix"], runs) == []  # one number of classes says nothing of it
    runs = made_up_runs(tmp_path, sweep, lambda c: 0.5 + c.seed % 3 / 1000)
    before = steps(changes_here(CLAIMS["simix"], runs))
    assert len(before) == 4
    made_up_runs(tmp_path, SWEEPS["batch-size"], lambda c: 0.5 + c.seed % 3 / 1000)
    changes = changes_here(CLAIMS["simix"], load_results(tmp_path))
    assert len(changes) == 4 + 4 - 1  # batch 128 and all classes: the same runs


def test_published_numbers_are_of_one_metric_data_set_and_network():
    rows = load_published()
    changes = [change for claim in CLAIMS.values() for change in changes_published(claim)]
    assert len(changes) >= 5
    for change in changes:
        dataset, network, *metric = change.same.split(", ")
        named = [row for row in rows if (row.dataset, row.network) == (dataset, network)]
        for method, side in zip(change.step.split(" → "), change.sides, strict=True):
            entries = [row for row in named if row.method == method]
            values = [row.metrics.get(*metric or ["R@1"]) for row in entries]
            assert 100 * side.mean in [pytest.approx(value) for value in values if value]
    assert {c.same: c.verdict for c in changes}["Cars196, ResNet-50"] == "unverified"
    assert changes_published(CLAIMS["ks"]) == []


def test_verdicts_of_the_page_are_those_of_the_stored_runs():
    """The page corrects for all it shows; none of its verdicts differs from that of its pair."""
    changes = changes_here(CLAIMS["losses"], project_results())
    alone = [change for change in changes if not change.same]  # the loss is all that varies
    assert len(alone) >= 2
    for change in alone:
        loss = "smooth-ap" if change.step.startswith("Smooth") else "contrastive"
        other = verdict(change.where, {"loss": "recall@k"}, {"loss": loss})
        assert change.verdict == TURNED.get(other, other)


def test_the_table_and_the_figure_have_each_difference(tmp_path):
    made_up_runs(tmp_path, SWEEPS["emoji-losses"], lambda c: 0.5 + c.seed % 3 / 1000)
    text = claim_table("losses", tmp_path)
    here, published = cells_of(text, "`emoji-losses`"), cells_of(text, "published")
    assert [row[2] for row in here] == ["Smooth-AP → RS@k", "contrastive → RS@k"]
    assert len(published) == 4
    assert published[0] == [
        "published", "SOP, ResNet-50", "Smooth-AP → RS@k", "80.1 → 82.7", "+2.6", "published", "",
    ]  # fmt: skip
    [ax] = draw_claim("losses", load_results(tmp_path)).axes
    assert len(ax.containers) == 6


def test_a_failed_run_is_told_in_the_table_and_not_drawn(tmp_path):
    def recall(config):
        failed = config.loss == "contrastive" and config.seed == 1
        return 0.1 if failed else 0.5 + config.seed % 3 / 1000

    runs = made_up_runs(tmp_path, SWEEPS["emoji-losses"], recall)
    rows = cells_of(claim_table("losses", tmp_path), "`emoji-losses`")
    assert [row[5].endswith("(a run failed)") for row in rows] == [False, True]
    assert len(draw_claim("losses", runs).axes[0].containers) == 5


def test_conditions_are_those_of_the_papers_presets_and_of_the_runs(tmp_path):
    sweep = SWEEPS["batch-size"]
    made_up_runs(tmp_path, sweep, lambda c: 0.5 + c.seed % 3 / 1000)
    text = conditions(tmp_path)
    for preset in PAPERS_RUNS:
        [row] = cells_of(text, f"paper, `{preset}`")
        config = PRESETS[preset]
        assert row[2:4] == [config.network, str(config.image_size)]
        assert row[5] == f"{config.batch_size:,}"
    [row] = cells_of(text, "`batch-size`")
    assert row == [
        "`batch-size`", "emoji", "small", "32", "600", "32, 128, 512, 2,048", "100,000", "off, on",
        "5",
    ]  # fmt: skip


def test_each_claim_has_its_figure_beside_the_guide():
    folder = Path(embedded("notebooks")) / "guide" / "figures"
    for name in CLAIMS:
        assert (folder / f"claim-{name}.png").stat().st_size < 200_000
