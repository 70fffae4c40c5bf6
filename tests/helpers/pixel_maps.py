"""Small maps of logits and labels, and the gradient of a loss on them."""

import torch

IGNORED = 255


def make_maps(seed, size=(2, 4, 4, 5), ignored=0.2):
    """(B, C, H, W) float64 logits and (B, H, W) labels; class 3 is absent."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, generator=generator, dtype=torch.float64)
    shape = (size[0], *size[2:])
    labels = torch.randint(0, 3, shape, generator=generator)
    left_out = torch.rand(shape, generator=generator) < ignored
    return logits, labels.masked_fill(left_out, IGNORED)


def value_and_gradient(loss, logits, labels):
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, labels)
    value.backward()
    return value.item(), logits.grad


def same_gradient(gradient, flat):
    expected = torch.tensor(flat, dtype=torch.float64).view_as(gradient)
    return torch.allclose(gradient, expected, rtol=0, atol=1e-10)
