"""A stored sweep as a table: the means and verdicts of the statistics, in percent."""

import math

import pytest

from recallkit.course.stored_sweeps import against_preset
from recallkit.experiments import (
    contrasts,
    find_sweep,
    load_results,
    project_results,
    sweep_summary,
)


def test_each_setting_is_compared_with_the_presets():
    name = "batch-size-finetuned"
    table = against_preset(name, project_results())
    summary = sweep_summary(find_sweep(name), project_results())
    assert table["batch_size"].tolist() == summary["batch_size"].tolist()
    assert table["R@1"].tolist() == pytest.approx((100 * summary["R@1"]).tolist(), abs=0.05)
    rows = {row["batch_size"]: row for row in table.to_dict("records")}
    assert rows[512]["verdict"] == ""
    assert math.isnan(rows[512]["change"])
    [change] = contrasts(name, [({"batch_size": 512}, {"batch_size": 32})])
    assert rows[32]["verdict"] == change.verdict
    assert rows[32]["change"] == pytest.approx(100 * change.change, abs=0.05)
    assert rows[32]["change ±"] == pytest.approx(100 * change.margin, abs=0.05)


def test_settings_are_compared_at_the_same_simix():
    table = against_preset(find_sweep("batch-size"), project_results())
    rows = {(row["batch_size"], row["simix"]): row for row in table.to_dict("records")}
    pair = ({"batch_size": size, "simix": False} for size in (128, 512))
    [expected] = contrasts("batch-size", [(*pair,)])
    assert rows[512, False]["change"] == pytest.approx(100 * expected.change, abs=0.05)


def test_what_was_not_run_is_not_in_the_table(tmp_path):
    table = against_preset("batch-size", load_results(tmp_path))
    assert table.empty
    assert "verdict" in table.columns
