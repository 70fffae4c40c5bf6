"""Figures of sweeps: every number is that of the runs, in its place."""

import math
from dataclasses import replace

import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.experiments import (
    SWEEPS,
    Sweep,
    draw_batch_sizes,
    draw_costs,
    draw_equal_updates,
    draw_learning_rates,
    draw_lengths,
    draw_results,
    draw_simix,
    draw_sweep,
    draw_together,
    footnotes,
    is_stored,
    load_histories,
    load_results,
    sweep_summary,
)
from recallkit.experiments.sweeps import grid

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


def notes_of(sweep, runs):
    return footnotes(sweep, sweep_summary(sweep, runs))


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


def test_three_views_of_cost_show_the_same_recalls(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall, rise=0.1)
    axes = draw_costs(SWEEP, runs, load_histories(tmp_path)).axes
    assert [ax.get_xlabel() for ax in axes[:3]] == [
        "images seen", "updates", "processor seconds of training",
    ]  # fmt: skip
    assert [ax.get_title() for ax in axes] == ["", "SiMix off", "", "", "SiMix on", ""]
    first = [ax.lines[0] for ax in axes[:3]]
    assert [line.get_label() for line in axes[0].lines] == ["64", "128", "256"]
    images, updates, seconds = (list(line.get_xdata()) for line in first)
    assert images == [64 * count for count in updates]
    assert seconds == [10.0, 22.0]
    for line in first:
        assert list(line.get_ydata()) == pytest.approx([27.4, 37.4])


@pytest.mark.parametrize(
    ("others", "label", "note"),
    [
        ({"device_type": "cuda", "device": "a GPU"}, "seconds of training", ""),
        ({"device_type": "cuda", "side_by_side": 8}, None, "several runs shared the GPU"),
        ({"device": "another"}, None, "runs were made on a processor and another"),
    ],
)
def test_seconds_are_drawn_where_they_can_be_compared(tmp_path, others, label, note):
    def of_run(config):
        return {} if note.startswith("runs") and config.batch_size > 64 else others

    runs = made_up_runs(tmp_path, SWEEP, recall, others=of_run)
    figure = draw_costs(SWEEP, runs, load_histories(tmp_path))
    labels = ["images seen", "updates", *([label] if label else [])]
    assert [ax.get_xlabel() for ax in figure.axes] == labels * 2
    text = figure.get_supxlabel()
    assert text == (f"seconds are not compared: {note}" if note else "")


def test_each_learning_rate_for_all_is_drawn_from_the_runs_that_tuned(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall)
    runs = runs[runs["stage"] == "tuning"]
    axes = draw_learning_rates(SWEEP, runs).axes
    assert [ax.get_title() for ax in axes] == ["SiMix off", "SiMix on"]
    lines = lines_of(axes[0])
    assert set(lines) == {"0.001 for all", "0.002 for all", "0.004 for all", "the best for each"}
    for rate in (0.001, 0.002, 0.004):
        expected = [100 * (0.3 + size / 1000 - abs(rate - 0.002)) for size in (64, 128, 256)]
        assert list(lines[f"{rate:g} for all"].get_ydata()) == pytest.approx(expected)
    best, second = (lines[name] for name in ("the best for each", "0.002 for all"))
    assert list(best.get_ydata()) == list(second.get_ydata())


def test_a_line_stops_where_a_run_diverged(tmp_path):
    def value(config):
        diverged = config.learning_rate == 0.004 and config.batch_size == 128
        return None if diverged else recall(config)

    ax = draw_learning_rates(SWEEP, made_up_runs(tmp_path, SWEEP, value)).axes[0]
    heights = lines_of(ax)["0.004 for all"].get_ydata()
    assert [math.isnan(height) for height in heights] == [False, True, False]


def test_equal_updates_are_drawn_beside_equal_images(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall, rise=0.1)
    ax = draw_equal_updates(SWEEP, runs, load_histories(tmp_path)).axes[0]
    end_of_128 = 260_000 // 128
    pair = lines_of(ax)[f"{end_of_128:,} updates each"]
    assert list(pair.get_xdata()) == [64, 128]
    assert list(pair.get_ydata()) == pytest.approx([27.4, 43.8], abs=0.01)
    ends = lines_of(ax)["equal images (the ends)"]
    assert list(ends.get_ydata()) == pytest.approx([37.4, 43.8, 56.6])


def test_what_is_drawn_depends_on_what_is_compared(tmp_path):
    def stems(sweep):
        runs = made_up_runs(tmp_path / "results", sweep, recall, rise=0.3)
        assert is_stored(sweep, runs)
        histories = load_histories(tmp_path / "results")
        files = draw_sweep(sweep, runs, histories, tmp_path, "x")
        assert all(file.stat().st_size for file in files)
        return {file.stem for file in files}

    assert stems(SWEEP) == {"x", "x-cost", "x-rates", "x-updates"}
    assert stems(replace(SWEEP, compared=grid(per_class=(2, 4)))) == {"x", "x-cost", "x-rates"}
    assert stems(replace(SWEEP, compared=grid(simix=(True, False)))) == {"x", "x-cost"}
    nothing = load_results(tmp_path / "nothing"), load_histories(tmp_path / "nothing")
    assert not is_stored(SWEEP, nothing[0])
    for draw in (draw_costs, draw_equal_updates):
        assert all(not ax.lines for ax in draw(SWEEP, *nothing).axes)
    assert not draw_learning_rates(SWEEP, nothing[0]).axes[0].lines


@pytest.mark.parametrize(("rise", "rising"), [(0.0049, False), (-0.02, False), (0.0051, True)])
def test_flat_is_no_more_than_half_a_point_at_the_last_evaluation(tmp_path, rise, rising):
    notes = notes_of(SWEEP, made_up_runs(tmp_path, SWEEP, recall, rise))
    expected = ["still rising (by more than 0.5 points at the last evaluation): all"]
    assert notes == (expected if rising else [])


def test_footnotes_name_what_a_reader_must_know(tmp_path):
    def value(config):
        return None if config.batch_size == 64 and config.simix else recall(config)

    def lacks(config):
        return config.batch_size == 128 or (config.batch_size == 256 and config.seed in (1, 2))

    sweep = replace(SWEEP, tuned={"learning_rate": (0.002, 0.02, 0.2)})
    runs = made_up_runs(tmp_path, sweep, value, lacks=lacks)
    assert notes_of(sweep, runs) == [
        "no interval (one seed): batch 256, SiMix off; batch 256, SiMix on",
        "diverged: batch 64, SiMix on",
        "not run: batch 128, SiMix off; batch 128, SiMix on",
    ]
    edge = replace(SWEEP, compared=SWEEP.compared[:1], tuned={"per_class": (2, 4)})
    [note] = notes_of(edge, made_up_runs(tmp_path, edge, lambda c: 0.5 + c.per_class / 100))
    assert note == "per class at the edge of its candidates: batch 256, SiMix on"
    many = replace(SWEEP, compared=grid(rotation=tuple(map(float, range(10)))))
    runs = made_up_runs(tmp_path, many, recall, lacks=lambda c: c.rotation > 0)
    assert notes_of(many, runs) == ["not run: 9 of 10"]


def noise(config):
    return 0.002 * (config.seed % 3 - 1)


def test_sweeps_over_batch_sizes_are_drawn_together(tmp_path):
    for name in ("batch-size-glyphs", "batch-size-glyphs-1m"):
        runs = made_up_runs(
            tmp_path, SWEEPS[name], lambda c: 0.8 - 0.1 * c.simix + noise(c),
            others=lambda c: {"device": f"machine {c.batch_size}"},
        )  # fmt: skip
    figure = draw_batch_sizes(runs)
    titles = ["glyphs\n200,000 images seen", "glyphs\n1,000,000 images seen"]
    assert [ax.get_title() for ax in figure.axes] == titles
    assert texts_of(figure.legends[0].get_texts()) == ["SiMix off", "SiMix on"]
    assert "1,000,000 images seen: on machine 16384 and machine 4096" in figure.get_supxlabel()

    effects = draw_simix(runs)
    [means] = series_of(effects.axes[0]).values()
    assert list(means.get_xdata()) == [512, 4096, 16_384]
    assert list(means.get_ydata()) == pytest.approx([-10, -10, -10])

    lengths = draw_lengths(runs)
    [(label, line)] = series_of(lengths.axes[0]).items()
    assert label == "glyphs, SiMix off: 4,096 − 512"
    assert list(line.get_xdata()) == [200_000, 1_000_000]
    assert line.get_color() == means.get_color()  # what is trained has one colour
    assert "the smaller on machine 512, the larger on machine 4096" in lengths.get_supxlabel()


def test_names_of_a_users_sweep_are_no_formulas(tmp_path):
    names = ("Ba$$in", "a$\\frac{$", "_hidden")
    sweep = Sweep("mine", "Which costs 5$, and which 6$_? \n北京", "emoji",
                  grid(dataset=names, batch_size=(64, 128)),
                  tuned={"learning_rate": (0.001, 0.002, 0.004)})  # fmt: skip
    figure = draw_results(sweep, made_up_runs(tmp_path, sweep, lambda config: 0.5))
    figure.canvas.draw()
    assert figure.get_suptitle() == "Which costs 5$, and which 6$_?  □□"
    drawn = [text.get_text() for legend in _legends(figure) for text in legend.get_texts()]
    drawn += [text.get_text() for ax in figure.axes for text in ax.get_xticklabels()]
    assert all(any(name in text for text in drawn) for name in names)


def _legends(figure):
    return [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]


def test_figures_together_are_drawn_if_anything_is_stored(tmp_path):
    nothing = load_results(tmp_path / "nothing")
    for name in ("batch-sizes", "simix", "lengths"):
        assert draw_together(name, nothing, tmp_path / "figures") == []
    runs = made_up_runs(tmp_path, SWEEPS["batch-size"], lambda c: 0.5 + noise(c))
    files = draw_together("simix", runs, tmp_path / "figures")
    assert [file.name for file in files] == ["simix.svg", "simix.png", "simix.csv"]
    header, *rows = files[2].read_text().splitlines()
    assert header == "sweep,dataset,trained,images,batch_size,change,margin,p,of,verdict"
    assert len(rows) == 4
    assert draw_batch_sizes(nothing).axes[0].texts[0].get_text() == "not run"


def test_all_that_is_stored_with_the_project_can_be_drawn():
    runs = load_results()
    axes = draw_batch_sizes(runs).axes
    assert len(axes) == 9
    limits = [ax.get_ylim() for ax in axes]
    assert len({round(high - low, 6) for low, high in limits}) == 1  # a point is as high in each
    for ax, (low, high) in zip(axes, limits, strict=True):
        heights = [height for line in series_of(ax).values() for height in line.get_ydata()]
        assert low < min(heights) <= max(heights) < high
    for sweep in SWEEPS.values():
        draw_results(sweep, runs)
