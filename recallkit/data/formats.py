"""The formats of images that are opened.

The rule: raster formats that Pillow, and the libraries it is linked with, decode within this
process. A file is what its first bytes say, whatever its name says. Left out are formats

- that another program draws: EPS and PS (Ghostscript), WMF and EMF;
- that give what they hold to any decoder: IPTC; or that only name one: BUFR, GRIB, HDF5, MPEG;
- of measurements rather than images: FITS, McIdas, SPIDER; and of films, fonts and old games.
"""

from PIL import Image

__all__ = ["FORMATS", "SUFFIXES"]

_RASTER = (  # TGA is last: it has no first bytes of its own
    *("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP", "DIB", "JPEG2000", "PPM", "ICO", "ICNS"),
    *("PSD", "QOI", "DDS", "PCX", "SGI", "SUN", "XBM", "XPM", "TGA"),
)

Image.init()  # makes all formats known

FORMATS = tuple(name for name in _RASTER if name in Image.OPEN)
"""Pillow's names of the formats that are opened; AVIF among them if this Pillow has it."""

SUFFIXES = frozenset(
    suffix
    for suffix, name in Image.registered_extensions().items()
    if name in FORMATS or name == "MPO"  # JPEG images in a row: opened as JPEG
)
"""The suffixes of these formats, in lower case, as Pillow knows them."""
