"""What the tests of the command share."""

import pytest
import torch
from PIL import Image

from recallkit import cli, config

SMALL = config.Config(images=32, batch_size=16, evaluations=1, image_size=16, embedding_dim=8)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECALLKIT_RESULTS", raising=False)


@pytest.fixture
def small_preset(monkeypatch):
    """Make the default presets ones of two steps, and return their settings."""
    for name in ("emoji", "photos"):
        monkeypatch.setitem(config.PRESETS, name, SMALL)
    return SMALL


@pytest.fixture
def toy(monkeypatch, toy_splits, small_preset, two_queries):
    """Put the toy data under the name of the default data set."""
    from recallkit import data

    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    return small_preset


@pytest.fixture
def image_folder(tmp_path, small_preset, two_queries):
    """Write twelve classes of three small images."""
    generator = torch.Generator().manual_seed(0)
    for c in range(12):
        (tmp_path / "images" / f"class {c}").mkdir(parents=True)
        for i in range(3):
            pixels = torch.randint(0, 256, (8, 9, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(tmp_path / "images" / f"class {c}" / f"{i}.jpg")
    return tmp_path / "images"


@pytest.fixture
def failing():
    """Return a function that runs a command which must fail, and gives its message."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(list(arguments))
        assert isinstance(stop.value.code, str)  # which Python prints on stderr, with status 1
        return stop.value.code

    return run
