"""The loop: what a run leaves behind, and what happens when it is stopped."""

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest
import torch
from helpers import killed_run
from helpers.stopping import stop_after
from safetensors.torch import load_file, save_file

from recallkit import files
from recallkit.checks import check_embeddings
from recallkit.config import Config
from recallkit.data.prefetch import BadImageError, DecodedChunks, Reading
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import embed, evaluate, evaluate_among, evaluate_embeddings
from recallkit.files import read_json
from recallkit.large_batch import LargeBatchStep
from recallkit.training import (
    AMONG_TRAINING,
    Diverged,
    Stopped,
    Training,
    choose_device,
    load_run,
    make_network,
    session,
    train,
)
from recallkit.training.run_folder import read_weights

CONFIG = Config(image_size=16, embedding_dim=8, batch_size=16, images=320, evaluations=4)


@pytest.fixture
def run(tmp_path, toy_splits):
    def call(name="run", config=CONFIG, **options):
        options = {"splits": toy_splits, "device": "cpu", "progress": False} | options
        return train(config, tmp_path / name, **options)

    return call


def test_a_run_leaves_its_folder(run, tmp_path):
    result = run()
    folder = tmp_path / "run"
    files = {"config.json", "data.json", "metrics.jsonl", "result.json"}
    files |= {"weights.safetensors", "best.safetensors", "data.json"}
    assert {path.name for path in folder.iterdir()} == files
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == result["validation"]
    assert [line["step"] for line in lines] == [5, 10, 15, 20]
    assert {line["steps"] for line in lines} == {result["steps"]} == {20}
    assert lines[-1]["images"] == result["images_seen"] == 320
    assert json.loads((folder / "result.json").read_text()) == json.loads(json.dumps(result))
    for key in ("seed", "seconds", "images_per_second", "device", "libraries", "commit"):
        assert result[key] is not None
    assert result["peak_memory_mb"] > 0


def test_training_learns_its_own_classes(run, tmp_path, toy_splits):
    config = replace(CONFIG, images=1600, learning_rate=3e-3)
    result = run(config=config)
    assert result["validation"][-1]["loss"] < result["validation"][0]["loss"]
    torch.manual_seed(config.seed)
    untrained = make_network(config)
    _, trained = load_run(tmp_path / "run", "cpu")
    before, after = (evaluate(n, toy_splits.train, 16) for n in (untrained, trained))
    assert after["mAP@R"] > before["mAP@R"]


def test_same_seed_same_weights(run, tmp_path):
    for name, config in {"a": CONFIG, "b": CONFIG, "c": replace(CONFIG, seed=1)}.items():
        run(name, config)
    a, b, c = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("simix", [False, True])
@pytest.mark.parametrize("stop", [1, 7, 10, 19, 20])
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
    lines = [
        [line | {"seconds": 0, "processor_seconds": 0} for line in r["validation"]]
        for r in (whole, resumed)
    ]
    assert lines[0] == lines[1]  # the loss since the evaluation before, too
    assert not list((tmp_path / "stopped").glob("state*"))


def test_a_stop_in_the_last_evaluation_is_heard(run, tmp_path, monkeypatch):
    calls = []

    def interrupted(network, images, image_size):
        calls.append(network)
        if len(calls) == CONFIG.evaluations:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(network, images, image_size)

    monkeypatch.setattr(session, "evaluate", interrupted)
    with pytest.raises(Stopped, match="stopped after 20 of 20 steps"):
        run()
    assert not (tmp_path / "run" / "result.json").exists()
    assert run(resume=True)["steps"] == 20
    assert len(calls) == CONFIG.evaluations  # the last evaluation is not repeated


def test_handlers_of_signals_are_restored(run):
    before = signal.getsignal(signal.SIGINT)
    run()
    assert signal.getsignal(signal.SIGINT) is before


def test_network_is_read_again(run, tmp_path, toy_splits):
    result = run()
    config, network = load_run(tmp_path / "run", "cpu")
    assert config == CONFIG
    assert not network.training
    assert evaluate(network, toy_splits.test, 16) == result["test"]["trained"]


def test_another_run_is_not_overwritten(run):
    run()
    with pytest.raises(RecallkitError, match=r"already holds a run.*--resume"):
        run()


def test_weights_that_may_not_be_read_are_not_called_damaged(run, tmp_path, monkeypatch):
    run("mine")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(RecallkitError, match=r"weights\.safetensors may not be read by you: ask"):
        read_weights(tmp_path / "mine")


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


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def make_foreign(path):
    state = torch.load(path, weights_only=True)
    torch.save(state | {"identity": "another"}, path)


def lose_the_optimizer(path):
    torch.save({k: v for k, v in torch.load(path).items() if k != "optimizer"}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, r"state\.pt cannot be resumed from"),
        (make_foreign, r"state\.pt cannot be resumed from \(it belongs to another run\)"),
        (lose_the_optimizer, r"state\.pt cannot be resumed from \('optimizer'\)"),
        (lambda path: path.unlink(), r"state\.pt is missing"),
    ],
)
def test_a_damaged_state_is_named_and_the_one_before_it_used(
    run, tmp_path, monkeypatch, damage, message
):
    run("whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 13)
        with pytest.raises(Stopped):
            run("stopped", save_seconds=0.0)
    damage(tmp_path / "stopped" / "state.pt")
    with pytest.warns(UserWarning, match=message + ".*: the one before it is used"):
        run("stopped", resume=True)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert a == b


def wait_for_a_write(folder, seconds=0.5):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not any(folder.glob(".*")):
        pass


def test_killed_at_twenty_moments_it_ends_with_the_same_weights(tmp_path, toy_splits):
    """SIGKILL at random times, half of them while something is written: each step saves a state."""
    config = replace(CONFIG, images=16 * 450, evaluations=45)
    (tmp_path / "task").write_bytes(pickle.dumps((config, toy_splits)))
    moments, unfinished = random.Random(0), 0
    command = [sys.executable, killed_run.__file__, str(tmp_path / "task")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as server:

        def say(name, save_seconds):
            print(tmp_path / name, save_seconds, file=server.stdin, flush=True)

        def answers(count):
            return sorted(server.stdout.readline().strip() for _ in range(count))

        say("whole", 1e9)
        assert answers(3)[0] == "0"
        for number in range(20):
            say("killed", 0)
            process, started = answers(2)
            assert started == "started"
            time.sleep(moments.uniform(0, 0.08))
            if number % 2:  # at once when something is being written, which chance may never meet
                wait_for_a_write(tmp_path / "killed")
            os.kill(int(process), signal.SIGKILL)
            assert answers(1) == ["-9"]
            unfinished += any(tmp_path.glob("killed/.*"))
        say("killed", 1e9)
        assert answers(3)[0] == "0"
        server.stdin.close()
    assert unfinished > 0  # or the test would say little of checkpoints
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed"))
    assert a == b
    results = [read_json(tmp_path / name / "result.json") for name in ("whole", "killed")]
    lines = [
        [line | {"seconds": 0, "processor_seconds": 0} for line in result["validation"]]
        for result in results
    ]
    assert lines[0] == lines[1]
    files = [{path.name for path in (tmp_path / name).iterdir()} for name in ("whole", "killed")]
    assert files[0] == files[1]


def test_full_disk_leaves_nothing_that_looks_whole(run, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "flush_to_disk", full)
    with pytest.raises(RecallkitError, match=r"cannot write .*: No space left on device"):
        run()
    assert not (tmp_path / "run").exists()


def test_output_that_cannot_be_written_is_refused_before_training(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(Training, "step", lambda self: pytest.fail("trained"))
    with pytest.raises(RecallkitError, match=r"cannot write .*file/run: Not a directory"):
        run("file/run")


def bad_loss(self, images, labels):
    return torch.tensor(torch.nan)


def bad_gradient(self, images, labels):
    next(self.network.parameters()).grad = torch.full_like(
        next(self.network.parameters()), torch.inf
    )
    return torch.tensor(0.5)


def bad_embeddings(self, images, labels):
    check_embeddings(torch.full((4, 2), torch.nan))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (bad_loss, "the loss is nan"),
        (bad_gradient, "the gradient has the norm inf"),
        (bad_embeddings, "embeddings must be finite"),
    ],
)
def test_what_is_not_finite_stops_the_run_and_can_be_repeated(
    run, tmp_path, monkeypatch, step, message
):
    """The step is named, its images too, and the saved state stands before it."""
    run("whole")
    original = LargeBatchStep.__call__
    calls = []

    def seventh(self, images, labels):
        calls.append(images)
        return (step if len(calls) == 7 else original)(self, images, labels)

    with monkeypatch.context() as patch:
        patch.setattr(LargeBatchStep, "__call__", seventh)
        with pytest.raises(Diverged, match=rf"{message}.* at step 6, with the images pattern \d"):
            run()
    diverged = read_json(tmp_path / "run" / "diverged.json")
    assert diverged["step"] == 6
    assert len(diverged["images"]) == 16
    assert not (tmp_path / "run" / "result.json").exists()
    run(resume=True)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "run"))
    assert a == b


@pytest.mark.parametrize("step", [bad_loss, bad_gradient, bad_embeddings])
def test_buffers_are_as_before_a_step_that_diverges(toy_splits, monkeypatch, step):
    one = Training(CONFIG, toy_splits.train, torch.device("cpu"))
    one.trained.register_buffer("calls", torch.zeros(()))
    one.trained.register_forward_pre_hook(lambda module, inputs: module.calls.add_(1) and None)
    original = LargeBatchStep.__call__

    def diverging(self, images, labels):
        original(self, images, labels)
        return step(self, images, labels)

    monkeypatch.setattr(LargeBatchStep, "__call__", diverging)
    with pytest.raises(Diverged):
        one.step()
    assert one.trained.calls == 0


class DecodedImages:
    """Images of a tensor as files, of which one cannot be read ``after`` so many were."""

    def __init__(self, images, after):
        self.images, self.shape, self.left = images, images.shape, after

    def __len__(self):
        return len(self.images)

    def read(self, index):
        self.left -= 1
        if self.left == 0:
            raise RecallkitError("photo.jpg cannot be read as an image.")
        return self.images[index]

    def split(self, size):
        return DecodedChunks(self, size, Reading())


def test_a_bad_image_stops_the_run_with_its_state_saved(run, tmp_path, toy_splits):
    """Files give the weights that a tensor gives, the bad one mended half way."""
    run("whole")
    for after in (100, -1):
        images = DecodedImages(toy_splits.train.images, after)
        splits = replace(toy_splits, train=replace(toy_splits.train, images=images))
        if after > 0:
            with pytest.raises(RecallkitError, match=r"photo\.jpg.*--on-bad-image skip"):
                run(splits=splits)
            state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
            assert state["progress"][0] == 6  # the seventh batch had it
    run(splits=splits, resume=True)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "run"))
    assert a == b


class LostBatch(DecodedImages):
    """Images as files, of which the seventh batch of 16 has few that can be read."""

    def __init__(self, images, readable):
        super().__init__(images, -1)
        self.count, self.lost = 0, range(96 + readable, 112)

    def read(self, index):
        self.count += 1
        if self.count - 1 in self.lost:
            raise RecallkitError("photo.jpg cannot be read as an image.")
        return self.images[index]


@pytest.mark.parametrize("readable", [0, 1])
def test_a_batch_without_a_readable_pair_stops_the_run_with_its_state_saved(
    run, tmp_path, toy_splits, readable
):
    run("whole")
    images = LostBatch(toy_splits.train.images, readable)
    splits = replace(toy_splits, train=replace(toy_splits.train, images=images))
    with pytest.raises(BadImageError, match=r"too few .* at step 6 .*--resume\. photo\.jpg"):
        run(splits=splits, reading=Reading(on_bad_image="skip"))
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["progress"][0] == 6
    run(resume=True)  # mended
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "run"))
    assert a == b


def test_a_batch_without_a_readable_pair_is_taken_again(toy_splits):
    whole = Training(CONFIG, toy_splits.train, torch.device("cpu"))
    expected = [whole.step() for _ in range(8)]
    images = replace(toy_splits.train, images=LostBatch(toy_splits.train.images, 0))
    one = Training(CONFIG, images, torch.device("cpu"), reading=Reading(on_bad_image="skip"))
    losses = [one.step() for _ in range(6)]
    with pytest.raises(BadImageError):
        one.step()
    images.images.lost = ()
    losses += [one.step() for _ in range(2)]
    assert losses == expected


@pytest.mark.parametrize("evaluation", [1, 4])
def test_an_evaluation_that_met_a_bad_image_is_made_on_resuming(
    run, tmp_path, toy_splits, evaluation
):
    whole = run("whole")
    count = len(toy_splits.validation)
    for after in (count * evaluation, -1):
        images = DecodedImages(toy_splits.validation.images, after)
        splits = replace(toy_splits, validation=replace(toy_splits.validation, images=images))
        if after > 0:
            with pytest.raises(RecallkitError, match=r"photo\.jpg.*--on-bad-image skip"):
                run(splits=splits)
    resumed = run(splits=splits, resume=True)
    compared = ("step", "loss", "R@1")
    a, b = ([[line[k] for k in compared] for line in r["validation"]] for r in (whole, resumed))
    assert a == b
    a, b = ((tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "run"))
    assert a == b


def test_a_bad_image_is_left_out_of_its_batch(run, toy_splits):
    images = DecodedImages(toy_splits.train.images, 100)
    splits = replace(toy_splits, train=replace(toy_splits.train, images=images))
    result = run(splits=splits, reading=Reading(on_bad_image="skip"))
    assert result["skipped"] == ["photo.jpg cannot be read as an image."]
    assert result["validation"][-1]["step"] == 20


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_and_goes_on_to_the_same_weights(
    run, tmp_path, monkeypatch, precision
):
    config = replace(CONFIG, precision=precision, clip_norm=1.0, chunk_size=6, keep_graphs_gb=1e-3)
    whole = run("whole", config)
    assert whole["validation"][-1]["loss"] < whole["validation"][0]["loss"]
    with monkeypatch.context() as patch:
        stop_after(patch, 7)
        with pytest.raises(Stopped):
            run("stopped", config)
    state = torch.load(tmp_path / "stopped" / "state.pt", weights_only=True)
    assert bool(state["scaler"]) == (precision == "float16")
    run("stopped", config, resume=True)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert a == b


def test_overflow_under_float16_skips_the_step_and_halves_the_scale(toy_splits):
    config = replace(CONFIG, precision="float16")
    one = Training(config, toy_splits.train, torch.device("cpu"))
    one.scaler = one.gradient.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126)
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    one.step()
    assert one.scaler.get_scale() == 2.0**125
    torch.testing.assert_close(dict(one.network.state_dict()), before, rtol=0, atol=0)


def test_a_gradient_that_is_not_finite_under_float16_can_be_repeated(toy_splits, monkeypatch):
    """The scale cannot be halved any more: the step fails, and the next call repeats it."""
    original = LargeBatchStep.__call__

    def overflow(self, images, labels):
        value = original(self, images, labels)
        next(self.network.parameters()).grad.fill_(torch.inf)
        return value

    losses = []
    for diverges in (False, True):
        config = replace(CONFIG, precision="float16")
        one = Training(config, toy_splits.train, torch.device("cpu"))
        one.scaler = one.gradient.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
        with monkeypatch.context() as patch:
            patch.setattr(LargeBatchStep, "__call__", overflow)
            for _ in range(2 * diverges):
                with pytest.raises(Diverged, match="the gradient has the norm inf"):
                    one.step()
        losses.append([one.step(), one.step()])
    assert losses[0] == losses[1]


def test_a_gradient_is_clipped(toy_splits, monkeypatch):
    norms = []
    original = torch.optim.AdamW.step

    def step(self, *arguments, **options):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())
        return original(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    for clip_norm in (None, 0.01):
        config = replace(CONFIG, clip_norm=clip_norm)
        Training(config, toy_splits.train, torch.device("cpu")).step()
    assert norms[0] > 0.02
    assert norms[1] == pytest.approx(0.01, rel=1e-4)


def test_evaluations_by_epochs(run):
    config = replace(CONFIG, evaluation_epochs=3)  # 40 images, 16 a batch: 2 steps an epoch
    assert [line["step"] for line in run(config=config)["validation"]] == [6, 12, 18, 20]


def test_an_epoch_of_evaluations_is_one_of_the_sampler(run):
    """Groups of three leave an image of each class out: an epoch has 30 of the 40."""
    config = replace(CONFIG, batch_size=9, per_class=3, epochs=4, evaluation_epochs=2)
    assert [line["step"] for line in run(config=config)["validation"]] == [6, 12]


def test_with_distractors_the_end_is_also_measured_among_training_images(run, tmp_path, toy_splits):
    plain = run("plain")["validation"]
    *before, last = run("hard", replace(CONFIG, distractors=True))["validation"]
    _, network = load_run(tmp_path / "hard")
    among = evaluate_among(network, toy_splits.validation, toy_splits.train, 16)
    assert last["R@1"] == plain[-1]["R@1"]
    assert {name: last[f"{AMONG_TRAINING} {name}"] for name in among} == pytest.approx(
        among, abs=1e-6
    )
    assert not any(name.startswith(AMONG_TRAINING) for line in before for name in line)


def test_few_classes_are_trained_on_and_all_are_distractors(run, tmp_path, toy_splits):
    result = run("few", replace(CONFIG, classes=5, distractors=True))
    assert sum(result["class_sizes"].values()) == 5
    assert result["class_sizes"] == count_sizes(toy_splits.train.of_some_classes(5).labels)
    _, network = load_run(tmp_path / "few")
    among = evaluate_among(network, toy_splits.validation, toy_splits.train, 16)["R@1"]
    assert result["validation"][-1][f"{AMONG_TRAINING} R@1"] == pytest.approx(among, abs=1e-6)


def count_sizes(labels):
    return {str(size): count for size, count in Counter(Counter(labels.tolist()).values()).items()}


def test_more_classes_than_there_are_is_an_error_before_anything_is_written(run, tmp_path):
    with pytest.raises(
        ValueError, match="classes must be at most 10, the training classes, not 11"
    ):
        run("none", replace(CONFIG, classes=11))
    assert not (tmp_path / "none" / "config.json").exists()


@pytest.mark.parametrize("name", ["config.json", "data.json", "metrics.jsonl", "best.safetensors"])
def test_files_of_the_users_are_not_replaced(run, tmp_path, name):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / name).write_text('{"model_type": "another tool\'s"}')
    with pytest.raises(RecallkitError, match=f"holds {name}, .* Choose another --out"):
        run("project")
    assert [path.name for path in (tmp_path / "project").iterdir()] == [name]
    assert "another tool's" in (tmp_path / "project" / name).read_text()


@pytest.mark.parametrize("part", ["validation", "test"])
def test_images_that_cannot_be_measured_are_an_error_before_the_training(
    run, tmp_path, toy_splits, part
):
    images = toy_splits.part(part)
    of_one_group = replace(images, groups=images.labels)
    with pytest.raises(RecallkitError, match=f"{part} images .* a second image of another group"):
        run("none", splits=replace(toy_splits, **{part: of_one_group}), baselines=False)
    assert not (tmp_path / "none").exists()


def test_a_training_by_epochs_counts_its_images(run):
    result = run(config=replace(CONFIG, epochs=3))
    assert (result["steps"], result["images_seen"]) == (6, 96)  # 2 batches of 16 an epoch


def test_the_best_weights_on_validation_classes_are_kept(run, tmp_path, toy_splits):
    history = run()["validation"]
    best = max(line["R@1"] for line in history)
    network = make_network(CONFIG)
    network.load_state_dict(read_weights(tmp_path / "run", "best"))
    found = evaluate(network, toy_splits.validation, 16)["R@1"]
    assert found == pytest.approx(best, abs=1e-6)


def test_tensorboard_holds_loss_and_metrics(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = run(tensorboard=True)["validation"]
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 21))
    found = [event.value for event in events.Scalars("validation/R@1")]
    assert found == pytest.approx([line["R@1"] for line in history], abs=1e-6)


def test_without_tensorboard_the_run_is_the_same(run, tmp_path, monkeypatch):
    monkeypatch.setattr("recallkit.training.logger.find_spec", lambda name: None)
    run(tensorboard=True)
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert (tmp_path / "run" / "metrics.jsonl").exists()


def test_on_test_gets_the_embeddings_of_the_trained_network(run, tmp_path, toy_splits):
    calls = []
    result = run(on_test=lambda *arguments: calls.append(arguments))
    [(images, embeddings)] = calls
    assert images is toy_splits.test
    assert evaluate_embeddings(embeddings, images) == result["test"]["trained"]
    _, network = load_run(tmp_path / "run", "cpu")
    torch.testing.assert_close(embeddings, embed(network, images.images, 16))


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
        load_run(tmp_path / "run", "cpu")


def test_settings_of_another_version_are_named(run, tmp_path):
    run()
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"flux": 1}))
    with pytest.raises(RecallkitError, match=r"config\.json does not hold settings.*flux"):
        load_run(tmp_path / "run", "cpu")
    path.write_text("{")
    with pytest.raises(RecallkitError, match=r"config\.json cannot be read as JSON"):
        load_run(tmp_path / "run", "cpu")


def test_unknown_device():
    with pytest.raises(RecallkitError, match="there is no device 'abacus'"):
        choose_device("abacus")


@pytest.mark.filterwarnings("ignore:a batch of .* cannot be filled")
def test_ks_beyond_the_batch_that_the_classes_fill_are_refused(toy_splits):
    """Ten classes in groups of four fill batches of 40: with k = 64 alone the loss would be 0."""
    config = replace(CONFIG, batch_size=128, images=1280, ks=(64, 128))
    with pytest.raises(ValueError, match="--ks must hold a k of at most 40, the largest batch"):
        Training(config, toy_splits.train, torch.device("cpu"))
    Training(replace(config, ks=(40, 64)), toy_splits.train, torch.device("cpu"))
    Training(replace(config, loss="smooth-ap"), toy_splits.train, torch.device("cpu"))
