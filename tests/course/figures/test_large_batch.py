"""Figures of memory show the bytes they were given."""

import matplotlib.pyplot as plt
import pytest

from recallkit.bench.memory import StepMemory
from recallkit.course import figures
from recallkit.course.figures.large_batch import BATCH_SIZES

MEMORY = StepMemory(fixed=1e8, graph=1e8, image=1e4)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_traces_in_megabytes_side_by_side():
    _, axes = figures.plot_memory_traces(
        {"plain": [0, 2_000_000, 1_000_000], "chunks": [0, 500_000]}
    )
    assert axes[0].lines[0].get_ydata().tolist() == [0, 2, 1]
    assert axes[1].lines[0].get_ydata().tolist() == [0, 0.5]
    assert axes[0].get_title() == "plain: peak 2.0 MB"
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_a_curve_may_end_before_the_others():
    _, ax = figures.plot_memory_against_batch([8, 16, 32], {"a": [1e6, 2e6], "b": [1e6, 1e6, 1e6]})
    assert ax.lines[0].get_xdata().tolist() == [8, 16]
    assert ax.lines[0].get_ydata().tolist() == [1, 2]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "16", "32"]


def test_a_panel_for_each_chunk_size():
    _, axes = figures.plot_step_memory(MEMORY, [50, 200], gpu_memory=24e9)
    assert [ax.get_title() for ax in axes] == ["chunks of 50", "chunks of 200"]
    plain, chunked, level = axes[1].lines
    assert plain.get_ydata()[-1] == pytest.approx(MEMORY.peak(BATCH_SIZES[-1]) / 1e9)
    assert chunked.get_ydata()[-1] == pytest.approx(MEMORY.peak(BATCH_SIZES[-1], 200) / 1e9)
    assert level.get_ydata() == [24, 24]


def test_a_batch_is_marked_and_said():
    _, [ax] = figures.plot_step_memory(MEMORY, [200], gpu_memory=24e9, batch_size=4096)
    plain, chunked = ax.lines[-2:]
    assert plain.get_ydata().tolist() == [pytest.approx(MEMORY.peak(4096) / 1e9)]
    assert chunked.get_ydata().tolist() == [pytest.approx(MEMORY.peak(4096, 200) / 1e9)]
    assert ax.get_title() == "batch 4,096, chunks of 200: plain 409.7 GB, three steps 20.1 GB"


def test_kept_graphs_are_drawn_in_megabytes():
    _, axes = figures.plot_kept_graphs([0, 2e6], [1.3, 1.0], [1e6, 3e6])
    assert axes[0].lines[0].get_xydata().tolist() == [[0, 1.3], [2, 1.0]]
    assert axes[1].lines[0].get_xydata().tolist() == [[0, 1], [2, 3]]
