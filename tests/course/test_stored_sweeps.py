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
    table = against_preset("ks", project_results())
    summary = sweep_summary(find_sweep("ks"), project_results())
    assert table["ks"].tolist() == summary["ks"].tolist()
    assert table["R@1"].tolist() == pytest.approx((100 * summary["R@1"]).tolist(), abs=0.05)
    rows = {row["ks"]: row for row in table.to_dict("records")}
    papers = (1, 2, 4, 8, 16)
    assert rows[papers]["verdict"] == ""
    assert math.isnan(rows[papers]["change"])
    [change] = contrasts("ks", [({"ks": papers}, {"ks": (1,)})])
    assert rows[(1,)]["verdict"] == change.verdict
    assert rows[(1,)]["change"] == pytest.approx(100 * change.change, abs=0.05)
    assert rows[(1,)]["change ±"] == pytest.approx(100 * change.margin, abs=0.05)


def test_settings_are_compared_at_the_same_simix():
    table = against_preset(find_sweep("per-class"), project_results())
    rows = {(row["per_class"], row["simix"]): row for row in table.to_dict("records")}
    four, two = ({"per_class": count, "simix": True} for count in (4, 2))
    [expected] = contrasts("per-class", [(four, two)])
    assert rows[2, True]["change"] == pytest.approx(100 * expected.change, abs=0.05)


def test_what_was_not_run_is_not_in_the_table(tmp_path):
    table = against_preset("ks", load_results(tmp_path))
    assert table.empty
    assert "verdict" in table.columns
