"""The limits of GPUs against numbers worked out by hand."""

import pytest

from recallkit.bench.roofline import GPUS, least_seconds, roofline_table
from recallkit.files import embedded, read_json

H100, H200 = GPUS


def test_forward_by_hand():
    least = least_seconds(H200, "forward", 65_536, 512, 3)
    assert least["products"] == pytest.approx(0.02667, rel=1e-3)  # 3 · 2 · 2³² · 512 / 494.7e12
    assert least["special functions"] == pytest.approx(0.006162, rel=1e-3)  # 2 · 3 · 2³² / 4.18e12
    assert least["other instructions"] == pytest.approx(0.002311, rel=1e-3)  # 6 · 3 · 2³² / 33.5e12
    assert least["memory"] == 0


def test_backward_by_hand():
    least = least_seconds(H200, "backward", 65_536, 512, 3)
    assert least["products"] == pytest.approx(0.04000, rel=1e-3)  # 3 · 3 · 2³² · 512 / 494.7e12
    assert least["memory"] == pytest.approx(0.005369, rel=1e-3)  # 6 · 2³² / 4.8e12
    assert least_seconds(H100, "backward", 65_536, 512, 3)["memory"] == pytest.approx(
        0.00769, rel=1e-3
    )


def test_the_gpus_differ_in_memory_alone():
    assert (H100.tf32, H100.special, H100.instructions) == (
        H200.tf32,
        H200.special,
        H200.instructions,
    )
    assert H100.instructions == pytest.approx(
        66.9e12 / 2, rel=1e-3
    )  # an instruction: two operations


def test_what_was_measured_stands_beside_its_gpu_alone():
    case = {"method": "fused", "batch_size": 65_536, "dim": 512, "per_class": 4}
    cases = [
        case | {"forward_s": 0.2667, "backward_s": 0.4},
        {"method": "blocks"},
        case | {"failed": "x"},
    ]
    rows = [line.split("|") for line in roofline_table(cases, "NVIDIA H200").splitlines()[2:]]
    cells = {
        (row[2].strip(), row[3].strip()): [cell.strip() for cell in row[-3:-1]] for row in rows
    }
    assert cells["H200", "forward"] == ["266.70", "10.0"]
    assert cells["H200", "backward"] == ["400.00", "10.0"]
    assert cells["H100", "forward"] == cells["H100", "backward"] == ["not run", ""]


def test_the_sentences_of_the_page_hold():
    """For 65,536 images products take most, twice the next; measured: five and seven times."""
    stored = read_json(embedded("results") / "bench" / "ranks-cuda.json")
    [case] = [c for c in stored["cases"] if (c["method"], c["batch_size"]) == ("fused", 65_536)]
    for gpu in GPUS:
        for part in ("forward", "backward"):
            *others, most = sorted(least_seconds(gpu, part, 65_536, 512, 3).values())
            assert most == least_seconds(gpu, part, 65_536, 512, 3)["products"] > 2 * others[-1]
    ratios = [
        case[f"{part}_s"] / least_seconds(H200, part, 65_536, 512, 3)["products"]
        for part in ("forward", "backward")
    ]
    assert ratios == pytest.approx([5.2, 6.6], abs=0.1)
