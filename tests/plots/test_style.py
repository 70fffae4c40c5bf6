"""The colours of series can be seen on light and on dark pages, and told apart."""

import pytest

from recallkit.plots import style

DARK = "#111111"  # the background of cells in the dark theme of JupyterLab
LEAST = 3.0  # WCAG 2.2, criterion 1.4.11: parts of graphics that are needed to understand them


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(weight * s for weight, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_is_that_of_wcag():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert contrast("#E69F00", "#FFFFFF") == pytest.approx(2.25, abs=0.005)


@pytest.mark.parametrize("page", ["#FFFFFF", DARK])
@pytest.mark.parametrize("colour", [*style.CYCLE, *style.scale_colours(7)])
def test_each_colour_of_a_series_can_be_seen(colour, page):
    assert contrast(colour, page) >= LEAST


def test_colours_of_an_order_go_from_dark_to_light():
    for count in range(1, 9):
        colours = style.scale_colours(count)
        assert len({*colours}) == count
        assert [*map(luminance, colours)] == sorted(map(luminance, colours))


def test_no_two_series_look_alike():
    assert len({*style.CYCLE}) == len(style.CYCLE) == len(style.LINES) == len(style.MARKERS)
    assert not {*style.CYCLE} & {*style.scale_colours(7)}
