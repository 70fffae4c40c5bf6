"""The second pass gives what the first gave, or the step says that it does not."""

import copy
import os
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrizations, spectral_norm

from recallkit import LargeBatchStep, RecallAtKLoss
from recallkit.large_batch import PassesDifferError
from recallkit.large_batch.agreement import default_tolerance

LOSS = RecallAtKLoss(rank_temperature=0.1)
LABELS = torch.arange(24) // 4


def inputs(dtype=torch.float64):
    return torch.randn(24, 10, generator=torch.Generator().manual_seed(1)).to(dtype)


class Network(nn.Module):
    """Two layers; ``path`` may change what is between them in each call."""

    def __init__(self, path=lambda hidden: hidden, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.path, self.first, self.second = path, nn.Linear(10, 8), nn.Linear(8, 4)
        self.to(dtype)

    def forward(self, x):
        return normalize(self.second(self.path(self.first(x).tanh())), dim=1)


def gradient(network):
    return torch.cat([p.grad.flatten() for p in network.parameters()])


def seed():
    torch.manual_seed(5), random.seed(5), np.random.seed(5)


def chunkwise(network, x):
    """One backward over all chunks together: what the step must equal."""
    network.zero_grad()
    LOSS(torch.cat([network(chunk) for chunk in x.split(4)]), LABELS).backward()
    return gradient(network)


SOURCES = {
    "torch": lambda: torch.rand(()).item(),
    "python": random.random,
    "numpy": np.random.rand,
    "python, gauss": lambda: random.gauss(0.5, 1),  # remembers its second number
    "numpy, normal": lambda: float(np.random.normal(0.5)),  # so does this
    "choice": lambda: random.choice([0.1, 0.9]),
    "permutation": lambda: np.random.permutation(10)[0] / 10,
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("where", ["network", "transform"])
def test_default_generators_are_repeated(source, where):
    draw = SOURCES[source]

    def drop(hidden):
        return hidden * float(draw())

    network = Network(drop if where == "network" else lambda hidden: hidden)
    transform = drop if where == "transform" else None
    x = inputs()
    seed()
    LargeBatchStep(network, LOSS, 4, transform=transform)(x, LABELS)
    after = torch.rand(2).tolist(), random.random(), np.random.rand()
    result = gradient(network)
    seed()
    expected = chunkwise(lambda_of(network, transform), x) if transform else chunkwise(network, x)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-12)
    assert after == (torch.rand(2).tolist(), random.random(), np.random.rand())


def lambda_of(network, transform):
    """The network after the transform, as a module with the parameters of the network."""

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(transform(x))

    return Both()


class Counter:
    """Another number at each call."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.calls


def unreachable_sources():
    generator, python, own = np.random.default_rng(0), random.Random(0), torch.Generator()
    return {
        "numpy Generator": generator.random,
        "RandomState of its own": np.random.RandomState(0).rand,
        "random.Random": python.random,
        "random.SystemRandom": random.SystemRandom().random,
        "torch.Generator": lambda: torch.rand((), generator=own).item(),
        "os.urandom": lambda: os.urandom(1)[0] / 256,
        "a counter": Counter(),
    }


@pytest.mark.parametrize("source", unreachable_sources())
def test_other_sources_are_noticed_and_leave_no_gradient(source):
    draw = unreachable_sources()[source]
    network = Network(lambda hidden: hidden * (0.1 + draw()) ** 2 + 0.1)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    seed()
    with pytest.raises(PassesDifferError, match=r"second pass over chunk \d of 6 \(rows .*default"):
        LargeBatchStep(network, LOSS, 4)(inputs(), LABELS)
    assert (gradient(network) == 1).all()
    after = torch.rand(2), random.random(), np.random.rand()
    seed()
    assert torch.equal(after[0], torch.rand(2))
    assert after[1:] == (random.random(), np.random.rand())


def test_the_chunk_that_differs_is_named():
    calls = Counter()
    network = Network(lambda hidden: hidden + (calls() == 9))  # six chunks, then 1, 2, 3 again
    with pytest.raises(PassesDifferError, match=r"chunk 3 of 6 \(rows 8 to 11 of images\)"):
        LargeBatchStep(network, LOSS, 4)(inputs(), LABELS)


def test_a_chunk_that_keeps_its_graph_is_run_once_and_may_draw_from_anywhere():
    generator = np.random.default_rng(0)
    network = Network(lambda hidden: hidden * generator.random())
    LargeBatchStep(network, LOSS, 4, keep_graphs=10**9)(inputs(), LABELS)
    result, generator = gradient(network), np.random.default_rng(0)
    torch.testing.assert_close(result, chunkwise(network, inputs()), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "autocast", "share", "allowed"),
    [
        (torch.float64, None, 1e-12, True),
        (torch.float64, None, 1e-6, False),
        (torch.float32, None, 1e-5, True),
        (torch.float32, None, 2e-3, False),
        (torch.float32, torch.bfloat16, 0.01, True),
        (torch.float32, torch.bfloat16, 0.5, False),
    ],
)
def test_rounding_is_allowed_and_more_is_not(dtype, autocast, share, allowed):
    calls = Counter()

    class Shaken(Network):
        def forward(self, x):
            embeddings = super().forward(x)
            return embeddings + share * embeddings.abs().max().detach() * (calls() > 6)

    step = LargeBatchStep(Shaken(dtype=dtype), LOSS, 4, autocast=autocast)
    if allowed:
        step(inputs(dtype), LABELS)
        return
    with pytest.raises(PassesDifferError):
        step(inputs(dtype), LABELS)


def test_the_tolerance_is_half_of_the_digits_of_the_coarsest_type():
    output, network = torch.ones(2, 2), nn.Linear(2, 2)
    assert default_tolerance(output, network, None) == pytest.approx(3.45e-4, rel=0.01)
    assert default_tolerance(output.double(), network.double(), None) == pytest.approx(1.5e-8, 0.01)
    assert default_tolerance(output, network.bfloat16(), None) == pytest.approx(0.088, rel=0.01)
    assert default_tolerance(output, nn.Linear(2, 2), torch.float16) == pytest.approx(0.031, 0.02)
    with torch.autocast("cpu", torch.bfloat16):
        assert default_tolerance(output, nn.Linear(2, 2), None) == pytest.approx(0.088, rel=0.01)


class Spoiled(Network):
    """Calls → what is added to an entry of the output in that call."""

    def __init__(self, added):
        super().__init__()
        self.added, self.calls = added, Counter()

    def forward(self, x):
        embeddings, spoiled = super().forward(x), torch.zeros(len(x), 4, dtype=torch.float64)
        spoiled[1, 2] = self.added.get(self.calls(), 0)
        return embeddings + spoiled


def sum_of_finite(embeddings, labels):
    return embeddings.nan_to_num(posinf=0, neginf=0).sum()


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_an_entry_that_is_finite_in_the_first_pass_alone_is_refused(number):
    network = Spoiled({8: number})  # six chunks, then 1, 2, …
    with pytest.raises(PassesDifferError, match=r"chunk 2 of 6 .* by up to inf"):
        LargeBatchStep(network, LOSS, 4)(inputs(), LABELS)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_a_chunk_that_is_not_finite_in_both_passes_hides_no_other(number):
    unfinished = {1: number, 7: number}
    LargeBatchStep(Spoiled(unfinished), sum_of_finite, 4)(inputs(), LABELS)
    with pytest.raises(PassesDifferError, match=r"chunk 2 of 6"):
        LargeBatchStep(Spoiled(unfinished | {8: 1.0}), sum_of_finite, 4)(inputs(), LABELS)


def test_the_tolerance_can_be_set():
    calls = Counter()
    network = Network(lambda hidden: hidden + calls())
    LargeBatchStep(network, LOSS, 4, tolerance=10.0)(inputs(), LABELS)
    with pytest.raises(PassesDifferError):
        LargeBatchStep(network, LOSS, 4, tolerance=0.0)(inputs(), LABELS)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="tolerance must be at least 0"):
            LargeBatchStep(network, LOSS, tolerance=wrong)


def test_numbers_that_are_not_finite_are_left_to_the_loss():
    network = Network(lambda hidden: hidden * torch.nan)
    LargeBatchStep(network, lambda e, _: e.sum(), 4)(inputs(), LABELS)
    with pytest.raises(ValueError, match="embeddings must be finite"):
        LargeBatchStep(network, LOSS, 4)(inputs(), LABELS)


class Centred(nn.Module):
    """Takes away a moving average that it updates in training mode, in one of three ways."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.register_buffer("mean", torch.zeros(8, dtype=torch.float64))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, hidden):
        if self.training:
            update = hidden.detach().mean(dim=0)
            if self.how == "in place":
                self.mean.lerp_(update, 0.3)
            elif self.how == "replaced":
                self.mean = self.mean.lerp(update, 0.3)
            else:
                self.mean.copy_(0.7 * self.mean + 0.3 * update)
            self.calls += 1
        return hidden - self.mean.clone()


CHANGING = {
    "moving average, in place": lambda: Centred("in place"),
    "moving average, replaced": lambda: Centred("replaced"),
    "moving average, copied": lambda: Centred("copied"),
    "instance norm": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 4)), nn.InstanceNorm1d(2, track_running_stats=True), nn.Flatten()
    ),
    "spectral norm": lambda: parametrizations.spectral_norm(nn.Linear(8, 8)),
}


@pytest.mark.parametrize("kept", [0, 1000, 10**9])
@pytest.mark.parametrize("layer", CHANGING)
def test_buffers_that_change_in_training_mode_change_once(layer, kept):
    network = Network(CHANGING[layer]())
    network.path.double()
    twin = copy.deepcopy(network)
    LargeBatchStep(network, LOSS, 4, keep_graphs=kept)(inputs(), LABELS)
    expected = chunkwise(twin, inputs())
    torch.testing.assert_close(gradient(network), expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(dict(network.named_buffers()), dict(twin.named_buffers()))


@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
def test_the_older_spectral_norm():
    """Its weight is made anew in each call, so only the step in chunks can be run twice."""
    network = Network(spectral_norm(nn.Linear(8, 8)).double())
    twin = copy.deepcopy(network)
    LargeBatchStep(network, LOSS, 4)(inputs(), LABELS)
    LargeBatchStep(twin, LOSS, 4, keep_graphs=10**9)(inputs(), LABELS)
    torch.testing.assert_close(gradient(network), gradient(twin), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(network.path.weight_u, twin.path.weight_u)


class HiddenWrites(nn.Module):
    """Writes to a buffer through ``.data``, which torch does not count."""

    def __init__(self, used):
        super().__init__()
        self.used = used
        self.register_buffer("calls", torch.zeros(1, dtype=torch.float64))

    def forward(self, hidden):
        self.calls.data += 1
        return hidden + (self.calls.clone() if self.used else 0)


def test_a_hidden_write_counts_once_if_the_output_does_not_depend_on_it():
    network = Network(HiddenWrites(used=False))
    LargeBatchStep(network, LOSS, 4)(inputs(), LABELS)
    assert network.path.calls.item() == 6


def test_a_hidden_write_that_changes_the_output_is_named():
    network = Network(HiddenWrites(used=True))
    with pytest.raises(PassesDifferError, match=r"change in training mode \(path\.calls\)"):
        LargeBatchStep(network, LOSS, 4)(inputs(), LABELS)
    assert network.path.calls.item() == 0


def test_measuring_trying_and_running_out_of_memory_change_no_buffer():
    network = Network(Centred("in place"))
    step = LargeBatchStep(network, LOSS, 8)
    step.graph_bytes(inputs()[:4])
    assert step.fits(inputs()[:4])
    assert network.path.calls.item() == 0
    failures = iter([True])

    def loss(embeddings, labels):
        if next(failures, False):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return LOSS(embeddings, labels)

    step.loss = loss
    with pytest.warns(UserWarning, match="out of memory"):
        step(inputs(), LABELS)
    assert network.path.calls.item() == 6


def test_buffers_in_evaluation_mode_are_not_copied():
    """They may be large: a memory of embeddings that the network reads."""
    network = Network(Centred("in place").eval())
    step = LargeBatchStep(network, LOSS, 4)
    network.path.mean = network.path.mean.to("meta")  # cannot be copied back and forth
    network.path.forward = lambda hidden: hidden
    step(inputs(), LABELS)
