"""Data sets, image files, and the way from pixels to network input.

``load`` gives any data set by its name. The embedded ones are the packages ``emoji`` and
``glyphs``; ``benchmarks`` reads those of the literature; ``folder`` reads a folder of the user's.
``scenes`` makes a small set for segmentation; ``digits`` and ``foundries`` make pairs of domains.
"""

from recallkit.errors import needs_extra

with needs_extra("recallkit.data"):
    from recallkit.constants import PIXEL_MEAN, PIXEL_STD
    from recallkit.data.benchmarks import BENCHMARKS, load_benchmark
    from recallkit.data.catalogue import LOADERS, load
    from recallkit.data.digits import load_printed_to_handwritten, load_textured_digits
    from recallkit.data.domain_pair import DomainPair
    from recallkit.data.emoji import load_emoji
    from recallkit.data.folder import load_folder
    from recallkit.data.foundries import load_between_foundries
    from recallkit.data.glyphs import load_distorted_glyphs, load_glyphs
    from recallkit.data.image_files import ImageFiles, fit_image, read_image
    from recallkit.data.image_set import Images, ImageSet, Protocol, Splits
    from recallkit.data.prefetch import Reading
    from recallkit.data.scenes import Scenes, SceneSplits, Thing, compose_scene, load_scenes
    from recallkit.data.transforms import TestTransform, TrainTransform, normalise, over_white

__all__ = [
    "BENCHMARKS",
    "LOADERS",
    "PIXEL_MEAN",
    "PIXEL_STD",
    "DomainPair",
    "ImageFiles",
    "ImageSet",
    "Images",
    "Protocol",
    "Reading",
    "SceneSplits",
    "Scenes",
    "Splits",
    "TestTransform",
    "Thing",
    "TrainTransform",
    "compose_scene",
    "fit_image",
    "load",
    "load_benchmark",
    "load_between_foundries",
    "load_distorted_glyphs",
    "load_emoji",
    "load_folder",
    "load_glyphs",
    "load_printed_to_handwritten",
    "load_scenes",
    "load_textured_digits",
    "normalise",
    "over_white",
    "read_image",
]
