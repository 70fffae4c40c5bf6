"""Declarations: those of the package hold together, one's own are read, bad ones are named."""

import json
from pathlib import Path

import pytest

from recallkit.config import PRESETS
from recallkit.errors import RecallkitError
from recallkit.experiments.sweep_files import (
    SWEEPS,
    find_sweep,
    keep_sweep,
    kept_sweeps,
    write_example,
)
from recallkit.experiments.sweeps import Sweep, grid, scaled
from recallkit.files import write_atomically

TOML = """
name = "turning"
question = "How far?"
preset = "emoji"
seeds = [0, 1]
[base]
images = 4000
[grid]
rotation = [0.0, 45.0]
ks = [[1], [1, 2]]
[tuned]
learning_rate = [0.001, 0.002]
"""


@pytest.mark.parametrize("name", SWEEPS)
def test_every_declared_setting_is_a_config_of_its_own(name):
    sweep = find_sweep(name)
    assert sweep.name == name
    configs = [sweep.config(setting) for setting in sweep.compared]
    assert len(set(configs)) == len(configs)
    assert len(sweep.seeds) >= 3
    for config in configs:
        for candidates in sweep.tuned.values():
            assert len(candidates) >= 3
        assert config.images == configs[0].images or "images" in sweep.axes  # equal for all


def test_batch_sizes_fit_the_emoji():
    assert max(s["batch_size"] for s in SWEEPS["batch-size"].compared) <= 2400


def test_a_preset_is_looked_up_only_when_used(monkeypatch):
    monkeypatch.delitem(PRESETS, "glyphs-short", raising=False)
    sweep = find_sweep("distorted-ks")
    with pytest.raises(RecallkitError, match="needs the preset 'glyphs-short'; did you mean"):
        sweep.config(sweep.compared[0])


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(TOML)
    sweep = find_sweep(str(path))
    assert sweep.compared == grid(rotation=(0.0, 45.0), ks=((1,), (1, 2)))
    assert sweep.config(sweep.compared[1]).ks == (1, 2)
    assert (sweep.base, sweep.seeds) == ({"images": 4000}, (0, 1))
    listed = {"name": "own", "question": "?", "preset": "emoji", "compared": [{"flip": True}]}
    path.with_suffix(".json").write_text(json.dumps(listed))
    assert find_sweep(str(path.with_suffix(".json"))).compared == ({"flip": True},)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "own.toml does not declare a sweep"),
        (
            TOML.replace("rotation", "rotatoin"),
            "there is no setting 'rotatoin'; did you mean rotation",
        ),
        (TOML.partition("[grid]")[0], r"either \[grid\] or \[\[compared\]\]"),
        (TOML.replace("0.001, 0.002", "0.002, 0.001"), "candidates, ascending"),
        (TOML.replace("rotation = [0.0, 45.0]", "learning_rate = [1.0]"), "compared and tuned"),
        (TOML.replace("seeds = [0, 1]", "seeds = [0, 0]"), "seeds must be different"),
        (TOML.replace("seeds = [0, 1]", "seeds = [1000]"), "not 1000, the seed of the tuning"),
        (TOML.replace('"turning"', '"../up"'), "name must be of small letters"),
        (TOML.replace('"turning"', '"con"'), "name must be of small letters"),
        (TOML.replace("question", "qestion"), "no key 'qestion'; did you mean question.* keys are"),
        (TOML.replace("[tuned]", "[learning_rates]"), r"no key 'learning_rates'; keys are name, "),
        (TOML.replace('question = "How far?"', ""), "the key 'question' is missing; keys are"),
        (TOML.replace('"turning"', "3"), "name must be text, not 3"),
        (
            TOML.replace("seeds = [0, 1]", "seeds = 3"),
            "seeds must be a list of whole numbers, not 3",
        ),
        (
            TOML.replace("seeds = [0, 1]", "seeds = [0, -1]"),
            "seeds must be a list of whole numbers",
        ),
        (
            TOML.replace("[0.0, 45.0]", "45.0"),
            r"\[grid\] rotation must be a list of values, not 45",
        ),
        (
            TOML.replace("[0.0, 45.0]", "[]"),
            r"\[grid\] rotation must be a list of values, not \[\]",
        ),
        (TOML.replace("45.0]", "900]"), r"\[grid\] rotation must lie between 0 and 180, not 900"),
        (TOML.replace("45.0]", "nan]"), r"\[grid\] rotation must lie between 0 and 180, not nan"),
        (TOML.replace("= 4000", "= '4000'"), r"\[base\] images must be a whole number .*'4000'"),
        (TOML.replace("= 4000", "= true"), r"\[base\] images must be a whole number .* not True"),
        (TOML.replace("[1, 2]]", "[1, 'a']]"), r"\[grid\] ks must be a list of whole numbers"),
        (TOML.replace("0.001, ", "'a', "), r"\[tuned\] learning_rate must lie between 0 and 10"),
        (TOML.replace("images = 4000", "seed = 3"), "no setting 'seed'"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, text, message):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(RecallkitError, match=message) as error:
        find_sweep(str(tmp_path / "own.toml"))
    assert "own.toml" in str(error.value)


@pytest.mark.parametrize("text", ["[1]", "3", '{"name": "a", "compared": 3}'])
def test_a_bad_json_file_is_named(tmp_path, text):
    (tmp_path / "own.json").write_text(text)
    with pytest.raises(RecallkitError, match=r"own\.json does not declare a sweep: "):
        find_sweep(str(tmp_path / "own.json"))


def test_settings_that_do_not_go_together_are_named_when_they_are_used():
    sweep = Sweep("a", "?", "emoji", ({"batch_size": 64, "ks": (100,)},))
    with pytest.raises(RecallkitError, match=r"sweep a, .*: ks must not exceed the batch size"):
        sweep.config(sweep.compared[0])


def test_values_take_the_type_of_their_setting(tmp_path):
    """A step beyond the candidates needs floats, and TOML writes 1 where 1.0 is meant."""
    own = Sweep("a", "?", "emoji", ({"rotation": 0},), tuned={"weight_decay": (0, 1)})
    assert type(own.compared[0]["rotation"]) is float
    assert [type(value) for value in own.tuned["weight_decay"]] == [float, float]


def test_a_sweep_that_has_run_is_known_by_name(tmp_path, user_results):
    (tmp_path / "file.toml").write_text(TOML)
    sweep = find_sweep(str(tmp_path / "file.toml"))
    keep_sweep(sweep, user_results)
    assert find_sweep("turning") == sweep
    assert list(kept_sweeps()) == ["turning"]
    keep_sweep(SWEEPS["distorted-ks"], user_results)
    assert list(kept_sweeps()) == ["turning"]
    with pytest.raises(RecallkitError, match="no sweep 'turnig'; did you mean turning"):
        find_sweep("turnig")


def test_the_example_is_a_sweep_and_the_one_of_the_guide(tmp_path):
    path = tmp_path / "My first_sweep.toml"
    write_example(path)
    sweep = find_sweep(str(path))
    assert sweep.name == "my-first-sweep"
    assert [sweep.config(setting).rotation for setting in sweep.compared] == [0.0, 15.0, 45.0]
    with pytest.raises(RecallkitError, match="exists already"):
        write_example(path)
    with pytest.raises(RecallkitError, match=r"TOML: name a file such as own\.toml"):
        write_example(tmp_path / "own.txt")
    for name in ("con", "Ä", "-"):
        write_example(tmp_path / f"{name}.toml")
        assert find_sweep(str(tmp_path / f"{name}.toml")).name
    guide = Path(__file__).resolve().parents[2] / "notebooks" / "guide" / "sweeps.md"
    write_example(tmp_path / "my-sweep.toml")
    example = (tmp_path / "my-sweep.toml").read_text(encoding="utf-8")
    assert example in guide.read_text(encoding="utf-8")


def test_a_bad_name_has_its_remedy(tmp_path):
    with pytest.raises(RecallkitError, match=r"no sweep 'size'; there are batch-size, .*own"):
        find_sweep("size")
    with pytest.raises(RecallkitError, match="there is no file"):
        find_sweep(str(tmp_path / "gone.toml"))


def test_scaled_changes_images_and_seeds_alone():
    sweep = SWEEPS["distorted-ks"]
    other = scaled(sweep, 9000, (5, 6))
    assert (other.base["images"], other.seeds, other.compared) == (9000, (5, 6), sweep.compared)
    assert scaled(sweep) == sweep


def test_a_file_more_is_a_sweep_more(user_results):
    folder = user_results / "sweeps"
    assert kept_sweeps() == {}
    folder.mkdir(parents=True)
    (folder / "turning.toml").write_text(TOML)
    assert kept_sweeps()["turning"].question == "How far?"
    (folder / "bad.toml").write_text("name = ")
    assert find_sweep("turning").name == "turning"  # the other one is read when it is asked for
    for ask in (kept_sweeps, lambda: find_sweep("bad")):
        with pytest.raises(RecallkitError, match=r"bad\.toml"):
            ask()


def test_a_file_that_is_being_written_is_no_sweep_yet(user_results):
    seen = []
    path = user_results / "sweeps" / "turning.json"
    write_atomically(path, lambda temporary: seen.append(kept_sweeps()))
    assert seen == [{}]


def test_settings_stand_in_the_order_of_their_values():
    sizes = Sweep("a", "?", "emoji", grid(batch_size=(128, 2048, 32, 512), simix=(True, False)))
    assert [s["batch_size"] for s in sizes.in_order()] == [32, 32, 128, 128, 512, 512, 2048, 2048]
    assert [s["simix"] for s in sizes.in_order()] == [False, True] * 4
    cut_offs = Sweep("a", "?", "emoji", grid(ks=((1, 2, 4), (16,), (1, 2), (2,))))
    assert [s["ks"] for s in cut_offs.in_order()] == [(2,), (16,), (1, 2), (1, 2, 4)]
    limits = Sweep("a", "?", "emoji", grid(clip_norm=(1.0, None, 0.1)))
    assert [s["clip_norm"] for s in limits.in_order()] == [None, 0.1, 1.0]
    words = Sweep("a", "?", "emoji", grid(loss=("recall@k", "circle", "nt-xent")))
    assert words.in_order() == list(words.compared)
    lacking = Sweep("a", "?", "emoji", ({"flip": True}, {}, {"flip": True, "per_class": 2}))
    assert lacking.in_order() == [{}, {"flip": True, "per_class": 2}, {"flip": True}]
