"""What the tests of the gallery share."""

import pytest
from helpers.random_run import draw, make_run

from recallkit.gallery import load_trained_run


@pytest.fixture
def photos(tmp_path):
    """Eight classes of three images."""
    for c in range(8):
        for i in range(3):
            draw(tmp_path / "photos" / f"class {c}" / f"{i}.png", 10 * c + i)
    return tmp_path / "photos"


@pytest.fixture
def album(tmp_path):
    """Six images without classes."""
    for i in range(6):
        draw(tmp_path / "album" / f"{i}.png", 100 + i)
    return tmp_path / "album"


@pytest.fixture
def run(tmp_path, photos):
    """A run on the photos."""
    return load_trained_run(make_run(tmp_path / "run", photos), "cpu")
