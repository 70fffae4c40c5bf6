"""Measure raw pixels and an untrained network on the test classes of a data set, for its data card.

    python measure.py glyphs-distorted glyphs

The first argument is the data set, and the second the preset whose network is taken. The result is
stored beside this file.
"""

import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch

from recallkit import PRESETS, choose_device, load
from recallkit.evaluation import evaluate, evaluate_pixels
from recallkit.files import write_json
from recallkit.training.build import make_network, on_device
from recallkit.training.data_card import digest_of_images, digest_of_network
from recallkit.training.environment import environment


def main(dataset: str, preset: str) -> None:
    """Measure, and store the result."""
    config, device = replace(PRESETS[preset], dataset=dataset), choose_device("auto")
    test = load(dataset, config.image_size).test
    torch.manual_seed(config.seed)
    network = on_device(make_network(config), device)
    digests = {
        "images_digest": digest_of_images(test, config.image_size),
        "network_digest": digest_of_network(network),
    }
    metrics = {
        "pixels": evaluate_pixels(test, config.image_size),
        "untrained": evaluate(network, test, config.image_size),
    }
    about = {"config": asdict(config), "test": metrics, **digests, **environment(device)}
    write_json(Path(__file__).with_name(f"{dataset}.json"), about)


if __name__ == "__main__":
    main(*sys.argv[1:])
