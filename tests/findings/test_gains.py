"""What SiMix and a larger batch add: the pairs, and the numbers of each."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.config import PRESETS
from recallkit.constants import PAPERS_KS, SIMIX_KS
from recallkit.experiments import Sweep, compare, keep_sweep, load_results
from recallkit.experiments.sweeps import grid
from recallkit.files import read_json, write_json
from recallkit.findings import batch_gains, draw_batch_gain, draw_simix_gain, simix_gains
from recallkit.findings.gains import trained_in_words, trained_on

SWEEP = Sweep(
    "toy", "?", "emoji", grid(batch_size=(512, 128), images=(65_000, 260_000), simix=(False, True)),
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)  # fmt: skip
FLOOR = 0.10605  # of emoji without SiMix


def recall(config):
    gain = 0.1 * config.simix * (config.batch_size == 128)
    return 0.3 + config.batch_size / 10_000 + gain + config.seed % 3 / 1000


@pytest.fixture
def runs(tmp_path):
    return made_up_runs_with_losses(tmp_path, recall)


def made_up_runs_with_losses(folder, recall):
    """Runs of a sweep whose batches of 512 end at a loss of 0.5, and those of 128 at 0.2."""
    made_up_runs(folder, SWEEP, recall)
    for path in folder.rglob("*.json"):
        result = read_json(path)
        result["validation"][-1]["loss"] = 0.5 if result["config"]["batch_size"] == 512 else 0.2
        write_json(path, result)
    return load_results(folder)


def test_a_gain_of_simix_is_that_of_two_settings_equal_in_all_else(runs):
    gains = simix_gains(runs).sort_values(["batch_size", "images"])
    assert gains["batch_size"].tolist() == [128, 128, 512, 512]
    assert gains["images"].tolist() == [65_000, 260_000] * 2
    assert gains["change"].tolist() == pytest.approx([0.1, 0.1, 0, 0])
    assert gains["distance"].tolist() == pytest.approx(
        [0.2 - FLOOR] * 2 + [0.5 - FLOOR] * 2, abs=1e-4
    )
    assert gains["updates"].tolist() == [65_000 // 128, 260_000 // 128, 126, 507]
    assert set(gains["training classes"]) == {600}
    finals = runs[(runs["stage"] == "final") & (runs["batch_size"] == 128)]
    sides = [group["R@1"] for _, group in finals[finals["images"] == 65_000].groupby("simix")]
    assert gains["margin"].iloc[0] == pytest.approx(compare(*sides).margin)


def test_runs_that_two_sweeps_share_count_once(runs, user_results):
    for name in ("one", "two"):
        keep_sweep(replace(SWEEP, name=name), user_results)
    assert len(simix_gains(runs)) == 4


def test_a_mean_with_a_collapsed_run_is_marked_and_not_drawn(tmp_path):
    def collapsing(config):
        fails = config.simix and config.batch_size == 512 and config.images == 65_000
        return 0.01 if fails and config.seed == 1 else recall(config)

    runs = made_up_runs_with_losses(tmp_path, collapsing)
    gains = simix_gains(runs)
    marked = gains[gains["far apart"]]
    assert marked[["batch_size", "images"]].to_numpy().tolist() == [[512, 65_000]]
    figure = draw_simix_gain(runs)
    assert len(figure.axes[0].collections[1].get_offsets()) == len(gains) - 1 == 3
    assert "left out: 1 with a run more than 20 points below" in figure.axes[0].get_xlabel()


def test_a_loss_without_a_floor_has_no_distance(tmp_path):
    sweep = replace(SWEEP, compared=grid(loss=("triplet",), simix=(False, True)))
    assert simix_gains(made_up_runs(tmp_path, sweep, recall)).empty


def test_a_gain_of_a_batch_is_against_the_reference_after_equal_images(runs, user_results):
    keep_sweep(SWEEP, user_results)
    gains = batch_gains(runs)
    assert gains["batch_size"].tolist() == [128, 512] * 4
    same = gains[gains["batch_size"] == 512]
    assert same["change"].tolist() == [0] * 4
    assert same["margin"].isna().all()
    other = gains[gains["batch_size"] == 128]
    assert other["batch / classes"].tolist() == pytest.approx([128 / 600] * 4)
    assert other["change"][~other["simix"]].tolist() == pytest.approx([-0.0384] * 2)
    assert other["change"][other["simix"]].tolist() == pytest.approx([0.0616] * 2)
    assert batch_gains(runs, reference=128)["batch_size"].tolist() == [128, 512] * 4
    assert batch_gains(runs, reference=64).empty


def test_gains_of_batches_are_those_of_the_papers_cut_offs(tmp_path, user_results):
    own = replace(SWEEP, compared=grid(batch_size=(512, 128), ks=(PAPERS_KS, SIMIX_KS)))
    made_up_runs(tmp_path, own, recall)
    keep_sweep(own, user_results)
    gains = batch_gains(load_results(tmp_path))
    assert gains["batch_size"].tolist() == [128, 512]
    assert set(gains["largest k"]) == {16}


def test_gains_of_batches_are_those_of_recall_at_k(runs, user_results):
    losses = ("recall@k", "triplet")
    sweep = replace(SWEEP, name="toy-losses", compared=grid(batch_size=(512, 128), loss=losses))
    made_up_runs(user_results, sweep, recall)
    keep_sweep(sweep, user_results)
    gains = batch_gains(load_results(user_results))
    assert gains["batch_size"].tolist() == [128, 512]


def test_past_sweeps_are_left_out_of_the_gains_of_batches(runs):
    assert batch_gains(runs).empty
    assert not simix_gains(runs).empty


def test_a_point_of_the_figures_is_a_row(runs, user_results):
    keep_sweep(SWEEP, user_results)
    ax = draw_simix_gain(runs).axes[0]
    points = ax.collections[1].get_offsets().tolist()
    rows = simix_gains(runs)[["distance", "change"]].to_numpy() * [1, 100]
    assert np.array(sorted(points)) == pytest.approx(np.array(sorted(rows.tolist())))
    [ax] = draw_batch_gain(runs).axes
    assert ax.get_title(loc="left") == "emoji, 600 classes"
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [
        "65,000 images",
        "65,000 images, SiMix",
        "260,000 images",
        "260,000 images, SiMix",
    ]


def test_the_gain_of_simix_is_drawn_against_other_columns_of_what_is_alike(runs):
    figure = draw_simix_gain(runs, "per_class", {"emoji": {"batch_size": 128, "images": 65_000}})
    [ax] = figure.axes
    assert ax.get_xlabel() == "images of a class in a batch, at most"
    assert ax.collections[1].get_offsets().tolist() == [pytest.approx([4, 10])]
    figure = draw_simix_gain(runs, "training classes", {"emoji": {"images": 260_000}})
    offsets = figure.axes[0].collections[1].get_offsets()
    assert sorted(offsets.tolist()) == [pytest.approx([600, 0]), pytest.approx([600, 10])]


def test_nothing_is_drawn_of_nothing(tmp_path):
    nothing = load_results(tmp_path)
    for draw in (draw_simix_gain, draw_batch_gain):
        assert draw(nothing).axes[0].get_legend() is None


def test_what_is_trained_in_words():
    kinds = [PRESETS[name] for name in ("emoji", "emoji-frozen", "emoji-finetuned")]
    words = ["emoji", "emoji, frozen features", "emoji, pretrained"]
    assert [trained_on(vars(config)) for config in kinds] == words
    assert trained_in_words("glyphs-distorted, pretrained") == "distorted glyphs, pretrained"
    assert trained_in_words("emoji") == "emoji"
