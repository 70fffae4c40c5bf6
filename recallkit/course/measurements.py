"""Stored measurements: time and memory, and the gradient of queries."""

from typing import TYPE_CHECKING, Any

from recallkit.files import embedded, read_json

if TYPE_CHECKING:
    import pandas as pd


def stored_measurement(name: str) -> dict[str, Any]:
    """Read a measurement that comes with the project.

    Args:
        name: of its file, such as "step-cpu", without the suffix.

    Returns:
        What ``recallkit bench`` stored: "cases", "device", "commit" and more.

    Raises:
        RecallkitError: if there is none of that name.
    """
    return read_json(embedded("results") / "bench" / f"{name}.json")


def stored_gradients() -> "pd.DataFrame":
    """Tabulate what the queries of a batch met at ten points of trainings on emoji.

    The preset ``emoji`` was trained on 100,000 images, without and with SiMix, from three seeds. On
    the way, batches of four sizes were measured with the network as it was; the measurement changed
    nothing in the training.

    Returns:
        A row for each measurement: "seed"; "trained with SiMix"; "images" that the network had
        seen; "batch size" of the measured batch; "queries": "without SiMix", "real, with SiMix" or
        "virtual"; "loss", their mean loss; "gradient", the mean norm of the gradient of a query's
        own loss by its embedding; "near", the mean number of negatives whose similarity is within
        5 τ₂ of that of a positive.
    """
    import pandas as pd

    return pd.DataFrame(read_json(embedded("results") / "gradients" / "gradients.json")["rows"])
