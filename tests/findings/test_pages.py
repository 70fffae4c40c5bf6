"""The pages say what the project's results say, and the tables what their runs say."""

import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.figures import drawn_figures, legends_cut_off, small_texts
from helpers.made_up_runs import made_up_result, made_up_runs

from recallkit.config import PRESETS, config_from
from recallkit.experiments import SWEEPS, load_results
from recallkit.experiments.sweep_tables import reference_of
from recallkit.files import embedded, read_json, write_json
from recallkit.findings import page_tables
from recallkit.findings.pages import (
    COPIED,
    LARGE_FOLDERS,
    PAGES,
    PAGES_FIGURES,
    SHOWN,
    copy_shown,
    draw_shown,
    filled,
    near_duplicates,
    photographs,
)
from recallkit.gallery.duplicates import THRESHOLD

ROOT = Path(__file__).resolve().parents[2]
RESULTS = embedded("results")
COUNTS = {"R@1": 0.5, "R@2": 0.6, "R@4": 0.7, "R@8": 0.8, "mAP@R": 0.25}


def rows_of(text):
    """The cells of all tables, without header and rule."""
    tables = [part.splitlines()[2:] for part in text.split("\n\n") if part.startswith("|")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for lines in tables for line in lines
    ]


def blocks():
    return [(page, name) for page, blocks in PAGES.items() for name in blocks]


@pytest.mark.parametrize("page", [page for page in PAGES if (ROOT / page).exists()])
def test_a_page_is_what_the_stored_results_give(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert filled(page, text, RESULTS) == text


@pytest.mark.parametrize(("page", "name"), blocks())
def test_tables_are_narrow_and_say_where_they_are_from(page, name):
    """On the page, which has what the results give: see the test above."""
    stored = (ROOT / page).read_text(encoding="utf-8")
    text = stored.split(f"<!-- begin {name} -->")[1].split(f"<!-- end {name} -->")[0].strip()
    assert max(len(row) for row in rows_of(text)) <= 9
    lines = [line for line in text.splitlines() if not line.startswith("|")]
    assert max(map(len, lines)) <= 120
    assert "commit" in text or "`data/results" in text


@pytest.mark.parametrize(("page", "name"), blocks())
def test_a_block_without_results_says_so(tmp_path, page, name):
    assert PAGES[page][name](tmp_path).startswith("Nothing is stored.")


def test_a_block_must_be_there_once():
    marks = "<!-- begin first-light -->\nold\n<!-- end first-light -->"
    assert "old" not in filled("README.md", f"before {marks} after", RESULTS)
    for text, count in (("nothing", 0), (marks + marks, 2)):
        with pytest.raises(ValueError, match=f"README.md .*'first-light' once, not {count} times"):
            filled("README.md", text, RESULTS)


def test_the_users_results_do_not_count(user_results):
    before = PAGES["README.md"]["first-light"](RESULTS)
    write_json(user_results / "mine.json", made_up_result(PRESETS["emoji"], 0.99, 0.99))
    assert PAGES["README.md"]["first-light"](RESULTS) == before


def store_named(folder, config, values, name="run", **others):
    for seed, value in enumerate(values):
        result = made_up_result(replace(config, seed=seed), 0.5, value, **others)
        result["test"] |= {row: dict(COUNTS) for row in ("pixels", "untrained")}
        result["test"]["trained"] = {**COUNTS, "R@1": value}
        write_json(folder / f"{name}-{seed}.json", result)


def test_first_light_has_mean_and_interval_of_its_seeds(tmp_path):
    store_named(tmp_path, PRESETS["emoji"], [0.5, 0.6, 0.55], libraries={"torch": "9.9"})
    text = page_tables.first_light(tmp_path)
    pixels, untrained, trained = rows_of(text)
    assert pixels == ["raw pixels", "50.0", "60.0", "70.0", "80.0", "25.0"]
    assert untrained[0] == "network, untrained"
    margin = 4.3027 * statistics.stdev([50, 60, 55]) / 3**0.5
    assert trained == ["network, trained", f"55.0 ± {margin:.1f}", "60.0", "70.0", "80.0", "25.0"]
    assert "3 seeds; a processor, 1 thread, 10 to 12 s a run" in text.replace("\n", " ")
    assert "torch 9.9" in text


def test_benchmarks_are_of_runs_with_a_name_and_of_presets(tmp_path):
    store_named(tmp_path, replace(PRESETS["sop-resnet50"], root="x"), [0.8], name="sop")
    sweep = replace(SWEEPS["batch-size-finetuned"], base={}, compared=({"batch_size": 512},))
    made_up_runs(tmp_path, replace(sweep, tuned={"learning_rate": (0.0005, 0.001, 0.002)}),
                 lambda c: 0.5 + c.seed % 3 / 100 - 2 * abs(c.learning_rate - 0.001))  # fmt: skip
    swept, named = rows_of(page_tables.benchmarks(tmp_path))
    assert named[:6] == ["sop", "resnet50", "4,000", "55 epochs", "80.0", "25.0"]
    assert named[6:] == ["0", "a processor", "abc1234"]
    assert swept[1:4] == ["packaged/efficientnet_lite0", "512", "18,432 images"]
    assert swept[6] == "0, 1, 2"
    store_named(tmp_path, PRESETS["emoji-finetuned"], [0.9], name="again")
    again = rows_of(page_tables.benchmarks(tmp_path))
    assert sorted(row[6] for row in again) == ["0", "0, 1, 2"]


def test_sweeps_have_a_verdict_for_each_setting(tmp_path):
    def value(config):
        worse = 0.1 * (config.loss == "circle") + 0.05 * (config.loss == "triplet") * config.seed
        return 0.5 + config.seed % 3 / 1000 - worse % 1

    made_up_runs(tmp_path, SWEEPS["emoji-losses"], value, lacks=lambda c: c.loss == "smooth-ap")
    text = page_tables.sweeps(tmp_path)
    assert text.count("**`") == 1
    rows = {row[0]: row for row in rows_of(text)}
    assert "Smooth-AP" not in rows
    assert rows["RS@k"][4:7] == ["–", "", ""]
    assert rows["circle"][4] == "RS@k"
    assert rows["circle"][5].startswith("−10.0 ± ")
    assert rows["circle"][6] == "falls"
    assert rows["contrastive"][6] == "no difference seen"
    assert "*Welch’s tests, Holm’s correction over 6 comparisons; not run: “Smooth-AP”*" in text


@pytest.mark.parametrize(
    ("values", "reference"),
    [
        ({"batch_size": 512, "simix": False}, {"batch_size": 128, "simix": False}),
        ({"batch_size": 512, "simix": True}, {"batch_size": 128, "simix": True}),
        ({"batch_size": 128, "simix": False}, {"batch_size": 128, "simix": True}),
        ({"batch_size": 128, "simix": True}, {"batch_size": 128, "simix": True}),
    ],
)
def test_a_setting_is_compared_with_the_presets_at_the_same_simix(values, reference):
    assert reference_of(SWEEPS["batch-size"], values) == reference


def test_a_preset_that_is_not_compared_gives_way_to_the_first_declared():
    long = {"images": 400_000, "batch_size": 2048}
    reference = {"images": 400_000, "batch_size": 512}
    assert reference_of(SWEEPS["emoji-lengths"], long) == reference


def test_baselines_come_from_runs_or_from_a_measurement(tmp_path):
    write_json(tmp_path / "baselines" / "glyphs.json", {"test": {"pixels": COUNTS}})
    [pixels] = rows_of(page_tables.baselines("glyphs", tmp_path))
    assert pixels == ["raw pixels", "50.0", "60.0", "70.0", "80.0", "25.0"]
    store_named(tmp_path, PRESETS["glyphs-cpu"], [0.8, 0.81, 0.82])
    pixels, untrained, trained = rows_of(page_tables.baselines("glyphs", tmp_path))
    assert (pixels[1], untrained[1]) == ("50.0", "50.0")
    assert trained[0] == "preset `glyphs-cpu`, 3 seeds"
    assert trained[1] == "81.0 ± 2.5"


def test_the_figures_of_the_pages_can_be_drawn_again(tmp_path):
    for name in ("batch-size", "distorted-batch-size"):
        shutil.copytree(RESULTS / "ablations" / name, tmp_path / "ablations" / name)
    with drawn_figures() as figures:
        files = draw_shown(tmp_path, tmp_path / "figures")
    assert [file.name for file in files] == [f"{name}.png" for name in SHOWN]
    assert [texts for fig in figures if (texts := small_texts(fig))] == []
    assert [boxes for fig in figures if (boxes := legends_cut_off(fig))] == []
    assert all(file.stat().st_size for file in files)


def test_the_figures_of_the_guide_are_those_of_the_results(tmp_path):
    shown = RESULTS.parents[1] / PAGES_FIGURES
    copies = copy_shown(RESULTS, tmp_path)
    assert [copy.read_bytes() for copy in copies] == [
        (shown / copy.name).read_bytes() for copy in copies
    ]
    names = {path.name for path in shown.iterdir()}
    assert names == {f"{name}.png" for name in SHOWN} | {name.split("/")[1] for name in COPIED}


@pytest.fixture
def heads():
    """The heads among which the preset ``photos`` was chosen."""
    return pd.DataFrame(read_json(RESULTS / "photos" / "choice.json")["runs"])


def test_the_preset_for_photographs_is_the_best_of_what_was_compared(heads):
    preset = PRESETS["photos"]
    base = config_from(read_json(RESULTS / "photos" / "choice.json")["base"])
    chosen = ("dataset", "image_size", "epochs", "learning_rate")
    assert replace(base, **{name: getattr(preset, name) for name in chosen}) == preset
    sizes = heads[heads["folder"].isin(LARGE_FOLDERS)]
    sizes = sizes[(sizes["learning_rate"] == 1e-3) & (sizes["epochs"] == 20)]
    assert sizes.groupby("image_size")["trained"].mean().idxmax() == preset.image_size
    of_size = heads[heads["image_size"] == preset.image_size]
    assert set(of_size["folder"]) == {*LARGE_FOLDERS, "small", "tiny"}
    means = of_size.groupby(["learning_rate", "epochs"])["trained"].mean()
    assert means.idxmax() == (preset.learning_rate, preset.epochs)


def test_what_the_guide_says_of_heads_on_photographs(heads):
    preset = PRESETS["photos"]
    of_size = heads[heads["image_size"] == preset.image_size]
    means = of_size.groupby(["learning_rate", "epochs", "folder"])[["features", "trained"]].mean()
    chosen = means.loc[(preset.learning_rate, preset.epochs)]
    gain = 100 * (chosen["trained"] - chosen["features"])
    assert gain["objects"] > 8  # "9 points on objects"
    assert 3 < gain["drawings"] < 5  # "4 on drawings"
    assert 0 <= gain["places"] < 1  # "next to nothing on places"
    assert 5.5 < gain["small"] < 6.5  # "6 with 30 classes"
    assert 0 < gain["tiny"] < 1.5  # "1 with 12"
    tiny = 100 * means.xs("tiny", level="folder")
    assert (tiny.loc[0.004, "trained"] < tiny.loc[0.004, "features"] - 7).all()  # "7 to 16 below"
    by_size = heads[(heads["folder"] == "places") & (heads["learning_rate"] == 1e-3)]
    assert by_size.groupby("image_size")["trained"].mean().idxmin() == preset.image_size


def test_the_table_of_heads_has_a_row_a_setting(heads):
    text = photographs(RESULTS)
    rows = rows_of(text)
    assert [row[0] for row in rows[:4]] == ["96", "128", "160", "224"]
    assert len(rows) == 4 + 16
    one = heads[(heads["folder"] == "objects") & (heads["image_size"] == 96)]
    one = one[(one["learning_rate"] == 1e-3) & (one["epochs"] == 20)]
    features, trained = (100 * statistics.mean(one[name]) for name in ("features", "trained"))
    assert rows[0][1] == f"{features:.1f} → {trained:.1f}"


def test_the_threshold_of_near_duplicates_separates_copies_from_other_drawings():
    stored = read_json(RESULTS / "duplicates" / "near-duplicates.json")
    *copies, crop, same, other = [row[str(THRESHOLD)] for row in stored["rows"]]
    assert min(copies) > 0.9  # "nine in ten or more"
    assert max(same, other) < 0.05  # "few others"
    assert crop < 0.5  # "crops need less"
    rows = rows_of(near_duplicates(RESULTS))
    assert len(rows) == 8
    assert rows[0][0] == "JPEG of quality 50"
    assert float(rows[-1][2].removesuffix(" %")) == pytest.approx(100 * other, abs=0.051)


def test_what_the_page_says_of_the_two_searches_of_validation_images():
    runs = load_results(RESULTS)
    runs = (
        100
        * runs.loc[
            (runs["stage"] == "final") & runs["distractors"],
            ["validation alone R@1", "validation R@1", "R@1"],
        ]
    )
    failed = runs["R@1"] < 10  # the shortest trainings end at 15 and more
    assert f"left out: {failed.sum()} far below their seeds or below 5 %;" in " ".join(
        page_tables.validation(RESULTS).split()
    )
    runs = runs[~failed]
    assert (runs["validation R@1"] - runs["R@1"]).abs().mean() < 5  # "within a few points"
    assert (runs["validation alone R@1"] - runs["R@1"]).min() > 12
    slopes = [np.polyfit(runs[name], runs["R@1"], 1)[0] for name in runs.columns[:2]]
    assert 1.2 < slopes[0] < 1.45  # "about one and a third"
    assert 0.85 < slopes[1] < 1.2  # "about a point"
    orders = runs.corr("spearman")["R@1"]
    assert orders.iloc[:2].min() > 0.9
    assert abs(orders.iloc[0] - orders.iloc[1]) < 0.05  # "equally well"
    alone, among = rows_of(page_tables.validation(RESULTS))
    assert float(alone[3]) == pytest.approx(slopes[0], abs=0.006)
    assert float(among[4]) == pytest.approx(orders["validation R@1"], abs=0.0006)


def test_two_runs_say_nothing_of_the_search_of_validation_images(tmp_path):
    assert page_tables.validation(tmp_path) == page_tables.NOTHING
