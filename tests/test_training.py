"""The loop: what a run leaves behind, and what happens when it is stopped."""

import json
import os
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from recallkit import runs, training
from recallkit.errors import RecallkitError
from recallkit.presets import Config
from recallkit.training import Stopped, Training, read_network, train

CONFIG = Config(image_size=16, embedding_dim=8, batch_size=16, images=320, evaluations=4)


@pytest.fixture
def run(tmp_path, toy_splits):
    def call(name="run", config=CONFIG, **options):
        options = {"splits": toy_splits, "device": "cpu", "progress": False} | options
        return train(config, tmp_path / name, **options)

    return call


def stop_after(monkeypatch, steps):
    """Send Ctrl-C from within step number ``steps``."""
    original = Training.step

    def step(self):
        if self.steps_done == steps - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self)

    monkeypatch.setattr(Training, "step", step)


def test_a_run_leaves_its_folder(run, tmp_path):
    result = run()
    folder = tmp_path / "run"
    files = {"config.json", "metrics.jsonl", "result.json", "weights.safetensors"}
    assert {path.name for path in folder.iterdir()} == files
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == result["validation"]
    assert [line["step"] for line in lines] == [5, 10, 15, 20]
    assert json.loads((folder / "result.json").read_text()) == json.loads(json.dumps(result))
    for key in ("seed", "seconds", "images_per_second", "device", "libraries", "commit"):
        assert result[key] is not None
    assert result["peak_memory_mb"] > 0


def test_training_learns_its_own_classes(run, tmp_path, toy_splits):
    config = replace(CONFIG, images=1600, learning_rate=3e-3)
    result = run(config=config)
    assert result["validation"][-1]["loss"] < result["validation"][0]["loss"]
    torch.manual_seed(config.seed)
    untrained = training.make_network(config)
    _, trained = read_network(tmp_path / "run", "cpu")
    before, after = (training.evaluate(n, toy_splits.train, 16) for n in (untrained, trained))
    assert after["mAP@R"] > before["mAP@R"]


def test_same_seed_same_weights(run, tmp_path):
    for name, config in {"a": CONFIG, "b": CONFIG, "c": replace(CONFIG, seed=1)}.items():
        run(name, config)
    a, b, c = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("simix", [False, True])
@pytest.mark.parametrize("stop", [1, 7, 10, 19])
def test_a_stopped_run_goes_on_to_the_same_weights(run, tmp_path, monkeypatch, stop, simix):
    config = replace(CONFIG, simix=simix)
    whole = run("whole", config)
    with monkeypatch.context() as patch:
        stop_after(patch, stop)
        with pytest.raises(Stopped, match=f"stopped after {stop} of 20 steps.*--resume"):
            run("stopped", config)
    assert not (tmp_path / "stopped" / "result.json").exists()
    assert not (tmp_path / "stopped" / "weights.safetensors").exists()
    resumed = run("stopped", config, resume=True)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert a == b
    assert resumed["test"] == whole["test"]
    losses = [[line["loss"] for line in r["validation"]] for r in (whole, resumed)]
    assert len(losses[0]) == len(losses[1])
    assert not (tmp_path / "stopped" / "state.pt").exists()


def test_handlers_of_signals_are_restored(run):
    before = signal.getsignal(signal.SIGINT)
    run()
    assert signal.getsignal(signal.SIGINT) is before


def test_network_is_read_again(run, tmp_path, toy_splits):
    result = run()
    config, network = read_network(tmp_path / "run", "cpu")
    assert config == CONFIG
    assert not network.training
    assert training.evaluate(network, toy_splits.test, 16) == result["test"]["trained"]


def test_another_run_is_not_overwritten(run):
    run()
    with pytest.raises(RecallkitError, match=r"already holds a run.*--resume"):
        run()


def test_resuming_what_cannot_be_resumed(run, tmp_path, monkeypatch):
    with pytest.raises(RecallkitError, match="is not a run"):
        run("nothing", resume=True)
    run("finished")
    with pytest.raises(RecallkitError, match="is finished"):
        run("finished", resume=True)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Stopped):
            run("stopped")
    with pytest.raises(RecallkitError, match="other settings"):
        run("stopped", replace(CONFIG, seed=5), resume=True)
    state = tmp_path / "stopped" / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(RecallkitError, match=r"state\.pt cannot be resumed from"):
        run("stopped", resume=True)
    state.unlink()
    with pytest.raises(RecallkitError, match=r"state\.pt is missing"):
        run("stopped", resume=True)


def test_full_disk_leaves_nothing_that_looks_whole(run, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "_flush_to_disk", full)
    with pytest.raises(RecallkitError, match=r"cannot write .*: No space left on device"):
        run()
    assert list((tmp_path / "run").iterdir()) == []


def test_output_that_cannot_be_written_is_refused_before_training(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(Training, "step", lambda self: pytest.fail("trained"))
    with pytest.raises(RecallkitError, match=r"cannot write .*file/run/config\.json"):
        run("file/run")


def test_loss_that_is_not_finite_stops_the_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr(training.LargeBatchStep, "__call__", lambda *a: torch.tensor(torch.nan))
    with pytest.raises(RecallkitError, match="the loss is nan at step 0"):
        run()
    assert not (tmp_path / "run" / "result.json").exists()


def damage_nan(path):
    weights = load_file(path)
    next(iter(weights.values())).view(-1)[0] = torch.nan
    save_file(weights, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_nan, "holds weights that are not finite, in "),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is damaged"),
        (lambda path: path.write_bytes(b"hello"), "is damaged"),
        (lambda path: path.unlink(), "is missing: the run did not finish"),
        (lambda path: save_file({"w": torch.ones(2)}, path), "are not of its network"),
    ],
)
def test_damaged_weights_are_named(run, tmp_path, damage, message):
    run()
    damage(tmp_path / "run" / "weights.safetensors")
    with pytest.raises(RecallkitError, match=message):
        read_network(tmp_path / "run", "cpu")


def test_settings_of_another_version_are_named(run, tmp_path):
    run()
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"flux": 1}))
    with pytest.raises(RecallkitError, match=r"config\.json does not hold settings.*flux"):
        read_network(tmp_path / "run", "cpu")
    path.write_text("{")
    with pytest.raises(RecallkitError, match=r"config\.json cannot be read as JSON"):
        read_network(tmp_path / "run", "cpu")


def test_unknown_device():
    with pytest.raises(RecallkitError, match="there is no device 'abacus'"):
        training.choose_device("abacus")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"images": 5}, "images must be at least batch_size = 16"),
        ({"rank_temperature": 0.0}, "rank_temperature must be"),
        ({"ks": ()}, "ks must be"),
    ],
)
def test_bad_settings_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)
