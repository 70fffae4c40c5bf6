"""Which formats are opened, and that no file starts a program."""

import os
import sys

import pytest
from PIL import Image

from recallkit.data.image_files import (
    FORMATS,
    SUFFIXES,
    ImageFiles,
    read_image,
    read_photograph,
    read_whole_photograph,
)
from recallkit.errors import RecallkitError

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 20 20
%%EndComments
0 0 20 20 rectfill
%%EOF
"""


def test_formats_are_raster_formats_that_pillow_opens():
    assert set(FORMATS) <= set(Image.OPEN)
    assert not {"EPS", "WMF", "IPTC", "FITS", "MPEG", "HDF5", "PDF"} & set(FORMATS)
    assert {"JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "TGA", "JPEG2000"} <= set(FORMATS)


def test_suffixes_are_those_of_the_formats():
    expected = (
        ".jpg .jpeg .jfif .jpe .mpo .png .apng .gif .bmp .tif .tiff .webp .ppm .pgm .jp2 .tga"
    )
    assert set(expected.split()) <= SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)
    assert not {".eps", ".ps", ".pdf", ".wmf", ".emf", ".h5", ".mpg", ".fits"} & SUFFIXES
    assert (".avif" in SUFFIXES) == ("AVIF" in FORMATS)


@pytest.fixture
def called(tmp_path, monkeypatch):
    """A file that a stand-in for Ghostscript makes when it is called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("gs", "djpeg", "magick", "convert"):
        (tools / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "called"


ROUTES = {
    "image": read_image,
    "photograph": lambda path: read_photograph(path, 16),
    "whole photograph": lambda path: read_whole_photograph(path, 16),
    "files": lambda path: ImageFiles([path], 16).to("cpu"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.eps", "x.ps", "x"])
def test_no_name_makes_an_eps_start_a_program(tmp_path, called, route, name):
    (tmp_path / name).write_bytes(EPS)
    with pytest.raises(RecallkitError, match=name):
        ROUTES[route](tmp_path / name)
    assert not called.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_the_stand_in_would_be_called(tmp_path, called, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    (tmp_path / "x.eps").write_bytes(EPS)
    with Image.open(tmp_path / "x.eps") as image, pytest.raises(OSError, match=r"."):
        image.load()
    assert called.exists()
