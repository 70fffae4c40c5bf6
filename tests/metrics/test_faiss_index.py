"""The search by faiss on a GPU, with a stand-in for faiss's index where there is no GPU."""

import pytest
import torch
from helpers.strategies import problems, unit_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from recallkit.metrics import faiss_index, neighbours, search
from recallkit.metrics.faiss_index import LARGEST_K_ON_GPU, FlatIndex

faiss = pytest.importorskip("faiss")
HAS_GPU = torch.cuda.is_available() and faiss.get_num_gpus() > 0
needs_gpu = pytest.mark.skipif(not HAS_GPU, reason="needs CUDA, and faiss with support of it")


class Config:
    """What faiss calls GpuIndexFlatConfig."""

    device = 0


class GpuIndex:
    """An index with the interface and the limit of faiss's on a GPU, but on the CPU.

    Of equal items the last comes first, which is not the order that is promised.
    """

    digits = None  # binary digits after the point to which numbers are rounded before products
    made: list["GpuIndex"] = []  # noqa: RUF012

    def __init__(self, resources, dim, config):
        self.resources, self.dim, self.device = resources, dim, config.device
        self.widths = []
        GpuIndex.made.append(self)

    def add(self, vectors):
        self._check(vectors)
        self.gallery = vectors

    def search(self, queries, k):
        self._check(queries)
        assert k <= 2048
        assert k <= len(self.gallery)
        self.widths.append(k)
        products = self._rounded(queries) @ self._rounded(self.gallery).T
        order = products.flip(1).sort(dim=1, descending=True, stable=True)
        return order.values[:, :k], len(self.gallery) - 1 - order.indices[:, :k]

    def _rounded(self, vectors):
        return (
            vectors if self.digits is None else (vectors * 2**self.digits).round() / 2**self.digits
        )

    def _check(self, vectors):
        assert type(vectors) is torch.Tensor
        assert vectors.dtype == torch.float32
        assert vectors.is_contiguous()
        assert vectors.shape[1] == self.dim


@pytest.fixture
def gpu(monkeypatch):
    """Two GPUs in the eyes of faiss; all searches go to the second. Gives the indexes made."""
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 2)
    monkeypatch.setattr(faiss, "StandardGpuResources", lambda: "resources", raising=False)
    monkeypatch.setattr(faiss, "GpuIndexFlatConfig", Config, raising=False)
    monkeypatch.setattr(faiss, "GpuIndexFlatIP", GpuIndex, raising=False)
    second = torch.device("cuda", 1)
    monkeypatch.setattr(neighbours, "FlatIndex", lambda dim, _: FlatIndex(dim, second))
    monkeypatch.setattr(GpuIndex, "made", [])
    return GpuIndex.made


def assert_engines_agree(queries, gallery, k):
    by_torch, by_faiss = (search(queries, gallery, k, engine) for engine in ("torch", "faiss"))
    assert torch.equal(by_faiss[1].cpu(), by_torch[1].cpu())
    assert torch.equal(by_faiss[0].cpu(), by_torch[0].cpu())


def test_the_index_is_made_on_the_gpu_of_the_queries(gpu):
    search(unit_vectors(50, 8), k=3, engine="faiss")
    [index] = gpu
    assert (index.resources, index.dim, index.device) == ("resources", 8, 1)
    assert index.widths == [3 + 1 + 16]


@pytest.mark.usefixtures("gpu")
@settings(max_examples=60)
@given(problem=problems(), data=st.data())
def test_a_gpu_changes_nothing_with_ties(problem, data):
    queries, _, gallery, _ = problem
    largest = len(queries) - 1 if gallery is None else len(gallery)
    assert_engines_agree(queries, gallery, data.draw(st.integers(1, largest)))


def with_ties(dtype, n=3000):
    """Unit vectors, a third of them three times: in float32, half or double."""
    vectors = unit_vectors(n, 16, dtype=torch.float64)
    vectors[n // 3 : 2 * n // 3] = vectors[: n // 3]
    vectors[-100:] = vectors[5]
    return vectors.to(dtype)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 100, 2030, 2031, 2032, 2047, 2048])
def test_a_gpu_changes_nothing_up_to_its_largest_k(dtype, k):
    embeddings = with_ties(dtype)
    assert_engines_agree(embeddings[:40], None if k < 40 else embeddings, k)
    rows = torch.arange(0, 3000, 150)
    _, indices = search(embeddings[rows], embeddings, k, "faiss", left_out=rows)
    assert torch.equal(indices, search(embeddings[rows], embeddings, k, "torch", left_out=rows)[1])


@pytest.mark.parametrize("n", [300, 2048, 2500])
def test_a_gpu_is_never_asked_for_more_than_it_can_find(gpu, n):
    embeddings = unit_vectors(n, 4)
    search(embeddings[:5], embeddings, min(n, 2048), "faiss")
    assert gpu[0].widths == [min(n, 2048)]


def test_a_larger_k_is_refused_on_a_gpu_before_the_gallery_is_copied(gpu):
    embeddings = unit_vectors(2100, 4)
    with pytest.raises(ValueError, match=r'k must be at most 2048 .* not 2049.*engine="torch"'):
        search(embeddings[:5], embeddings, 2049, "faiss")
    assert not hasattr(gpu[0], "gallery")
    assert search(embeddings[:5], embeddings, 2049)[1].shape == (5, 2049)


def test_queries_that_a_gpu_settles_are_not_searched_again(gpu, monkeypatch):
    monkeypatch.setattr(neighbours, "search_in_float64", None)
    gallery = unit_vectors(400, 32)
    similarities, indices = search(gallery[:50], gallery, 5, "faiss")
    assert len(gpu) == 1
    exact = (gallery[:50].double() @ gallery.double().T).topk(5)
    assert torch.equal(indices, exact.indices)
    assert torch.equal(similarities, exact.values.float())


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("digits", [4, 10])
def test_products_of_less_than_float32_are_noticed(digits, monkeypatch):
    """As where the environment makes a GPU round float32 numbers to TF32, with 10 digits."""
    monkeypatch.setattr(GpuIndex, "digits", digits)
    assert_engines_agree(unit_vectors(500, 64), None, 5)


def test_without_support_of_gpus_a_search_is_on_the_cpu(monkeypatch):
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    monkeypatch.delattr(faiss, "GpuIndexFlatIP", raising=False)
    index = FlatIndex(4, torch.device("cuda", 0))
    assert not index.on_gpu
    assert index.largest_k > LARGEST_K_ON_GPU
    vectors = unit_vectors(9, 4)
    index.add(vectors.double())
    assert index.search(vectors[2:4], 1)[1].tolist() == [[2], [3]]


def test_a_gpu_beyond_those_of_faiss_is_no_gpu(monkeypatch):
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    assert not FlatIndex(4, torch.device("cuda", 1)).on_gpu


def test_faiss_takes_parameters_of_a_network_and_still_arrays():
    weights = torch.nn.Parameter(unit_vectors(20, 4))
    index = FlatIndex(4, weights.device)
    with torch.no_grad():
        index.add(weights)
        assert index.search(weights, 1)[1].flatten().tolist() == list(range(20))
    assert faiss_index.faiss_or_none() is faiss
    plain = faiss.IndexFlatIP(4)
    plain.add(weights.detach().numpy())
    assert plain.search(weights.detach().numpy(), 1)[1][:, 0].tolist() == list(range(20))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 10, 100, 2031, 2048])
def test_faiss_on_a_gpu_gives_what_torch_gives(dtype, k):
    embeddings = with_ties(dtype)
    assert FlatIndex(16, torch.device("cuda", 0)).on_gpu
    assert_engines_agree(embeddings.cuda(), None, k)
    assert_engines_agree(embeddings[:200].cuda(), embeddings, k)
    expected = search(embeddings, None, k, "torch")
    assert torch.equal(search(embeddings.cuda(), None, k, "faiss")[1].cpu(), expected[1])
    rows = torch.arange(0, 3000, 7)
    chosen = search(embeddings[rows].cuda(), embeddings.cuda(), k, "faiss", left_out=rows)
    assert torch.equal(chosen[1].cpu(), expected[1][rows])


@pytest.mark.gpu
@needs_gpu
def test_faiss_on_a_gpu_works_on_any_stream_and_refuses_a_larger_k():
    embeddings = unit_vectors(20_000, 64)
    expected = search(embeddings[:2000], embeddings, 10, "torch")
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(5):
            on_gpu = embeddings.cuda(non_blocking=True) * 2 / 2  # computed just before the search
            result = search(on_gpu[:2000], on_gpu, 10, "faiss")
            assert torch.equal(result[1].cpu(), expected[1])
    with pytest.raises(ValueError, match="k must be at most 2048"):
        search(on_gpu[:5], on_gpu, 2049, "faiss")
