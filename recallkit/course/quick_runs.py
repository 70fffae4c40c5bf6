"""Small comparisons that a reader trains in a notebook."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recallkit.config import Config
from recallkit.data.image_set import Splits
from recallkit.training.loop import train


def train_each(
    configs: Sequence[Config], splits: Splits | None = None, device: str = "auto"
) -> list[dict[str, Any]]:
    """Train with each of these settings, one after the other; keep the results, not run folders.

    Args:
        configs: the settings.
        splits: the data. None loads the data set that the settings name.
        device: "auto" takes a GPU if there is one.

    Returns:
        The result of :func:`recallkit.training.loop.train` for each of the settings.
    """
    with TemporaryDirectory() as folder:
        return [
            train(config, Path(folder) / str(number), splits=splits, device=device, progress=False)
            for number, config in enumerate(configs)
        ]
