"""The data cards say what the stored results say."""

from dataclasses import asdict, replace

import pytest

from recallkit.config import PRESETS
from recallkit.experiments import cards
from recallkit.files import write_json

METRICS = {"R@1": 0.5, "R@2": 0.6, "R@4": 0.7, "R@8": 0.8, "mAP@R": 0.25}


def run_of(preset, dataset, seed, value):
    config = asdict(replace(PRESETS[preset], dataset=dataset, seed=seed))
    rows = {"pixels": 0.1, "untrained": 0.2, "trained": value}
    test = {row: dict.fromkeys(METRICS, number) for row, number in rows.items()}
    return {"config": config, "seed": seed, "test": test}


@pytest.mark.parametrize("card", cards.CARDS)
def test_a_card_is_what_the_stored_results_give(card):
    text = (cards.ROOT / "data" / card / "README.md").read_text(encoding="utf-8")
    assert cards.filled(card, text) == text


def test_what_was_not_run_is_said_to_be_so(tmp_path):
    lines = cards.baselines("glyphs", [], tmp_path).splitlines()
    assert [line.count("not run") for line in lines] == [0, 0, 5, 5, 5, 5, 5]


def test_baselines_come_from_a_measurement_without_runs(tmp_path):
    write_json(tmp_path / "glyphs.json", {"test": {"pixels": METRICS}})
    table = cards.baselines("glyphs", [], tmp_path)
    assert "| raw pixels" in table
    assert "|    50.0 |    60.0 |    70.0 |    80.0 |    25.0 |" in table


def test_trained_rows_come_from_the_preset_on_that_data_set(tmp_path):
    runs = [run_of("glyphs-cpu", "glyphs", seed, 0.8 + seed / 100) for seed in range(3)]
    clean = cards.baselines("glyphs", runs, tmp_path)
    assert "preset `glyphs-cpu`, 3 seeds" in clean
    assert "81.0 ± 2.5" in clean
    pixels = next(line for line in clean.splitlines() if "raw pixels" in line)
    assert pixels.count("10.0") == 5
    assert "81.0" not in cards.baselines("glyphs-distorted", runs, tmp_path)


def test_runs_without_baselines_leave_them_to_a_measurement(tmp_path):
    run = run_of("glyphs-short", "glyphs", 0, 0.8)
    run["test"] = {"trained": run["test"]["trained"]}
    write_json(tmp_path / "glyphs.json", {"test": {"pixels": METRICS}})
    pixels, untrained, *_, short = cards.baselines("glyphs", [run], tmp_path).splitlines()[2:]
    assert [pixels.count("50.0"), untrained.count("not run"), short.count("80.0")] == [1, 5, 5]


def test_a_data_set_without_card_is_named():
    with pytest.raises(ValueError, match="no card of 'letters', only of: emoji, glyphs"):
        cards.baselines("letters", [])


def test_measuring_stores_what_the_table_needs(tmp_path, monkeypatch, toy_splits):
    from recallkit import data

    monkeypatch.setitem(data.LOADERS, "glyphs", lambda: toy_splits)
    monkeypatch.setattr(cards, "BASELINES", tmp_path)
    assert cards.measure("glyphs", device="cpu") == tmp_path / "glyphs.json"
    table = cards.baselines("glyphs", [], tmp_path)
    assert table.count("not run") == 15  # of the three presets alone
