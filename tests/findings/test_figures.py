"""Figures of sweeps: every number is that of the runs, in its place."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
from helpers.made_up_runs import made_up_runs
from matplotlib.text import Text

from recallkit.experiments import (
    SWEEPS,
    Sweep,
    find_sweep,
    load_histories,
    load_results,
    project_results,
)
from recallkit.experiments.sweeps import grid
from recallkit.files import read_json, write_json
from recallkit.findings import TOGETHER, draw_results, draw_side_by_side, draw_together, simix_gains

SWEEP = Sweep(
    "toy", "?", "emoji", grid(batch_size=(256, 64, 128), simix=(True, False)),
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)  # fmt: skip
BLUE, VERMILION = "#0072B2", "#D55E00"


def recall(config):
    return 0.3 + config.batch_size / 1000 + 0.1 * config.simix + 0.01 * config.seed % 1


def series_of(ax):
    return {bars.get_label(): bars.lines[0] for bars in ax.containers}


def texts_of(ticks):
    return [text.get_text() for text in ticks]


def lines_of(ax):
    return {line.get_label(): line for line in ax.lines}


def test_results_stand_where_their_batch_sizes_are(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall, lacks=lambda c: c.batch_size == 64)
    ax = draw_results(SWEEP, runs).axes[0]
    assert texts_of(ax.get_xticklabels()) == ["64", "128", "256"]
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "batch size")
    series = series_of(ax)
    assert set(series) == {"SiMix off", "SiMix on"}
    for name, line in series.items():
        assert list(line.get_xdata()) == pytest.approx([128, 256], rel=0.1)
        expected = [100 * (0.31 + size / 1000 + 0.1 * (name == "SiMix on")) for size in (128, 256)]
        assert list(line.get_ydata()) == pytest.approx(expected)
        assert line.get_linestyle() != "None"
    assert [text.get_text() for text in ax.texts] == ["not run", "not run"]


@pytest.mark.parametrize(("simix", "colour"), [(True, VERMILION), (False, BLUE)])
def test_simix_has_one_colour_whether_it_varies_or_not(tmp_path, simix, colour):
    both = series_of(draw_results(SWEEP, made_up_runs(tmp_path, SWEEP, recall)).axes[0])
    name = f"SiMix {'on' if simix else 'off'}"
    assert both[name].get_color() == colour
    for axis in (
        {"batch_size": (64, 128)},
        {"ks": ((1,), (1, 2))},
        {"loss": ("recall@k", "circle")},
    ):
        alone = replace(SWEEP, compared=grid(**axis), base={"simix": simix})
        series = series_of(draw_results(alone, made_up_runs(tmp_path, alone, recall)).axes[0])
        assert {label: line.get_color() for label, line in series.items()} == {name: colour}


def test_words_are_not_joined_by_lines_and_say_only_what_differs(tmp_path):
    compared = ({}, {"simix": False}, {"ks": (1,), "simix": False}, {"flip": True})
    sweep = Sweep("words", "?", "emoji", compared, tuned={}, seeds=(0, 1))
    ax = draw_results(sweep, made_up_runs(tmp_path, sweep, recall)).axes[0]
    assert set(texts_of(ax.get_xticklabels())) == {"preset", "K = {1}", "flip on"}
    assert {line.get_linestyle() for line in series_of(ax).values()} == {"None"}
    alone = Sweep("alone", "How good?", "emoji", ({},), seeds=(0, 1))
    figure = draw_results(alone, made_up_runs(tmp_path, alone, recall))
    assert texts_of(figure.axes[0].get_xticklabels()) == ["preset"]


def test_own_runs_stand_among_the_stored_ones(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall)
    ax = draw_results(SWEEP, runs, {32: 0.2, 128: 0.3}, "mine").axes[0]
    assert texts_of(ax.get_xticklabels()) == ["32", "64", "128", "256"]
    mine = lines_of(ax)["mine"]
    assert (list(mine.get_xdata()), list(mine.get_ydata())) == ([32, 128], [20, 30])
    losses = replace(SWEEP, compared=grid(loss=("recall@k", "circle")))
    ax = draw_results(losses, made_up_runs(tmp_path, losses, recall), {"circle": 0.2}).axes[0]
    assert texts_of(ax.get_xticklabels()) == ["RS@k", "circle"]


def test_names_of_a_users_sweep_are_no_formulas(tmp_path):
    names = ("Ba$$in", "a$\\frac{$", "_hidden")
    sweep = Sweep("mine", "Which costs 5$, and which 6$_? \n\U000f1234", "emoji",
                  grid(dataset=names, batch_size=(64, 128)),
                  tuned={"learning_rate": (0.001, 0.002, 0.004)})  # fmt: skip
    figure = draw_results(sweep, made_up_runs(tmp_path, sweep, lambda config: 0.5))
    figure.canvas.draw()
    assert (
        figure.get_suptitle() == "Which costs 5$, and which 6$_?  □"
    )  # no font has a private character
    drawn = [text.get_text() for legend in _legends(figure) for text in legend.get_texts()]
    drawn += [text.get_text() for ax in figure.axes for text in ax.get_xticklabels()]
    assert all(any(name in text for text in drawn) for name in names)


def _legends(figure):
    return [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]


def test_lengths_are_lines_and_simix_has_panels(tmp_path):
    axes = {"batch_size": (256, 64), "images": (65_000, 130_000, 260_000), "simix": (False, True)}
    sweep = replace(SWEEP, compared=grid(**axes))
    runs = made_up_runs(tmp_path, sweep, lambda c: recall(c) / 2 + c.images / 1e6)
    off, on = draw_results(sweep, runs).axes
    assert (off.get_title(), on.get_title()) == ("SiMix off", "SiMix on")
    assert off.get_ylim() == on.get_ylim()
    assert off.get_xscale() == "log"
    names = [f"{images:,} images" for images in axes["images"]]
    lines = series_of(on)
    assert list(lines) == names
    for line, images in zip(lines.values(), axes["images"], strict=True):
        expected = [50 * (0.41 + size / 1000) + images / 1e4 for size in (64, 256)]
        assert list(line.get_ydata()) == pytest.approx(expected)
    for look in ("color", "linestyle", "marker"):
        assert len({getattr(line, f"get_{look}")() for line in lines.values()}) == 3
    alone = replace(SWEEP, compared=grid(images=axes["images"]))
    ax = draw_results(alone, made_up_runs(tmp_path, alone, recall)).axes[0]
    assert list(series_of(ax)) == ["SiMix on"]
    assert ax.get_xlabel() == "images seen"


def test_no_limit_stands_among_the_numbers(tmp_path):
    limits = Sweep("limits", "?", "emoji", ({"clip_norm": 1.0}, {}), tuned={})
    runs = made_up_runs(tmp_path, limits, recall)
    for path in tmp_path.rglob("*.json"):
        result = read_json(path)
        result["validation"] = [line | {"loss": 0.6} for line in result["validation"]]
        write_json(path, result)
    figure = draw_results(limits, load_results(tmp_path), histories=load_histories(tmp_path))
    assert texts_of(figure.axes[0].get_xticklabels()) == ["none", "1.0"]
    assert {line.get_label() for line in figure.axes[1].lines} == {"none", "1"}
    assert len(runs) == 6


def test_the_way_there_stands_beside_the_results(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall, rise=0.1)
    for path in tmp_path.rglob("*.json"):
        result = read_json(path)
        result["validation"][0]["loss"], result["validation"][1]["loss"] = 0.6, 0.4
        write_json(path, result)
    histories = load_histories(tmp_path)
    figure = draw_results(SWEEP, load_results(tmp_path), histories=histories)
    _, recalls, losses = figure.axes
    assert (len(recalls.lines), len(losses.lines)) == (6, 7)  # the latter with the floor
    first = recalls.lines[0]
    assert first.get_label() == "64"
    assert list(first.get_ydata()) == pytest.approx([27.4, 37.4])
    floor = runs.loc[~runs["simix"], "floor"].iloc[0]
    assert list(losses.lines[0].get_ydata()) == pytest.approx([0.6 - floor, 0.4 - floor])
    colours = {line.get_label(): line.get_color() for line in recalls.lines}
    assert len(set(colours.values())) == len(colours) == 3
    assert {line.get_linestyle() for line in recalls.lines} == {"-", "--"}
    assert [texts_of(legend.get_texts()) for legend in figure.legends] == [
        ["SiMix off", "SiMix on"], ["64", "128", "256"],
    ]  # fmt: skip


def test_several_sweeps_stand_on_one_axis(tmp_path):
    other = replace(SWEEP, name="other", compared=grid(ks=((1,), (1, 2))))
    made_up_runs(tmp_path, SWEEP, recall)
    runs = made_up_runs(tmp_path, other, recall, rise=0.1)
    figure = draw_side_by_side([SWEEP, other], runs)
    assert [ax.get_title() for ax in figure.axes] == ["toy", "other"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert [bool(ax.get_ylabel()) for ax in figure.axes] == [True, False]


def test_panels_with_axes_of_their_own_show_short_intervals_and_all_runs_beside_a_failed_one():
    sweeps = [find_sweep(name) for name in ("distorted-circle", "finetuned-circle")]
    runs = project_results()
    together, apart = (draw_side_by_side(sweeps, runs, one_axis=both) for both in (True, False))
    for figure in (together, apart):
        failed, fine = figure.axes
        drawn = [len(line.get_ydata()) for line in failed.lines if line.get_markersize() == 4]
        assert drawn == [5, 5]  # of the other loss, too
        assert not [line for line in fine.lines if line.get_markersize() == 4]
        assert 0 <= failed.get_ylim()[0] < failed.get_ylim()[1] <= 100
    spans = [high - low for low, high in (ax.get_ylim() for ax in apart.axes)]
    assert spans[0] > 20 * spans[1]
    assert "each panel has an axis of its own" in apart.get_supxlabel()
    assert "axis of its own" not in together.get_supxlabel()


def test_sweeps_that_train_different_things_are_called_by_what_they_train():
    sweeps = [find_sweep(name) for name in ("batch-size-finetuned", "distorted-batch-size")]
    figure = draw_side_by_side(sweeps, project_results())
    assert [ax.get_title() for ax in figure.axes] == ["emoji, pretrained", "distorted glyphs"]


def test_all_classes_stand_at_their_number():
    figure = draw_results(find_sweep("emoji-classes"), project_results())
    [axes] = figure.axes
    assert texts_of(axes.get_xticklabels()) == ["100", "200", "400", "600"]
    for bars in axes.containers:
        assert bars.lines[0].get_xdata().tolist() == sorted(bars.lines[0].get_xdata())


def test_figures_together_are_drawn_if_anything_is_stored(tmp_path):
    nothing = load_results(tmp_path / "nothing")
    for name in TOGETHER:
        assert draw_together(name, nothing, tmp_path / "figures") == []
    files = draw_together("simix-gain", project_results(), tmp_path / "figures")
    assert [file.name for file in files] == ["simix-gain.svg", "simix-gain.png", "simix-gain.csv"]
    header, *rows = files[2].read_text().splitlines()
    assert header.startswith(
        "sweep,batch_size,per_class,images,training classes,updates,largest k,"
    )
    assert len(rows) == len(simix_gains(project_results()))


SMALLEST = 8  # points: 11 pixels on a phone, which shows a figure of a notebook at 100 an inch


def test_all_that_is_stored_with_the_project_can_be_drawn():
    for sweep in SWEEPS.values():
        figure = draw_results(sweep, project_results())
        figure.canvas.draw()  # which makes the texts of the ticks
        written = [text for text in figure.findobj(Text) if text.get_text().strip()]
        assert min(text.get_fontsize() for text in written) >= SMALLEST
        for ax in figure.axes:
            low, high = ax.get_ylim()
            heights = [height for line in series_of(ax).values() for height in line.get_ydata()]
            assert all(low < height < high or f"▼ {height:.0f}" in texts_of(ax.texts)
                       for height in heights)  # fmt: skip
        plt.close(figure)
