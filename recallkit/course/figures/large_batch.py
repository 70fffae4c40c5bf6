"""The memory of a training step: what takes it, and how it grows with the batch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recallkit.bench.memory import StepMemory
from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, MARKERS, VERMILION, batch_axis, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCH_SIZES = tuple(2**power for power in range(5, 15))  # 32 … 16,384: the curves' range


def plot_memory_traces(traces: Mapping[str, Sequence[int]]) -> "tuple[Figure, Any]":
    """Bytes of living tensors after each operation, a panel for each step.

    Args:
        traces: name of the step → bytes after each operation, as
            :func:`recallkit.bench.memory.memory_trace` returns them.

    Returns:
        The figure, and its axes (one for each trace), which share the vertical scale.
    """
    fig, [axes] = panels(1, len(traces), (8, 3), sharey=True)
    for ax, (name, trace), colour in zip(axes, traces.items(), CYCLE, strict=False):
        megabytes = [size / 1e6 for size in trace]
        ax.fill_between(range(len(trace)), megabytes, color=colour, alpha=0.3)
        ax.plot(megabytes, color=colour, linewidth=1)
        ax.set(title=f"{name}: peak {max(megabytes):.1f} MB", xlabel="operation of the step")
    axes[0].set_ylabel("living tensors (MB)")
    axes[0].set_ylim(bottom=0)
    return fig, axes


def plot_memory_against_batch(
    batch_sizes: Sequence[int], peaks: Mapping[str, Sequence[float]]
) -> "tuple[Figure, Axes]":
    """Measured peaks of memory against batch size, both axes logarithmic.

    Args:
        batch_sizes: ascending.
        peaks: name → bytes, one for each batch size, or for the smallest ones only.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (6, 3.5))
    for (name, values), colour, line, marker in zip(
        peaks.items(), CYCLE, LINES, MARKERS, strict=False
    ):
        sizes, megabytes = batch_sizes[: len(values)], [value / 1e6 for value in values]
        ax.plot(sizes, megabytes, color=colour, linestyle=line, marker=marker, label=name)
    batch_axis(ax, batch_sizes, "batch size (images)")
    _size_axis(ax)
    ax.set_ylabel("peak (MB)")
    ax.grid(alpha=0.3)
    ax.legend()
    return fig, ax


def plot_kept_graphs(
    budgets: Sequence[float], times: Sequence[float], peaks: Sequence[float]
) -> "tuple[Figure, Any]":
    """Time and peak memory of a step against the memory it may spend on graphs.

    Args:
        budgets: bytes, ascending.
        times: of the step, as multiples of one forward pass, one backward pass and the loss.
        peaks: bytes.

    Returns:
        The figure, and its two axes: time, peak.
    """
    fig, [axes] = panels(1, 2, (8.5, 3.2))
    megabytes = [budget / 1e6 for budget in budgets]
    axes[0].plot(megabytes, times, color=BLUE, marker="o")
    for level in (1, 4 / 3):
        axes[0].axhline(level, color=GREY, linestyle=":")
    axes[1].plot(megabytes, [peak / 1e6 for peak in peaks], color=VERMILION, marker="s")
    axes[0].set(title="time (dotted: 1 and 4/3)", ylabel="× forward, backward and loss")
    axes[1].set(title="peak", ylabel="MB", ylim=(0, None))
    for ax in axes:
        ax.set_xlabel("MB for kept graphs")
        ax.grid(alpha=0.3)
    return fig, axes


def plot_step_memory(
    memory: StepMemory,
    chunk_sizes: Sequence[int],
    gpu_memory: float,
    batch_size: int | None = None,
) -> "tuple[Figure, Any]":
    """Predicted peaks of a plain step and of one in chunks, a panel for each chunk size.

    Args:
        memory: of the network.
        chunk_sizes: of the panels.
        gpu_memory: bytes of a GPU, drawn as a level.
        batch_size: to mark, with its two peaks in words. None marks nothing.

    Returns:
        The figure, and its axes (one for each chunk size), which share both scales.
    """
    alone = len(chunk_sizes) == 1  # as a slider redraws it
    size = (6, 3.8) if alone else (9, 3.4)
    margins = {"left": 0.13, "right": 0.96, "bottom": 0.15, "top": 0.92} if alone else None
    fig, [axes] = panels(1, len(chunk_sizes), size, margins, sharex=True, sharey=True)
    for ax, chunk_size in zip(axes, chunk_sizes, strict=True):
        _draw_step_memory(ax, memory, chunk_size, gpu_memory)
        if batch_size is not None:
            _mark_batch(ax, memory, chunk_size, batch_size)
    axes[0].set_ylabel("peak of a step (GB)")
    axes[0].legend(fontsize=9, loc="upper left")
    return fig, axes


def _draw_step_memory(ax: "Axes", memory: StepMemory, chunk_size: int, gpu_memory: float) -> None:
    plain = [memory.peak(batch) / 1e9 for batch in BATCH_SIZES]
    chunked = [memory.peak(batch, chunk_size) / 1e9 for batch in BATCH_SIZES]
    ax.plot(BATCH_SIZES, plain, color=BLUE, linestyle=LINES[0], label="plain step")
    ax.plot(BATCH_SIZES, chunked, color=VERMILION, linestyle=LINES[1], label="three steps")
    level = gpu_memory / 1e9
    ax.axhline(level, color=GREY, linestyle=":", label=f"a GPU with {level:g} GB")
    batch_axis(ax, BATCH_SIZES[::3], "batch size (images)")
    _size_axis(ax)
    ax.set_title(f"chunks of {chunk_size}")
    ax.grid(alpha=0.3)


def _mark_batch(ax: "Axes", memory: StepMemory, chunk_size: int, batch_size: int) -> None:
    plain, chunked = memory.peak(batch_size) / 1e9, memory.peak(batch_size, chunk_size) / 1e9
    ax.plot([batch_size], [plain], color=BLUE, marker=MARKERS[0])
    ax.plot([batch_size], [chunked], color=VERMILION, marker=MARKERS[1])
    ax.set_title(
        f"batch {batch_size:,}, chunks of {chunk_size}: plain {plain:,.1f} GB, "
        f"three steps {chunked:,.1f} GB",
        fontsize=10,
    )


def _size_axis(ax: "Axes") -> None:
    """Make the vertical axis logarithmic, with ticks at 1, 2 and 5 in plain numbers."""
    from matplotlib.ticker import LogLocator, NullLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:,g}")
