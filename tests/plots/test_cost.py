"""Figures of cost: a line for each method or way, which ends where a batch did not fit."""

import matplotlib.pyplot as plt
import pytest

from recallkit import plots


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def ranks_case(method, size, failed=False, **changes):
    case = {"method": method, "batch_size": size, "per_class": 4, "simix": False} | changes
    measured = {"ratio": size / 100, "peak_mb": 7.0}
    return case | ({"failed": "more than 9 GB"} if failed else measured)


def test_engines_have_a_line_each_of_what_was_measured_and_is_alike():
    cases = [
        ranks_case("dense", 100),
        ranks_case("dense", 200, failed=True),
        *(ranks_case("blocks", size) for size in (100, 200)),
        ranks_case("blocks", 400, failed=True),
        ranks_case("blocks", 400, simix=True),
        ranks_case("blocks", 1000, per_class=10),
    ]
    _, (time_ax, memory_ax) = plots.plot_engines(cases)
    assert [line.get_label() for line in memory_ax.lines] == ["dense", "blocks"]
    dense, blocks, four, two = time_ax.lines
    assert dense.get_xdata().tolist() == [100]
    assert blocks.get_xdata().tolist() == [100, 200]
    assert blocks.get_ydata() == pytest.approx([1, 2])
    assert four.get_label() == "the four matrix products alone"
    assert [line.get_ydata()[0] for line in (four, two)] == [1, 0.5]


def step_case(size, plain=False, keep=0.0):
    case = {"network": "small", "batch_size": size, "plain": plain, "keep": keep}
    if plain and size > 256:
        return case | {"failed": "out of memory"}
    costs = {"ms_per_image": 2.0, "peak_mb": 7.0 if plain else 3.0, "graphs_mb": 1000 * keep}
    return case | costs | {"ratio": None if plain else 4 / 3 - keep / 3}


def test_steps_have_a_line_for_each_way_and_one_for_kept_graphs():
    sizes, shares = (256, 1024, 4096), (0.25, 0.5, 0.75, 1.0)
    cases = [step_case(size, plain) for size in sizes for plain in (True, False)]
    cases += [step_case(1024, keep=share) for share in shares]
    cases += [step_case(size) | {"grad_cache": True} for size in sizes]
    _, (memory_ax, time_ax, kept_ax) = plots.plot_step_cost(cases)
    ways = ["plain", "in chunks", "in chunks by GradCache"]
    assert [line.get_label() for line in memory_ax.lines] == [f"small, {way}" for way in ways]
    assert memory_ax.lines[0].get_xdata().tolist() == [256]
    assert memory_ax.lines[1].get_xdata().tolist() == list(sizes)
    assert time_ax.lines[1].get_ydata().tolist() == [2, 2, 2]
    assert [line.get_label() for line in kept_ax.lines if len(line.get_xdata()) > 2] == [
        "small, B = 1,024"
    ]
    assert kept_ax.lines[0].get_xdata() == pytest.approx([0, *shares])
    assert kept_ax.lines[0].get_ydata()[0] == pytest.approx(4 / 3)
    assert kept_ax.lines[0].get_ydata()[-1] == pytest.approx(1)
