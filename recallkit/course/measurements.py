"""Stored measurements of time and memory."""

from typing import Any

from recallkit.files import embedded, read_json


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
