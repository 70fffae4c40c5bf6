"""Numbers as the explorables write them."""

import pytest
from helpers.javascript import MATHS, Module


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.00000399, "4·10⁻⁶"),
        (-0.000123, "−1.2·10⁻⁴"),
        (1e-12, "1·10⁻¹²"),
        (0.001, "0.001"),
        (0.04567, "0.0457"),
        (-1234.5, "−1230"),
        (0, "0"),
    ],
)
def test_a_small_number_has_two_digits_and_a_power_of_ten(number, text):
    assert Module(MATHS.parent / "scales.js")("short", number) == text
