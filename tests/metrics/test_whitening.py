import pytest
import torch
from torch.nn.functional import normalize

from recallkit.metrics import fit_whitening


def stretched(n=400, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing + 3


def test_what_it_was_learnt_on_becomes_uncorrelated_of_spread_one():
    points = stretched()
    whitening = fit_whitening(points)
    projected = (points - whitening.mean) @ whitening.projection.T
    assert torch.allclose(torch.cov(projected.T), torch.eye(6, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(whitening(points), normalize(projected, dim=1))


def test_fewer_dimensions_are_those_of_the_largest_spread():
    points = stretched()
    centred = points - points.mean(dim=0)
    _, spread, axes = torch.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:2].T / (spread[:2] / (len(points) - 1) ** 0.5)
    whitened = fit_whitening(points, dim=2)(points)
    assert torch.allclose(whitened.abs(), normalize(expected, dim=1).abs(), atol=1e-9)  # up to sign


def test_type_is_kept_and_directions_without_spread_are_dropped():
    points = torch.cat([stretched(), torch.zeros(400, 2, dtype=torch.float64)], dim=1).float()
    whitened = fit_whitening(points)(points)
    assert whitened.dtype == torch.float32
    assert whitened.shape == (400, 6)
    assert torch.allclose(whitened.norm(dim=1), torch.ones(400), atol=1e-5)


@pytest.mark.parametrize("dim", [0, 7])
def test_wrong_dimensions_are_refused(dim):
    with pytest.raises(ValueError, match="dim must be from 1 to 6"):
        fit_whitening(stretched(), dim)
    with pytest.raises(ValueError, match="at least two"):
        fit_whitening(torch.ones(1, 3))
    with pytest.raises(ValueError, match="dimension 6"):
        fit_whitening(stretched())(torch.ones(2, 3))
