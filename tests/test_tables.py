"""Tables."""

import pytest
from helpers.user_names import NAMES

from recallkit.tables import metrics_table, text_table


def test_aligned_and_in_percent():
    rows = {"pixels": {"R@1": 0.3367, "mAP@R": 0.1}, "trained": {"R@1": 1.0, "mAP@R": 0.54321}}
    assert metrics_table(rows, ["R@1", "mAP@R"], title="test, %").splitlines() == [
        "| test, % |   R@1 | mAP@R |",
        "| ------- | ----: | ----: |",
        "| pixels  |  33.7 |  10.0 |",
        "| trained | 100.0 |  54.3 |",
    ]


def test_a_missing_metric_is_named():
    with pytest.raises(ValueError, match=r"row 'pixels' has no 'R@2', only \['R@1'\]"):
        metrics_table({"pixels": {"R@1": 0.5}}, ["R@2"])


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_from_outside_does_not_end_its_cell(name):
    lines = text_table([name, "R@1"], [["a", "1"], [name, "2"]]).split("\n")
    assert len(lines) == 4
    assert {len(line.splitlines()) for line in lines} == {1}
    assert {line.replace("\\|", "").count("|") for line in lines} == {3}


def test_bars_and_backticks_of_a_name_are_escaped():
    head, _, row = metrics_table({"a|`b": {"R@1": 0.5}}, ["R@1"], title="x|y").splitlines()
    assert head.startswith("| x\\|y ")
    assert row.startswith("| a\\|\\`b |")
