"""The sizes of the classes of embedded data, without their pixels."""

import pytest

from recallkit.data import load
from recallkit.data.class_sizes import embedded_class_sizes


@pytest.mark.parametrize("name", ["emoji", "glyphs"])
def test_sizes_are_those_of_the_training_images(name):
    labels = load(name).train.labels
    assert list(embedded_class_sizes(name)) == labels.unique(return_counts=True)[1].tolist()


def test_the_distorted_glyphs_are_as_many():
    assert embedded_class_sizes("glyphs-distorted") == embedded_class_sizes("glyphs")


@pytest.mark.parametrize("name", ["cub", "/a/folder", ""])
def test_other_data_are_not_known(name):
    assert embedded_class_sizes(name) == ()
