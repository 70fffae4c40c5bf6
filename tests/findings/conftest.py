"""The user's results are elsewhere: tests see the project's alone, unless they store some."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def user_results(tmp_path, monkeypatch):
    """The folder of the user's results, empty."""
    monkeypatch.setenv("RECALLKIT_RESULTS", str(tmp_path / "user"))
    yield tmp_path / "user"
    plt.close("all")
