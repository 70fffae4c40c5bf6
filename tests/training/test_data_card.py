"""What the data card has measured is taken from there, for exactly its images and its network."""

import json
from dataclasses import replace

import pytest
import torch

from recallkit import PRESETS, load
from recallkit.data.image_set import ImageSet, Protocol, Splits
from recallkit.files import embedded
from recallkit.training import data_card, make_network, train
from recallkit.training.data_card import digest_of_images, digest_of_network, measured_on_card

CARDS = embedded("results") / "baselines"


def image_set(**changed):
    pixels = torch.randint(0, 256, (12, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) // 4
    images = ImageSet(pixels.to(torch.uint8), labels, {i: str(i) for i in range(3)})
    return replace(images, **changed)


def network(seed=0):
    torch.manual_seed(seed)
    return make_network(replace(PRESETS["glyphs-short"], image_size=8))


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A card of these images and this network."""
    monkeypatch.setattr(data_card, "embedded", lambda name: tmp_path)
    about = {
        "test": {"pixels": {"R@1": 0.25}, "untrained": {"R@1": 0.125}},
        "images_digest": digest_of_images(image_set(), 8),
        "network_digest": digest_of_network(network()),
    }
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "mine.json").write_text(json.dumps(about))
    return about["test"]


def test_the_images_and_the_network_of_the_card_have_its_numbers(card):
    assert measured_on_card("mine", image_set(), 8, network()) == card
    assert measured_on_card("others", image_set(), 8, network()) == {}


def test_another_network_has_the_pixels_alone(card):
    assert measured_on_card("mine", image_set(), 8, network(1)) == {"pixels": card["pixels"]}


def one_pixel_changed():
    images = image_set().images.clone()
    images[5, 1, 2, 3] ^= 1
    return images


@pytest.mark.parametrize(
    ("images", "size"),
    [
        (image_set(images=one_pixel_changed()), 8),
        (image_set(labels=torch.arange(12) // 4 + (torch.arange(12) == 11) * 7), 8),
        (image_set(protocol=Protocol(ks=(1,))), 8),
        (image_set(groups=torch.zeros(12, dtype=torch.int64)), 8),
        (image_set(images=image_set().images.float()), 8),
        (image_set(), 4),
    ],
)
def test_what_is_not_exactly_that_of_the_card_is_measured(card, images, size):
    assert measured_on_card("mine", images, size, network()) == {}


def test_the_digest_is_of_values_not_of_their_layout():
    grey = image_set().images[:, :1]
    seen_thrice, in_memory = grey.expand(-1, 3, -1, -1), network()
    moved = network().to(memory_format=torch.channels_last)
    assert digest_of_network(moved) == digest_of_network(in_memory)
    assert digest_of_images(image_set(images=seen_thrice), 8) != digest_of_images(image_set(), 8)


@pytest.mark.parametrize("dataset", ["glyphs", "glyphs-distorted"])
def test_the_cards_of_glyphs_are_of_the_images_and_the_network_of_glyphs_short(dataset):
    config, card = PRESETS["glyphs-short"], json.loads((CARDS / f"{dataset}.json").read_text())
    torch.manual_seed(config.seed)
    test = load(dataset, config.image_size).test
    assert measured_on_card(dataset, test, config.image_size, make_network(config)) == card["test"]


def test_a_training_takes_its_baselines_from_the_card(tmp_path, monkeypatch, capsys):
    card = {"pixels": {"R@1": 0.25}, "untrained": {"R@1": 0.125}}
    monkeypatch.setattr("recallkit.training.loop.measured_on_card", lambda *_: dict(card))
    config = replace(
        PRESETS["glyphs-short"], image_size=8, batch_size=8, chunk_size=8, images=8, evaluations=1
    )
    splits = Splits(image_set(), image_set(), image_set())
    result = train(config, tmp_path / "run", splits=splits, device="cpu")
    assert {name: result["test"][name] for name in card} == card
    assert "R@1" in result["test"]["trained"]
    assert "images: pixels and untrained from the data card" in capsys.readouterr().err
