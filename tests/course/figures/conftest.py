"""Every figure that a test draws has texts that can be read on a page."""

import pytest
from helpers.figures import drawn_figures, small_texts


@pytest.fixture(autouse=True)
def _legible():
    with drawn_figures() as figures:
        yield
    on_pages = [fig for fig in figures if fig.get_figwidth() <= 11]  # wider ones are made up
    assert [texts for fig in on_pages if (texts := small_texts(fig))] == []
