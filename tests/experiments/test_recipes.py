"""Each preset that is called a recipe is what the stored validation classes choose, or as good."""

from dataclasses import replace

import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.config import PRESETS
from recallkit.experiments import recipes
from recallkit.experiments.contrasts import UNSEEN, verdict
from recallkit.experiments.findings import collect_all
from recallkit.experiments.plan import ABLATIONS, Stored
from recallkit.experiments.points import collect
from recallkit.experiments.summary import difference
from recallkit.experiments.sweeps import SWEEPS, grid

SWEEP = replace(
    SWEEPS["batch-size-frozen"],
    compared=grid(batch_size=(32, 512), simix=(False, True)),
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)
CHOSEN_RATE = 0.002  # of made-up runs


@pytest.fixture(scope="module")
def stored():
    return collect_all(Stored.read(ABLATIONS))


@pytest.mark.parametrize("preset", recipes.RECIPES)
def test_no_rival_is_better_on_validation_classes(preset, stored):
    own, best = recipes.recipe_points(preset, stored)
    assert own is not None, f"no run of preset {preset} at its own rate is stored"
    change = difference(recipes.on_validation(own), recipes.on_validation(best))
    if own is not best:
        assert verdict(change) == UNSEEN
        costs = [point.looks[-1].processor_seconds for point in (own, best)]
        assert costs[0] < costs[1]


def table(monkeypatch, recall, rate=CHOSEN_RATE, device="a processor"):
    monkeypatch.setattr(recipes, "RECIPES", {"emoji-frozen": SWEEP.name})
    monkeypatch.setitem(SWEEPS, SWEEP.name, SWEEP)
    tuned = replace(PRESETS["emoji-frozen"], learning_rate=rate)
    monkeypatch.setitem(PRESETS, "emoji-frozen", tuned)
    runs = made_up_runs(SWEEP, lambda c: recall(c) + 0.001 * c.seed * (c.seed < 3))
    for result in runs.final.values():
        result["device"] = device
    return recipes.recipe_table({SWEEP.name: collect(SWEEP, runs)})


def test_the_preset_that_validation_chooses(monkeypatch):
    *_, row = table(monkeypatch, lambda c: 0.5 + c.batch_size / 10_000 - 0.1 * c.simix).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["`emoji-frozen`", "512", "0.002", "32, SiMix on"]
    assert cells[4:7] == ["55.2 ± 0.2", "itself", "55.2 ± 0.2"]
    assert cells[7:] == ["11 s", "a processor"]


def test_a_better_rival_is_named(monkeypatch):
    said = table(monkeypatch, lambda c: 0.5 + 0.1 * (c.batch_size == 32 and not c.simix))
    assert "batch 32: +10.0 ± 0.2, rises" in said


def test_a_preset_at_another_rate_has_no_row(monkeypatch):
    assert "emoji-frozen" not in table(monkeypatch, lambda c: 0.5, rate=0.004)
