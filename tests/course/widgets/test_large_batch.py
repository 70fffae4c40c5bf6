"""The sliders reach the figure."""

from recallkit.bench.memory import StepMemory
from recallkit.course import figures
from recallkit.course.widgets import explore_step_memory

MEMORY = StepMemory(fixed=1e8, graph=1e8, image=1e4)


def test_each_slider_changes_what_is_drawn(monkeypatch):
    import matplotlib.pyplot as plt

    titles = []

    def plot(*arguments):
        fig, axes = plot_step_memory(*arguments)
        titles.append(axes[0].get_title())
        return fig, axes

    plot_step_memory = figures.plot_step_memory
    monkeypatch.setattr(figures, "plot_step_memory", plot)
    live = explore_step_memory(MEMORY, gpu_memory=24e9)
    assert titles[-1].startswith("batch 16,384, chunks of 128:")
    live.controls["batch_size"].value = 512
    assert titles[-1].startswith("batch 512, chunks of 128:")
    live.controls["chunk_size"].value = 64
    assert titles[-1] == "batch 512, chunks of 64: plain 51.3 GB, three steps 6.5 GB"
    assert not plt.get_fignums()


def test_controls_have_names_for_readers_aloud():
    live = explore_step_memory(MEMORY, gpu_memory=24e9)
    assert all(control.tooltip == control.description for control in live.controls.values())
