"""How much memory there is, and whether images fit."""

import sys

import pytest

from recallkit.data import memory
from recallkit.data.memory import available_memory, fits_into_memory, left_in_container


@pytest.mark.parametrize(
    ("available", "fits"), [(None, True), (8_000_000, True), (7_999_999, False), (0, False)]
)
def test_images_may_take_half_of_the_memory(monkeypatch, capsys, available, fits):
    monkeypatch.setattr(memory, "available_memory", lambda: available)
    assert fits_into_memory(100, 100) == fits  # 4 MB as RGBA
    said = capsys.readouterr().err
    assert said.startswith("reading 100 images of 100 × 100 pixels")
    assert ("3.0 MB of memory, 4.0 MB" in said) == fits
    assert ("--workers" in said) != fits
    assert said.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="not known there")
def test_the_memory_of_this_machine():
    available = available_memory()
    assert available is not None
    assert 2**24 < available < 2**50


def container(folder, limit, used, stat):
    for name, text in (("limit", limit), ("used", used), ("memory.stat", stat)):
        (folder / name).write_text(text)
    return left_in_container(folder, "limit", "used")


def test_the_limit_of_a_container(tmp_path):
    stat = "anon 5\ninactive_file 300\nactive_file 20\n"
    assert container(tmp_path, "1000\n", "900\n", stat) == 420  # files in memory give way
    assert container(tmp_path, "1000\n", "900\n", "anon 5\n") == 100
    assert container(tmp_path, "1000\n", "1900\n", "anon 5\n") == 0
    assert container(tmp_path, "max\n", "900\n", stat) is None
    assert left_in_container(tmp_path / "none", "limit", "used") is None
