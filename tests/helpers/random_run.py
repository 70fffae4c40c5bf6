"""A finished run with random weights, and small images of random blocks: nothing is trained."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from recallkit.config import Config
from recallkit.data.folder import load_folder
from recallkit.data.prefetch import Reading
from recallkit.files import write_json
from recallkit.training.build import make_network
from recallkit.training.run_folder import store_data_of_run, write_weights


def draw(path, seed, **options):
    """Write an image of 4 × 4 random blocks, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((24, 20), Image.Resampling.NEAREST).save(path, **options)
    return path


def make_run(folder, dataset="emoji", seed=0):
    """Write a run, and return its folder."""
    config = Config(dataset=str(dataset), image_size=16, embedding_dim=8)
    write_json(folder / "config.json", asdict(config))
    if Path(dataset).is_dir():
        store_data_of_run(folder, config, load_folder(Path(dataset)), Reading())
    torch.manual_seed(seed)
    write_weights(folder, make_network(config))
    write_json(folder / "result.json", {})
    return folder
