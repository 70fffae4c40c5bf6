"""Figures of cost: ranks and training steps against batch size."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recallkit.plots.style import CYCLE, GREY, LINES, MARKERS, batch_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


IN_CHUNKS = "in chunks"


def plot_engines(cases: Sequence[dict[str, Any]]) -> "tuple[Figure, Any]":
    """Plot time and memory of every method against batch size, all axes logarithmic.

    Time is that over the four matrix products of a method that keeps no similarities. From 64 to
    16,384 images it grows by more than 10,000 times, in which no method would differ to the eye.

    A line ends where the next batch exceeded the limit of time or memory.

    Args:
        cases: as :func:`.bench_ranks` stores them. Cases that failed, with virtual examples, or
            with other than four images a class are left out.

    Returns:
        The figure, and its two axes.
    """
    import matplotlib.pyplot as plt

    alike = [case for case in cases if not case["simix"] and case["per_class"] == 4]
    done = [case for case in alike if "failed" not in case]
    methods = dict.fromkeys(case["method"] for case in done)
    sizes = {case["batch_size"] for case in done}
    fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for i, method in enumerate(methods):
        own = [case for case in done if case["method"] == method]
        style = {"label": method, **_line(i)}
        batch = [case["batch_size"] for case in own]
        axes[0].plot(batch, [case["ratio"] for case in own], **style)
        axes[1].plot(batch, [max(case["peak_mb"], 0.1) for case in own], **style)
    wide: dict[str, Any] = {"color": GREY, "linewidth": 4, "zorder": 0}
    axes[0].axhline(1, alpha=0.4, label="the four matrix products alone", **wide)
    axes[0].axhline(0.5, alpha=0.2, label="two of them: similarities are symmetric", **wide)
    axes[0].set(title="Time", ylabel="time over that of the four products")
    axes[1].set(title="Memory", ylabel="MB over the inputs")
    for ax in axes:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda y, _: f"{y:,g}")
        batch_axis(ax, sizes, "batch size B")
    fig.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9
    )
    return fig, axes


def _line(i: int) -> dict[str, Any]:
    """Choose the look of line i: after the last colour, colours return with other dashes."""
    again = i // len(CYCLE)
    dashes, marker = LINES[(i + again) % len(LINES)], MARKERS[(i + again) % len(MARKERS)]
    return {"color": CYCLE[i % len(CYCLE)], "linestyle": dashes, "marker": marker}


def plot_step_cost(cases: Sequence[dict[str, Any]]) -> "tuple[Figure, Any]":
    """Plot peak memory and time an image against batch size, and time against kept graphs.

    A line ends where the next batch did not fit.

    Args:
        cases: as :func:`recallkit.bench.step.bench_step` stores them; failed ones are left out.

    Returns:
        The figure, and its three axes.
    """
    import matplotlib.pyplot as plt

    done = [case for case in cases if "failed" not in case]
    ways = list(dict.fromkeys((case["network"], _way(case)) for case in done))
    fig, axes = plt.subplots(1, 3, figsize=(9.2, 3.6), layout="constrained")
    styles = {way: _line(i) for i, way in enumerate(ways)}
    for network, way in ways:
        own = [c for c in done if (c["network"], _way(c)) == (network, way) and not c["keep"]]
        style = {**styles[network, way], "label": f"{network}, {way}"}
        sizes = [case["batch_size"] for case in own]
        axes[0].plot(sizes, [max(case["peak_mb"], 0.1) for case in own], **style)
        axes[1].plot(sizes, [case["ms_per_image"] for case in own], **style)
    in_chunks = {network: style for (network, way), style in styles.items() if way == IN_CHUNKS}
    _draw_kept(axes[2], [case for case in done if _way(case) == IN_CHUNKS], in_chunks)
    axes[0].set(title="Memory", ylabel="MB over images and weights", yscale="log")
    axes[1].set(title="Time", ylabel="milliseconds an image", ylim=(0, None))
    for ax in axes[:2]:
        batch_axis(ax, {case["batch_size"] for case in done}, "batch size B")
    axes[2].grid(alpha=0.3)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig, axes


def _way(case: Mapping[str, Any]) -> str:
    if case["plain"]:
        return "plain"
    return "in chunks by GradCache" if case.get("grad_cache") else IN_CHUNKS


def _draw_kept(
    ax: "Axes", chunked: Sequence[dict[str, Any]], styles: Mapping[str, dict[str, Any]]
) -> None:
    """Time over that of a plain step, at the batch size for which graphs were kept."""
    sizes = {(case["network"], case["batch_size"]) for case in chunked if case["keep"]}
    for network, size in sorted(sizes):
        own = [c for c in chunked if (c["network"], c["batch_size"]) == (network, size)]
        own = sorted(own, key=lambda case: case["graphs_mb"])
        gigabytes = [case["graphs_mb"] / 1e3 for case in own]
        label = f"{network}, B = {size:,}"
        ratios = [case["ratio"] for case in own]
        ax.plot(gigabytes, ratios, label=label, **styles[network])
    for level in (1, 4 / 3):
        ax.axhline(level, color=GREY, linestyle=":")
    ax.set(title="Kept graphs", xlabel="GB for them", ylabel="time an image, × plain step")
    if sizes:
        beside: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.02, 0.12)}
        ax.legend(fontsize=9, **beside)  # off both levels
