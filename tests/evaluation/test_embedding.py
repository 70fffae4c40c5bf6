import pytest
import torch
from torch.nn.functional import interpolate, normalize

from recallkit.evaluation.embedding import multi_scale
from recallkit.networks import SmallConvNet


def test_is_the_mean_over_sizes_on_the_unit_sphere():
    network, images = SmallConvNet(8).eval(), torch.randn(2, 3, 32, 48)
    half = interpolate(images, size=(16, 24), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = normalize(network(images) + network(half), dim=1)
        assert torch.allclose(multi_scale(network, images, (1, 0.5)), expected, atol=1e-6)
        assert torch.allclose(multi_scale(network, images, (1,)), network(images), atol=1e-6)


@pytest.mark.parametrize("scales", [(), (1, 0), (-1,)])
def test_wrong_scales_are_refused(scales):
    with pytest.raises(ValueError, match="scales must be numbers above 0"):
        multi_scale(SmallConvNet(8), torch.zeros(1, 3, 32, 32), scales)
