"""The settings: the paper's presets, the length of a training, schedule and optimiser of it."""

import json
import math
from dataclasses import asdict
from typing import get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recallkit.config import PRESETS, Config, config_from
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.data.transforms import TestTransform, TrainTransform, draw_crops
from recallkit.ranges import SettingError, range_of
from recallkit.sampling import ClassBalancedSampler
from recallkit.training.build import count_steps, make_optimizer, make_schedule

ROWS = {  # data set: epochs, milestones, learning rate, chunk; for ResNet-50, ViT-B/32, ViT-B/16
    "inaturalist": (
        (90, (40, 70), 1e-4, 200),
        (90, (10, 40, 70), 5e-5, 200),
        (90, (10, 40, 70), 5e-5, 100),
    ),
    "sop": ((55, (25, 50), 2e-4, 200), (55, (25, 50), 5e-5, 200), (55, (25, 50), 5e-5, 100)),
    "vehicleid": ((90, (40, 70), 1e-4, 200), (90, (40, 70), 1e-4, 200), (90, (40, 70), 5e-5, 100)),
    "cars196": (
        (170, (80, 140), 1e-4, 98),
        (50, (20, 30, 40), 3e-5, 98),
        (50, (20, 30, 40), 1e-5, 98),
    ),
    "cub": (
        (40, (10, 20, 30), 1e-4, 100),
        (40, (10, 20, 30), 3e-5, 100),
        (40, (10, 20, 30), 1e-5, 100),
    ),
}


@pytest.mark.parametrize("dataset", ROWS)
def test_presets_are_the_rows_of_the_schedule_table(dataset):
    for network, row in zip(("resnet50", "vit-b32", "vit-b16"), ROWS[dataset], strict=True):
        config = PRESETS[f"{dataset}-{network}"]
        assert (config.epochs, config.milestones, config.learning_rate, config.chunk_size) == row
        assert (config.dataset, config.image_size, config.crop, config.flip) == (
            dataset,
            224,
            0.08,
            True,
        )
        assert (config.decay, config.weight_decay, config.embedding_dim) == (0.3, 4e-4, 512)
        assert (config.optimizer == "adam") == (network == "resnet50")
        assert config.pretrained
        trained = BENCHMARKS[dataset].counts["train"][1]
        held_out = max(2, round(0.02 * trained))
        assert config.batch_size == min(4000, 4 * (trained - held_out))


def test_settings_survive_json():
    config = PRESETS["cars196-vit-b16"]
    stored = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(config).items()}
    assert config_from(stored) == config
    with pytest.raises(ValueError, match="no setting 'learning_rates'; did you mean learning_rate"):
        config_from({"learning_rates": 1})
    with pytest.raises(ValueError, match="no setting 'weather'; there are dataset, root"):
        config_from({"weather": 1})


def test_the_learning_rate_falls_at_the_milestones():
    config = Config(epochs=10, milestones=(4, 8), warmup=0.0)
    share = make_schedule(config, steps=50)
    assert [share(step) for step in (0, 19, 20, 39, 40, 49)] == pytest.approx(
        [1, 1, 0.3, 0.3, 0.09, 0.09]
    )


def test_without_milestones_the_learning_rate_rises_and_follows_a_cosine():
    share = make_schedule(Config(warmup=0.1), steps=200)
    assert [share(step) for step in (0, 19, 20)] == pytest.approx([0.05, 1, 1])
    assert share(110) == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert share(200) == pytest.approx(0)


@pytest.mark.parametrize(
    ("warmup", "warmup_steps", "steps", "rise"),
    [(0.1, 15, 100, 15), (0.1, 15, 30, 10), (0.1, 0, 100, 10), (0.0, 15, 100, 1)],
)
def test_of_few_steps_more_are_for_the_rise(warmup, warmup_steps, steps, rise):
    share = make_schedule(Config(warmup=warmup, warmup_steps=warmup_steps), steps)
    assert [share(step) < 1 for step in range(rise + 1)] == [True] * (rise - 1) + [False] * 2


def test_epochs_count_batches_and_images_count_images():
    assert count_steps(Config(images=1000), 16, batches_an_epoch=7) == 62
    assert count_steps(Config(epochs=3), 16, batches_an_epoch=7) == 21


def test_total_images_are_images_or_epochs_of_the_set():
    assert Config(images=1000).total_images(70) == 1000
    assert Config(images=1000, epochs=3).total_images(70) == 210
    with pytest.raises(ValueError, match="train_size must be at least 1, not 0"):
        Config().total_images(0)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20).filter(lambda s: max(s) > 1),
    batch_size=st.integers(4, 60),
    epochs=st.integers(1, 5),
)
@pytest.mark.filterwarnings("ignore:a batch of .* cannot be filled")
def test_steps_follow_from_total_images(sizes, batch_size, epochs):
    """For any classes, also if they cannot fill a batch: an epoch is its sampler's batches."""
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    sampler = ClassBalancedSampler(labels, batch_size)
    size, batches = sampler.batch_size, len(sampler)
    by_epochs = Config(epochs=epochs, batch_size=batch_size)
    assert count_steps(by_epochs, size, batches) == epochs * batches
    # A batch may lack one image, and an epoch leaves out what fills no batch.
    assert (size - 1) * epochs * batches <= by_epochs.total_images(len(labels))
    by_images = Config(images=777, batch_size=batch_size)
    steps = count_steps(by_images, size, batches)
    assert steps * size <= by_images.total_images(len(labels)) < (steps + 1) * size


def test_optimisers_by_name():
    layer, loss = nn.Linear(3, 2), nn.Module()
    adam = make_optimizer(layer, loss, Config(optimizer="adam", weight_decay=0.1))
    assert type(adam) is torch.optim.Adam
    assert [group["weight_decay"] for group in adam.param_groups] == [0.1, 0.0]
    assert type(make_optimizer(layer, loss, Config())) is torch.optim.AdamW


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": 0.0}, "--crop must lie between 0.001 and 1, not 0.0"),
        (
            {"rank_temperature": 1e-50},
            "--rank-temperature must lie between 1e-6 and 100, not 1e-50",
        ),
        ({"clip_norm": 0}, "--clip-norm must lie between 1e-6 and 1e6, or be None, not 0"),
        (
            {"chunk_size": 0},
            "--chunk-size must be a whole number between 1 and 1,048,576, or be auto",
        ),
        ({"milestones": (3,)}, "--milestones must lie between 0 and epochs = 0"),
        ({"epochs": 4, "milestones": (4,)}, "--milestones must lie between 0 and epochs = 4"),
        ({"batch_size": 3}, "--batch-size must be at least per_class = 4, not 3"),
        ({"images": 20}, "--images must be at least batch_size = 128, not 20"),
        ({"ks": ()}, "--ks must hold at least one k"),
        ({"ks": (1_000_000,)}, r"--ks must not exceed the batch size, 128, .*: not \(1000000,\)"),
        ({"ks": (1, 129)}, "--ks must not exceed the batch size"),
        ({"ks": (9,), "batch_size": 8}, "--ks must not exceed the batch size, 8"),
        ({"loss": "recall"}, "--loss must be one of recall@k, smooth-ap, .*, not 'recall'"),
        ({"frozen": True}, "--frozen needs a backbone"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Config(**change)


def test_the_papers_ks_stay_with_a_small_batch():
    assert Config(batch_size=8).ks == (1, 2, 4, 8, 16)
    assert Config(batch_size=384, ks=(1, 32, 384)).ks == (1, 32, 384)


def _parts(hint):
    """All types in an annotation."""
    return {get_origin(hint), *get_args(hint), *(p for a in get_args(hint) for p in _parts(a))}


HINTS = get_type_hints(Config, include_extras=True)
NUMBERS = [name for name, hint in HINTS.items() if {int, float} & {hint, *_parts(hint)}]
EXTREMES = [math.nan, math.inf, -math.inf, -1, 0, 1e30, 10**30, 1e-50, -0.5, 2**63, 10**400]
LEGAL = {  # what of the extremes can be meant
    **{name: [0] for name in ("classes", "epochs", "warmup_steps", "seed")},
    **{name: [0, 1e-50] for name in ["learning_rate", "weight_decay", "keep_graphs_gb"]},
    **{
        name: [0, 1e-50]
        for name in ["warmup", "rotation", "scale", "shift", "colour", "circle_margin"]
    },
}


def test_every_number_has_a_range_around_its_default():
    assert len(NUMBERS) == 33
    for name in NUMBERS:
        limits, default = range_of(HINTS[name]), getattr(Config(), name)
        numbers = default if isinstance(default, tuple) else [default]
        assert all(number in limits for number in numbers if number is not None), name


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_cannot_be_meant_are_refused_by_flag(name):
    for value in EXTREMES:
        for each in [(value,), [1, value]] if tuple in _parts(HINTS[name]) else [value]:
            change = {name: each}
            if value in LEGAL.get(name, []):
                assert getattr(Config(**change), name) == value
                continue
            with pytest.raises(SettingError, match=rf"^--{name.replace('_', '-')} must ") as error:
                Config(**change)
            assert "\n" not in str(error.value)
            assert len(str(error.value)) < 200


@pytest.mark.parametrize("name", HINTS)
def test_another_type_is_refused_by_flag(name):
    """What TOML, JSON and Python can hold where something else is meant."""
    wrong = {str: [1, True, None, []], bool: [1, 0, "true", None]}.get(HINTS[name])
    wrong = wrong or [True, "0.1", "1", {}, object(), "", [None], [[1]], ["1"], [True], 1j]
    for value in wrong:
        with pytest.raises(SettingError, match=rf"^--{name.replace('_', '-')} must "):
            Config(**{name: value})


def test_numbers_of_numpy_become_pythons():
    config = Config(
        seed=np.int64(3), ks=np.array([1, 2]).tolist(), warmup=np.float64(0.5), rotation=1
    )
    assert [type(v) for v in (config.seed, config.warmup, config.rotation)] == [int, float, float]
    assert config.ks == (1, 2)
    assert config_from(json.loads(json.dumps(asdict(config)))) == config


def test_crops_are_those_of_torchvision():
    from torchvision.transforms import RandomResizedCrop

    torch.manual_seed(0)
    sides, centres = draw_crops(20_000, 0.08, torch.device("cpu"))
    assert (centres.abs() + sides <= 1 + 1e-6).all()
    image = torch.empty(3, 400, 400)
    theirs = torch.tensor(
        [RandomResizedCrop.get_params(image, (0.08, 1), (3 / 4, 4 / 3)) for _ in range(4000)]
    )  # top, left, height, width
    shares = theirs / 400
    pairs = {
        "area": (sides.prod(dim=1), shares[:, 2] * shares[:, 3]),
        "aspect": (sides[:, 0] / sides[:, 1], shares[:, 3] / shares[:, 2]),
        "left": ((centres[:, 0] - sides[:, 0] + 1) / 2, shares[:, 1]),
        "top": ((centres[:, 1] - sides[:, 1] + 1) / 2, shares[:, 0]),
    }
    quantiles = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    for name, (ours, others) in pairs.items():
        difference = (ours.quantile(quantiles) - others.quantile(quantiles)).abs()
        assert difference.max() < 0.03, name


def test_a_crop_shows_a_part_of_the_image_upright():
    """Pixels that tell their place: what is seen is a rectangle of it, not turned."""
    ramp = torch.arange(64, dtype=torch.uint8)
    images = torch.stack([ramp.expand(64, 64), ramp[:, None].expand(64, 64), ramp.expand(64, 64)])
    torch.manual_seed(3)
    transform = TrainTransform(32, rotation=0, scale=0, shift=0, crop=0.08)
    seen = transform(images.expand(50, -1, -1, -1))
    whole = TestTransform(32)(images[None])
    across, down = seen[:, 0], seen[:, 1]
    assert (across.diff(dim=2) > 0).all()
    assert across.diff(dim=1).abs().max() < 1e-5
    assert (down.diff(dim=1) > 0).all()
    assert (across.amax(dim=(1, 2)) - across.amin(dim=(1, 2))).min() < 0.4 * (
        whole.max() - whole.min()
    )
