"""The store of runs: read whole, or the bad file named."""

import json
from dataclasses import asdict, replace

import pytest

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.experiments.store import by_setting, config_of, load_results, select, tuned
from recallkit.training.loop import train

BASE = Config()


def result(validation=0.5, test=0.4, **settings):
    config = replace(BASE, **settings)
    return {
        "config": asdict(config),
        "seed": config.seed,
        "test": {"trained": {"R@1": test}},
        "validation": [{"R@1": 0.9}, {"R@1": validation}],
        "seconds": 1.5,
        "device": "a processor",
        "commit": "abc",
    }


def store(folder, *values):
    for number, value in enumerate(values):
        (folder / f"{number}.json").write_text(json.dumps(value))
    return folder


def test_what_training_returns_is_what_the_store_holds(tmp_path, toy_splits):
    config = Config(images=16, batch_size=8, evaluations=1, image_size=16, embedding_dim=4)
    result = train(config, tmp_path / "run", splits=toy_splits, progress=False)
    [stored] = load_results(store(tmp_path, result))
    assert stored == json.loads(json.dumps(result))
    assert config_of(stored) == config


def test_no_folder_holds_no_run(tmp_path):
    assert load_results(tmp_path / "gone") == []


def test_what_lies_in_the_checkout_is_whole():
    assert isinstance(load_results(), list)


@pytest.mark.parametrize("field", ["config", "seed", "test", "validation", "device", "commit"])
def test_a_missing_field_is_named_with_its_file(tmp_path, field):
    bad = {name: value for name, value in result().items() if name != field}
    with pytest.raises(RecallkitError, match=rf"1\.json is not a stored run: '{field}'"):
        load_results(store(tmp_path, result(), bad))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "holds no object"),
        (result() | {"seconds": "long"}, "'seconds' is missing or of wrong type"),
        (result() | {"test": {}}, "'test' has no 'trained'"),
        (result() | {"config": {"ks": [1], "colour_of_sky": 1}}, "colour_of_sky"),
        (result() | {"config": {"ks": [0]}}, "'config' does not hold settings"),
    ],
)
def test_a_bad_file_is_named(tmp_path, bad, message):
    with pytest.raises(RecallkitError, match=message) as error:
        load_results(store(tmp_path, bad))
    assert "0.json" in str(error.value)


def test_a_file_that_is_no_json_is_named(tmp_path):
    (tmp_path / "cut.json").write_text('{"config": ')
    with pytest.raises(RecallkitError, match=r"cut\.json cannot be read as JSON"):
        load_results(tmp_path)


def test_select_keeps_runs_that_differ_only_where_they_may():
    runs = [result(batch_size=64), result(batch_size=64, simix=False), result(seed=1)]
    assert select(runs, BASE, free=("batch_size",)) == runs[:1]
    assert select(runs, BASE, free=("batch_size", "seed")) == [runs[0], runs[2]]
    with pytest.raises(ValueError, match="free must name settings, not \\['size'\\]"):
        select(runs, BASE, free=("size",))


def test_by_setting_sorts_values():
    runs = [result(batch_size=512), result(batch_size=64), result(batch_size=512, seed=1)]
    assert by_setting(runs, "batch_size") == {64: [runs[1]], 512: [runs[0], runs[2]]}


def test_tuned_looks_at_validation_only_and_at_the_mean_over_seeds():
    runs = [
        result(learning_rate=1e-3, validation=0.6, test=0.1),
        result(learning_rate=1e-3, validation=0.6, test=0.1, seed=1),
        result(learning_rate=2e-3, validation=0.7, test=0.9),
        result(learning_rate=2e-3, validation=0.4, test=0.9, seed=1),
    ]
    assert tuned(runs) == runs[:2]
    with pytest.raises(ValueError, match="at least one run"):
        tuned([])
