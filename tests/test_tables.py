"""Tables."""

import pytest

from recallkit.tables import metrics_table


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
