"""Stored runs as a table: read whole, the user's over the project's, or the bad file is named."""

import json
import math
import random
from dataclasses import asdict, field, make_dataclass, replace

import pytest
from helpers.made_up_runs import made_up_result

from recallkit.config import Config, config_from
from recallkit.errors import RecallkitError
from recallkit.experiments import (
    load_histories,
    load_results,
    project_results,
    results,
    run_key,
)
from recallkit.files import embedded, read_json, write_atomically, write_json
from recallkit.training import train

BASE = Config()


def store(folder, *results):
    for number, result in enumerate(results):
        write_json(folder / f"{number}.json", result)
    return folder


def test_a_row_says_what_the_training_returned(tmp_path, toy_splits):
    config = Config(
        images=32, batch_size=8, evaluations=2, image_size=16, embedding_dim=4, ks=(1, 3)
    )
    result = train(config, tmp_path / "run", splits=toy_splits, progress=False)
    [row] = load_results(store(tmp_path / "results", result)).to_dict("records")
    assert {name: row[name] for name in vars(config)} == vars(config)
    assert (row["sweep"], row["stage"], row["key"]) == ("", "named", run_key(config))
    assert {name: row[name] for name in result["test"]["trained"]} == result["test"]["trained"]
    first, last = result["validation"]
    assert row["validation R@1"] == last["R@1"]
    assert row["validation rise"] == pytest.approx(last["R@1"] - first["R@1"])
    assert (row["steps"], row["images_seen"]) == (4, 32)
    for name in ("seconds", "device", "device_type", "threads", "commit"):
        assert row[name] == result[name]
    assert row["file"] == str(tmp_path / "results" / "0.json")
    pixels = load_results(tmp_path / "results", row="pixels")
    assert pixels["R@1"].tolist() == [result["test"]["pixels"]["R@1"]]
    lines = load_histories(tmp_path / "results").to_dict("records")
    assert [line["R@1"] for line in lines] == [first["R@1"], last["R@1"]]
    assert {line["key"] for line in lines} == {row["key"]}


def test_choices_go_by_the_search_among_the_training_images(tmp_path):
    result = made_up_result(BASE, 0.5, 0.9)
    result["validation"][-1]["among training R@1"] = 0.6
    row = load_results(store(tmp_path, result)).iloc[0]
    assert (row["validation R@1"], row["validation alone R@1"]) == (0.6, 0.5)


def test_metrics_of_other_protocols_are_columns_too(tmp_path):
    result = made_up_result(BASE, 0.5, 0.4)
    result["test"]["trained"]["medium mAP"] = 0.7
    runs = load_results(store(tmp_path, result, made_up_result(replace(BASE, seed=1), 0.5, 0.4)))
    assert runs["medium mAP"].tolist()[0] == 0.7
    assert runs["medium mAP"].isna().tolist() == [False, True]


def test_the_stage_is_the_place(tmp_path):
    tested, tuning = made_up_result(BASE, 0.5, 0.4), made_up_result(BASE, 0.5)
    places = {
        "a.json": tested,
        "ablations/x/b.json": tested,
        "ablations/x/tuning/c.json": tuning,
        "ablations/x/diverged/d.json": {"config": asdict(BASE), "seed": 0, "diverged": "nan"},
        "bench/f.json": {"cases": []},
    }
    for name, value in places.items():
        write_json(tmp_path / name, value)
    runs = load_results(tmp_path)
    assert dict(zip(runs["stage"], runs["sweep"], strict=True)) == {
        "named": "", "final": "x", "tuning": "x", "diverged": "x",
    }  # fmt: skip
    assert set(load_histories(tmp_path)["stage"]) == {"named", "final", "tuning"}


def test_no_folder_holds_no_run(tmp_path):
    for table in (load_results(tmp_path / "gone"), load_histories(tmp_path / "gone")):
        assert len(table) == 0
        assert {"key", "stage", "R@1"} <= set(table.columns)


def test_the_users_runs_lie_over_the_projects(user_results):
    project = project_results()
    assert len(load_results()) == len(project)
    final = project[project["stage"] == "final"].iloc[0]
    config = config_from(read_json(embedded("results") / "first-light-seed0.json")["config"])
    write_json(user_results / "mine.json", made_up_result(config, 0.9, 0.8))
    write_json(user_results / "other.json", made_up_result(replace(config, seed=77), 0.9, 0.8))
    runs = load_results()
    assert len(runs) == len(project) + 1
    same = runs[(runs["key"] == run_key(config)) & (runs["stage"] == "named")]
    assert same["R@1"].tolist() == [0.8]
    assert final["file"] in set(runs["file"])
    assert len(load_results(embedded("results"))) == len(project)


def test_the_projects_runs_are_read_again_only_when_a_file_has_changed(tmp_path, monkeypatch):
    reads = []

    def reading(path):
        reads.append(path)
        return read_json(path)

    monkeypatch.setattr(results, "embedded", lambda name: tmp_path)
    monkeypatch.setattr(results, "read_json", reading)
    store(tmp_path, made_up_result(BASE, 0.5, 0.25))
    for _ in range(2):
        assert load_results(tmp_path)["R@1"].tolist() == [0.25]
    assert len(reads) == 1
    store(tmp_path, made_up_result(BASE, 0.5, 0.125))
    assert load_results(tmp_path)["R@1"].tolist() == [0.125]
    store(tmp_path, made_up_result(BASE, 0.5, 0.125), made_up_result(replace(BASE, seed=1), 0, 1))
    assert load_results(tmp_path)["R@1"].tolist() == [0.125, 1]


def test_the_project_s_runs_are_under_their_keys():
    runs = project_results()
    swept = runs[runs["sweep"] != ""]
    assert len(swept) > 500
    assert all(
        file.endswith(f"/{key}.json") for file, key in zip(swept["file"], swept["key"], strict=True)
    )


def test_what_another_process_is_writing_is_no_run_yet(tmp_path):
    store(tmp_path, made_up_result(BASE, 0.5, 0.4))
    counts = []

    def count(temporary):
        temporary.write_text('{"config": ')
        counts.append(len(load_results(tmp_path)))

    for place in ("", "ablations/a", "ablations/a/tuning"):
        with pytest.raises(ZeroDivisionError):
            write_atomically(tmp_path / place / "1.json", lambda path: [count(path), 1 / 0])
    assert counts == [1, 1, 1]


@pytest.mark.parametrize("name", ["config", "seed", "test", "validation", "device", "commit"])
def test_a_missing_field_is_named_with_its_file(tmp_path, name):
    result = made_up_result(BASE, 0.5, 0.4)
    bad = {key: value for key, value in result.items() if key != name}
    with pytest.raises(RecallkitError, match=rf"1\.json is not a stored run: '{name}'"):
        load_results(store(tmp_path, result, bad))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "holds no object"),
        (made_up_result(BASE, 0.5, 0.4) | {"seconds": "long"}, "'seconds' is missing or wrong"),
        (made_up_result(BASE, 0.5), "'test' has no 'trained'"),
        (made_up_result(BASE, 0.5, 0.4) | {"validation": []}, "'validation' is empty"),
        *(
            (made_up_result(BASE, 0.5, 0.4) | {name: value}, f"'{name}' is not as it was written")
            for name, value in [
                ("test", {"trained": 0.5}),
                ("test", {"trained": {"R@1": "0.5"}}),
                ("test", {"trained": {"R@1": 0.5}, "pixels": []}),
                ("test", {"trained": {"R@1": math.inf}}),
                ("test", {"trained": {"R@1": 10**400}}),
                ("validation", [0.5]),
                ("validation", [{"step": 1, "R@1": [0.5]}]),
                ("class_sizes", [4]),
                ("class_sizes", {"four": 10}),
                ("class_sizes", {"4": "ten"}),
                ("class_sizes", {"0": 1}),
                ("class_sizes", {"9" * 400: 1}),
                ("class_sizes", {"4": 10**400}),
                ("libraries", "torch"),
            ]
        ),
        (made_up_result(BASE, 0.5, 0.4) | {"config": {"sky": 1}}, "sky"),
        (made_up_result(BASE, 0.5, 0.4) | {"config": {"ks": [0]}}, "'config' does not hold"),
    ],
)
def test_a_bad_file_is_named(tmp_path, bad, message):
    with pytest.raises(RecallkitError, match=message) as error:
        load_results(store(tmp_path, bad))
    assert "0.json" in str(error.value)


def test_a_file_that_is_no_json_or_no_diverged_run_is_named(tmp_path):
    write_json(tmp_path / "ablations/x/diverged/a.json", {"config": {"sky": 1}})
    with pytest.raises(RecallkitError, match=r"a\.json.*sky"):
        load_results(tmp_path)
    diverged = {"config": asdict(BASE), "validation": 3}
    write_json(tmp_path / "ablations/x/diverged/a.json", diverged)
    with pytest.raises(RecallkitError, match=r"a\.json is not a stored run: 'validation'"):
        load_results(tmp_path)
    (tmp_path / "cut.json").write_text('{"config": ')
    with pytest.raises(RecallkitError, match=r"cut\.json cannot be read as JSON"):
        load_results(tmp_path)


def test_a_key_is_of_the_values_and_not_of_their_order_or_type():
    config = Config(k_temperature=2.0, ks=(1, 3))
    names = list(vars(config))
    random.Random(0).shuffle(names)
    shuffled = make_dataclass("Shuffled", [(n, object, field(default=None)) for n in names])
    for f in shuffled.__dataclass_fields__.values():
        f.default = Config.__dataclass_fields__[f.name].default
    assert run_key(shuffled(**vars(config))) == run_key(config)
    assert run_key(replace(config, k_temperature=2)) == run_key(config)
    assert run_key(config_from(json.loads(json.dumps(asdict(config))))) == run_key(config)


def test_every_setting_counts_in_a_key():
    keys = {run_key(Config())}
    for name in vars(Config()):
        other = Config()
        object.__setattr__(other, name, "another")  # past what is checked: any value will do
        keys.add(run_key(other))
    assert len(keys) == 1 + len(vars(Config()))


def test_a_field_that_comes_later_leaves_old_keys_alone():
    later = make_dataclass(
        "Later", [("weather", str, field(default="fair"))], bases=(Config,), frozen=True
    )
    assert run_key(later()) == run_key(Config())
    assert run_key(later(weather="foul")) != run_key(Config())


def test_a_key_of_today_is_that_of_tomorrow():
    """Written down: if this fails, stored runs are no longer found by their names."""
    known = read_json(embedded("results") / "first-light-seed0.json")["config"]
    assert run_key(config_from(known)) == "462c2d7ab883"
    assert run_key(config_from(known | {"ks": [1], "simix": False})) == "75eaca583566"


def test_a_file_of_others_among_a_users_results_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("RECALLKIT_RESULTS", str(tmp_path))
    (tmp_path / "other.json").write_text('{"scores": [1, 2]}')
    with pytest.warns(UserWarning, match=r"other\.json is not a stored run, and is left out"):
        assert len(load_results()) == len(project_results())
    with pytest.raises(RecallkitError, match=r"other\.json"):
        load_results(tmp_path)
