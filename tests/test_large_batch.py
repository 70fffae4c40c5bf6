"""The three steps: the gradient is that of one backward over the whole batch."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from recallkit import LargeBatchStep, RecallAtKLoss, SimilarityMixup


class Network(nn.Module):
    """Convolution, GroupNorm, dropout, and a projection on the sphere."""

    def __init__(self, dropout=0.0, norm=None):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2),
            norm or nn.GroupNorm(2, 8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.LazyLinear(6),
        )

    def forward(self, images):
        return normalize(self.body(images), dim=1)


def make(dropout=0.0, norm=None, dtype=torch.float64):
    torch.manual_seed(0)
    network = Network(dropout, norm)
    images = torch.randn(26, 3, 8, 8)
    network(images)  # gives the lazy layer its shape
    return network.to(dtype), images.to(dtype), torch.arange(26) // 4


def gradients(network):
    return [parameter.grad for parameter in network.parameters()]


def plain(network, images, labels, loss, mixup=None):
    embeddings = network(images)
    value = loss(*(mixup(embeddings, labels) if mixup else (embeddings, labels)))
    value.backward()
    return value.detach()


@pytest.mark.parametrize("chunk_size", [1, 4, 7, 25, 26, 100])
@pytest.mark.parametrize("mixed", [False, True])
def test_gradient_equals_one_backward(chunk_size, mixed):
    network, images, labels = make()
    twin = copy.deepcopy(network)
    loss = RecallAtKLoss(rank_temperature=0.1)
    mixups = [SimilarityMixup(torch.Generator().manual_seed(1)) if mixed else None for _ in "ab"]
    value = LargeBatchStep(network, loss, chunk_size, mixup=mixups[0])(images, labels)
    expected = plain(twin, images, labels, loss, mixups[1])
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradients(network), gradients(twin), rtol=1e-10, atol=1e-10)
    assert not value.requires_grad


def chunkwise(network, images, labels, loss, chunk_size):
    """One backward over the whole batch, with random numbers drawn in the order of the chunks."""
    embeddings = torch.cat([network(chunk) for chunk in images.split(chunk_size)])
    value = loss(embeddings, labels)
    value.backward()
    return value.detach()


@pytest.mark.parametrize("chunk_size", [5, 26])
def test_gradient_with_dropout_and_random_transform(chunk_size):
    network, images, labels = make(dropout=0.5)
    twin = copy.deepcopy(network)
    loss = RecallAtKLoss(rank_temperature=0.1)

    def noise(chunk):
        return chunk + 0.1 * torch.randn_like(chunk)

    torch.manual_seed(5)
    value = LargeBatchStep(network, loss, chunk_size, transform=noise)(images, labels)
    after = torch.rand(3)
    torch.manual_seed(5)
    expected = chunkwise(lambda c: twin(noise(c)), images, labels, loss, chunk_size)
    assert torch.equal(after, torch.rand(3))  # the second pass leaves no trace in the generator
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradients(network), gradients(twin), rtol=1e-10, atol=1e-10)


def test_dropout_breaks_a_step_that_forgets_the_random_state(monkeypatch):
    """The test above can fail: without restoring, the gradients differ grossly."""
    from contextlib import nullcontext

    from recallkit import large_batch

    network, images, labels = make(dropout=0.5)
    twin = copy.deepcopy(network)
    loss = RecallAtKLoss(rank_temperature=0.1)
    torch.manual_seed(5)
    LargeBatchStep(network, loss, 5)(images, labels)
    monkeypatch.setattr(large_batch.RandomState, "restored", lambda self: nullcontext())
    torch.manual_seed(5)
    LargeBatchStep(twin, loss, 5)(images, labels)
    a, b = (torch.cat([g.flatten() for g in gradients(n)]) for n in (network, twin))
    assert (a - b).norm() > 0.1 * a.norm()


def test_autocast_equals_a_plain_step_under_autocast():
    network, images, labels = make(dropout=0.3, dtype=torch.float32)
    twin = copy.deepcopy(network)
    loss = RecallAtKLoss(rank_temperature=0.1)
    torch.manual_seed(5)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # an outer context must not spoil the step
        LargeBatchStep(network, loss, 5, autocast=torch.bfloat16)(images, labels)
    torch.manual_seed(5)

    def cast(chunk):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return twin(chunk)

    chunkwise(cast, images, labels, loss, 5)
    torch.testing.assert_close(gradients(network), gradients(twin), rtol=0.02, atol=1e-3)


def test_adds_to_the_gradients_that_are_there():
    network, images, labels = make()
    step = LargeBatchStep(network, RecallAtKLoss(), 5)
    step(images, labels)
    once = [g.clone() for g in gradients(network)]
    step(images, labels)
    torch.testing.assert_close(gradients(network), [2 * g for g in once])


@pytest.mark.parametrize("chunk_size", [5, 100])
def test_batch_norm_in_training_mode_is_refused(chunk_size):
    network, images, labels = make(norm=nn.BatchNorm2d(8))
    step = LargeBatchStep(network, RecallAtKLoss(), chunk_size)
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(
        ValueError, match=r"BatchNorm in training mode \(body\.1\).*freeze_batch_norm"
    ):
        step(images, labels)
    torch.testing.assert_close(dict(network.state_dict()), dict(before))
    network.body[1].eval()
    step(images, labels)


@pytest.mark.parametrize("count", [0, 25])
def test_images_and_labels_of_different_length(count):
    network, images, labels = make()
    with pytest.raises(ValueError, match="images and labels must be of the same length"):
        LargeBatchStep(network, RecallAtKLoss())(images[:count], labels)


def test_chunk_size_below_one():
    with pytest.raises(ValueError, match="chunk_size must be at least 1"):
        LargeBatchStep(nn.Identity(), RecallAtKLoss(), 0)
