"""The three steps: the gradient is that of one backward over the whole batch."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize
from torchvision.ops import StochasticDepth

from recallkit import LargeBatchStep, RecallAtKLoss, SimilarityMixup
from recallkit.bench.memory import peak_bytes
from recallkit.data.transforms import TrainTransform
from recallkit.errors import RecallkitError
from recallkit.large_batch import CPU_CHUNK, PassesDifferError, largest_that_fits
from recallkit.networks import EmbeddingHead, GeM, freeze_batch_norm


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
    from recallkit import large_batch

    network, images, labels = make(dropout=0.5)
    twin = copy.deepcopy(network)
    loss = RecallAtKLoss(rank_temperature=0.1)
    torch.manual_seed(5)
    LargeBatchStep(network, loss, 5)(images, labels)
    monkeypatch.setattr(large_batch.RandomState, "restored", lambda self: nullcontext())
    with pytest.raises(PassesDifferError, match="second pass over chunk"):
        LargeBatchStep(twin, loss, 5)(images, labels)
    torch.manual_seed(5)
    LargeBatchStep(twin, loss, 5, tolerance=float("inf"))(images, labels)
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


def test_one_number_is_no_label_of_each_image():
    network, images, _ = make()
    with pytest.raises(ValueError, match=r"labels must be of shape \(N,\).*, not \(\)"):
        LargeBatchStep(network, RecallAtKLoss())(images, torch.tensor(3))


@pytest.mark.parametrize("count", [0, 25])
def test_images_and_labels_of_different_length(count):
    network, images, labels = make()
    with pytest.raises(ValueError, match="images and labels must be of the same length"):
        LargeBatchStep(network, RecallAtKLoss())(images[:count], labels)


@pytest.mark.parametrize("chunk_size", [0, -3, "large"])
def test_bad_chunk_size(chunk_size):
    with pytest.raises(ValueError, match=r'chunk_size must be at least 1, or "auto"'):
        LargeBatchStep(nn.Identity(), RecallAtKLoss(), chunk_size)


def test_nothing_to_train():
    network, images, labels = make()
    with pytest.raises(ValueError, match="all are frozen"):
        LargeBatchStep(network.requires_grad_(False), RecallAtKLoss())(images, labels)


class Everything(nn.Module):
    """All layers of networks for retrieval that draw random numbers or normalise."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU())
        self.depth = StochasticDepth(0.5, mode="row")
        self.pooling = GeM()
        self.dropout = nn.Dropout(0.3)
        self.head = EmbeddingHead(8, 6)

    def forward(self, images):
        features = self.stem(images)
        features = features + self.depth(self.block(features))
        return self.head(self.dropout(self.pooling(features)))


def make_everything(dtype):
    torch.manual_seed(0)
    network = freeze_batch_norm(Everything()).to(dtype)
    network.stem[1].running_mean.normal_()
    network.stem[1].running_var.uniform_(0.5, 2)
    images = torch.randint(0, 256, (26, 3, 12, 12), dtype=torch.uint8)
    return network, images, torch.arange(26) // 4


def augment(dtype):
    """From uint8, turned and coloured by random amounts, as a transform on the device."""
    transform = TrainTransform(8, colour=0.3, flip=True)
    return lambda images: transform(images).to(dtype)


# float64 proves the formulas; float32 differs in the order of sums; under autocast the chunks are
# rounded as in a plain step. float16 is scaled here and in the plain step is not.
TOLERANCES = {
    "float64": (torch.float64, None, 1e-10),
    "float32": (torch.float32, None, 1e-6),
    "bfloat16": (torch.float32, torch.bfloat16, 1e-6),
    "float16": (torch.float32, torch.float16, 1e-3),
}
KEPT = {"no graphs": 0, "a few graphs": 60_000, "all graphs": 10**9}


def multi_similarity():
    return pytest.importorskip("pytorch_metric_learning.losses").MultiSimilarityLoss()


LOSSES = {
    "recall": lambda: RecallAtKLoss(rank_temperature=0.1),
    "pytorch-metric-learning": multi_similarity,
}


def close(gradient, expected, tolerance):
    """Assert that all gradients as one vector are within a relative distance."""
    a, b = (torch.cat([g.flatten().double() for g in side]) for side in (gradient, expected))
    assert (a - b).norm() <= tolerance * b.norm(), float((a - b).norm() / b.norm())


def test_augmentation_is_drawn_for_the_batch_whatever_the_chunks():
    """Without it, the gradient in chunks of five would be that of other images."""
    network, images, labels = make()
    images = torch.randint(0, 256, (26, 3, 12, 12), dtype=torch.uint8)
    results = []
    for chunk_size in (5, 26):
        network.float().zero_grad()
        step = LargeBatchStep(
            network, RecallAtKLoss(), chunk_size, transform=TrainTransform(8, colour=0.3, flip=True)
        )
        torch.manual_seed(5)
        step(images, labels)
        results.append([g.clone() for g in gradients(network)])
    close(*results, tolerance=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("precision", TOLERANCES)
def test_everything_at_once(precision, kept, loss):
    """Dropout, stochastic depth, frozen BatchNorm, GroupNorm, GeM, augmentation, any loss."""
    dtype, autocast, tolerance = TOLERANCES[precision]
    network, images, labels = make_everything(dtype)
    twin, loss = copy.deepcopy(network), LOSSES[loss]()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0) if precision == "float16" else None
    options = {"autocast": autocast, "transform": augment(dtype), "scaler": scaler}
    step = LargeBatchStep(network, loss, 5, keep_graphs=KEPT[kept], **options)
    torch.manual_seed(5)
    value = step(images, labels)
    after = torch.rand(3)

    def embed(chunk):
        with torch.autocast("cpu", dtype=autocast, enabled=autocast is not None):
            return twin(augment(dtype)(chunk))

    torch.manual_seed(5)
    expected = chunkwise(embed, images, labels, loss, 5)
    assert torch.equal(after, torch.rand(3))
    result = gradients(network)
    if scaler is not None:
        result = [g / 1024 for g in result]
    torch.testing.assert_close(value, expected, rtol=tolerance, atol=tolerance)
    close(result, gradients(twin), tolerance)


def test_gradient_that_float16_would_lose_survives_by_scaling():
    def tiny(embeddings, labels):
        return 1e-6 * RecallAtKLoss(rank_temperature=0.1)(embeddings, labels)

    results = {}
    for name, scaler in {"plain": None, "scaled": torch.amp.GradScaler("cpu")}.items():
        network, images, labels = make(dtype=torch.float32)
        LargeBatchStep(network, tiny, 5, autocast=torch.float16, scaler=scaler)(images, labels)
        results[name] = torch.cat([g.flatten() for g in gradients(network)])
    network, images, labels = make(dtype=torch.float32)
    plain(network, images, labels, tiny)
    exact = torch.cat([g.flatten() for g in gradients(network)])
    scaled = results["scaled"] / 65536
    assert (scaled - exact).norm() < 0.05 * exact.norm()
    assert (results["plain"] - exact).norm() > 2 * (scaled - exact).norm()


def test_steps_with_clipping_and_accumulation():
    """Two batches added up, clipped, and a step of the optimiser, twice: equal without chunks."""
    network, images, labels = make()
    twin, loss = copy.deepcopy(network), RecallAtKLoss(rank_temperature=0.1)
    ways = {
        network: LargeBatchStep(network, loss, 5, keep_graphs=10_000),
        twin: lambda images, labels: plain(twin, images, labels, loss),
    }
    for net, gradient in ways.items():
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for _ in range(2):
            optimizer.zero_grad()
            gradient(images, labels)
            gradient(images.flip(2), labels)
            norm = nn.utils.clip_grad_norm_(net.parameters(), 1e-3)
            assert norm > 1e-3
            optimizer.step()
    torch.testing.assert_close(
        dict(network.state_dict()), dict(twin.state_dict()), rtol=1e-10, atol=1e-12
    )


def count_forward_passes(network):
    sizes = []
    network.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    return sizes


def graph_bytes(network, chunk):
    return LargeBatchStep(network, RecallAtKLoss()).graph_bytes(chunk)


@pytest.mark.parametrize("graphs", [0, 1, 3, 5, 100])
def test_as_many_graphs_are_kept_as_fit(graphs):
    """26 images in six chunks of five; the last graph is kept without a budget."""
    network, images, labels = make()
    budget = graphs * graph_bytes(network, images[:5])
    sizes = count_forward_passes(network)
    LargeBatchStep(network, RecallAtKLoss(), 5, keep_graphs=budget)(images, labels)
    again = 5 - min(graphs, 5)
    assert sizes == [5, 5, 5, 5, 5, 1] + [5] * again


@pytest.mark.parametrize("graphs", [0, 1, 32, 33, 100])
def test_of_many_chunks_the_last_graph_counts_in_the_budget(graphs):
    """66 images in 33 chunks of two: one graph would save only a hundredth of the time."""
    images, labels = torch.randn(66, 3, 4, 4), torch.arange(66) // 3
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Sigmoid(), nn.Linear(8, 4))
    budget = graphs * graph_bytes(network, images[:2])
    sizes = count_forward_passes(network)
    LargeBatchStep(network, RecallAtKLoss(), 2, keep_graphs=budget)(images, labels)
    assert sizes == [2] * (33 + 33 - min(graphs, 33))
    sparing = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    RecallAtKLoss()(network(images), labels).backward()
    torch.testing.assert_close(sparing, [parameter.grad for parameter in network.parameters()])


def test_a_budget_below_one_graph_keeps_none_and_holds():
    network, images, labels = make()
    one = graph_bytes(network, images[:5])
    sizes = count_forward_passes(network)
    LargeBatchStep(network, RecallAtKLoss(), 5, keep_graphs=one - 1)(images, labels)
    assert len(sizes) == 11


def test_measuring_a_graph_leaves_no_trace():
    network, images, _ = make(dropout=0.5)
    torch.manual_seed(5)
    graph_bytes(network, images[:5])
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    assert gradients(network) == [None] * 6


def test_measuring_a_graph_of_drawn_images_leaves_random_numbers_alone():
    network, _, _ = make()
    step = LargeBatchStep(network.float(), RecallAtKLoss(), 5, transform=TrainTransform(8))
    before = torch.get_rng_state()
    step.graph_bytes(torch.zeros(5, 3, 12, 12, dtype=torch.uint8))
    assert torch.equal(torch.get_rng_state(), before)


def test_bytes_of_a_graph_are_those_that_autograd_saves():
    network = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 2))
    # The input is the caller's and the weights are parameters; the sigmoid is saved by itself and
    # by the layer after it: one storage.
    assert graph_bytes(network, torch.zeros(10, 4)) == 10 * 8 * 4


def test_the_budget_is_what_memory_grows_by():
    def peak(budget):
        network = nn.Sequential(nn.Linear(64, 512), nn.Sigmoid(), nn.Linear(512, 4))
        images, labels = torch.randn(640, 64), torch.arange(640) // 4
        step = LargeBatchStep(network, lambda e, _: e.square().sum(), 64, keep_graphs=budget)
        step(images, labels)  # gradients exist from now on
        return peak_bytes(lambda: step(images, labels))

    one = 64 * 512 * 4
    assert peak(4 * one) - peak(0) == pytest.approx(4 * one, rel=0.05)


class OutOfMemory(nn.Module):
    """Fits ``limit`` images at once, and fails on the CPU as a GPU does."""

    def __init__(self, network, limit, only_with_graph=False):
        super().__init__()
        self.network, self.limit, self.only_with_graph = network, limit, only_with_graph

    def forward(self, images):
        if len(images) > self.limit and (torch.is_grad_enabled() or not self.only_with_graph):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.network(images)


@pytest.mark.parametrize("only_with_graph", [False, True])
@pytest.mark.parametrize("accumulated", [False, True])
def test_out_of_memory_repeats_the_step_and_loses_nothing(only_with_graph, accumulated):
    """The result is that of a step which began with the smaller chunks, random numbers included."""
    results = {}
    for chunk_size in (20, 5):
        network, images, labels = make(dropout=0.5)
        mixup = SimilarityMixup(torch.Generator().manual_seed(1))
        if accumulated:
            for parameter in network.parameters():
                parameter.grad = torch.ones_like(parameter)
        limited = OutOfMemory(network, 7, only_with_graph)
        step = LargeBatchStep(limited, RecallAtKLoss(), chunk_size, mixup=mixup)
        torch.manual_seed(5)
        with pytest.warns(UserWarning, match="out of memory") if chunk_size > 7 else nullcontext():
            value = step(images, labels)
        assert step.chunk_size == 5
        results[chunk_size] = [value, *gradients(network), torch.rand(3)]
    torch.testing.assert_close(results[20], results[5], rtol=0, atol=0)


def test_out_of_memory_in_the_loss_repeats_the_step():
    network, images, labels = make(dropout=0.5)
    failures = iter([True, True, False])

    def loss(embeddings, labels):
        if next(failures, False):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return RecallAtKLoss()(embeddings, labels)

    step = LargeBatchStep(network, loss, 20, keep_graphs=10**6)
    with pytest.warns(UserWarning, match="out of memory"):
        step(images, labels)
    assert (step.chunk_size, step.keep_graphs) == (5, 250_000)


def test_not_even_one_image_fits():
    network, images, labels = make()
    step = LargeBatchStep(OutOfMemory(network, 0), RecallAtKLoss(), 4)
    with (
        pytest.warns(UserWarning, match="out of memory"),
        pytest.raises(RecallkitError, match="a single image does not fit"),
    ):
        step(images, labels)
    assert gradients(network) == [None] * 6


def test_an_error_of_the_loss_leaves_no_trace():
    """Not in the vectors of a spectral norm either, nor in the gradients of the step before."""
    network, images, labels = make()
    nn.utils.parametrizations.spectral_norm(network.body[0])
    step = LargeBatchStep(network, RecallAtKLoss(), 4, keep_graphs=10**9)
    step(images, labels)
    kept = copy.deepcopy([dict(network.named_buffers()), gradients(network), torch.get_rng_state()])
    images[3] = torch.nan
    with pytest.raises(ValueError, match="embeddings must be finite"):
        step(images, labels)
    found = [dict(network.named_buffers()), gradients(network), torch.get_rng_state()]
    torch.testing.assert_close(found, kept, rtol=0, atol=0)


def test_other_errors_are_not_taken_for_memory():
    network, images, labels = make()
    step = LargeBatchStep(network, lambda *a: (_ for _ in ()).throw(RuntimeError("other")), 4)
    with pytest.raises(RuntimeError, match="other"):
        step(images, labels)
    assert step.chunk_size == 4


@pytest.mark.parametrize(
    ("limit", "most", "expected"),
    [(10, 1000, 32), (32, 1000, 32), (200, 1000, 128), (10**6, 1000, 1000), (5, 20, 20)],
)
def test_the_largest_chunk_that_fits_is_found_by_doubling(limit, most, expected):
    tried = []

    def fits(size):
        tried.append(size)
        return size <= limit

    assert largest_that_fits(fits, most) == expected
    assert sum(tried) <= 4 * expected


def test_trying_a_chunk_leaves_no_trace():
    network, images, _ = make(dropout=0.5)
    step = LargeBatchStep(OutOfMemory(network, 8), RecallAtKLoss(), "auto")
    torch.manual_seed(5)
    assert step.fits(images[:8])
    assert not step.fits(images[:9])
    assert gradients(network) == [None] * 6
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))


def test_auto_without_a_gpu():
    network, images, labels = make()
    step = LargeBatchStep(network, RecallAtKLoss(), "auto")
    step(images, labels)
    assert step.chunk_size == CPU_CHUNK


@pytest.mark.gpu
def test_auto_and_budget_on_a_gpu():
    """The chunk found is one whose double does not fit; kept graphs fill the budget."""
    if not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    free, _ = torch.cuda.mem_get_info()
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2**18), nn.ReLU(), nn.Linear(2**18, 4))
    network.cuda()
    images, labels = torch.randn(2**17, 3, 64), torch.arange(2**17) // 4
    step = LargeBatchStep(network, lambda e, _: e.square().sum(), "auto", keep_graphs=free // 4)
    step(images, labels)
    assert 32 < step.chunk_size < 2**17
    assert not step.fits(images[: 2 * step.chunk_size])
    assert torch.cuda.max_memory_allocated() > free // 2
