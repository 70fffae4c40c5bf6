"""The U-Net: shapes, what a pixel sees, and what it refuses."""

import pytest
import torch

from recallkit.networks import UNet


def make(seed=0, **settings):
    torch.manual_seed(seed)
    return UNet(**{"classes": 5, "width": 4, "levels": 3, **settings}).eval()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 16)])
def test_each_pixel_has_a_score_for_each_class(height, width):
    assert make()(torch.rand(2, 3, height, width)).shape == (2, 5, height, width)


def test_images_of_a_batch_do_not_meet_in_evaluation():
    network, images = make(), torch.rand(3, 3, 16, 16)
    alone = torch.cat([network(image[None]) for image in images])
    assert torch.allclose(network(images), alone, atol=1e-6)


def test_a_pixel_sees_far_through_the_coarse_maps_only():
    """A pixel 20 places away reaches a score through the coarsest maps, and near ones reach it."""

    def reached(levels):
        network = make(levels=levels)
        images = torch.rand(1, 3, 64, 64, requires_grad=True)
        network(images)[0, :, 32, 32].sum().backward()
        assert images.grad is not None
        return images.grad[0].abs().sum(0)

    shallow, deep = reached(2), reached(4)
    assert shallow[32, 32] > 0
    assert shallow[:6].max() == 0
    assert deep[:6].max() > 0


def test_neighbouring_pixels_have_scores_of_their_own():
    scores = make()(torch.rand(1, 3, 16, 16))
    assert (scores[..., ::2, ::2] != scores[..., 1::2, 1::2]).float().mean() > 0.9


def test_every_weight_has_a_gradient():
    network = make().train()
    network(torch.rand(4, 3, 16, 16)).square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())


def test_the_same_seed_makes_the_same_network():
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(make(3)(image), make(3)(image))
    assert not torch.equal(make(3)(image), make(4)(image))


@pytest.mark.parametrize("name", ["classes", "width", "levels"])
def test_numbers_out_of_range_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        make(**{name: 0})


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 16, 16), "images must be floating"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), "images must be floating"),
        (torch.zeros(1, 3, 16, 12), "sides that 8 divides"),
    ],
)
def test_wrong_images_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        make()(images)
