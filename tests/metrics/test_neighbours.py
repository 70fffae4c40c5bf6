import sys

import numpy
import numpy as np
import pytest
import torch
from helpers.brute_force import rankings
from helpers.strategies import problems, unit_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from recallkit.bench.memory import peak_bytes
from recallkit.errors import RecallkitError
from recallkit.metrics import candidates, neighbours, ranking_keys, rough, search
from recallkit.metrics.ranking_keys import LEFT_OUT, unpack
from recallkit.metrics.rough import RoughGallery, RoughQueries

ENGINES = ["torch", "faiss"]


def assert_is_brute_force(result, queries, gallery, k):
    similarities, indices = result
    expected = rankings(queries.tolist(), None if gallery is None else gallery.tolist())
    assert indices.tolist() == [order[:k] for order, _ in expected]
    assert similarities.tolist() == [values[:k] for _, values in expected]


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=60)
@given(problem=problems(), data=st.data())
def test_is_brute_force_with_ties(engine, problem, data):
    queries, _, gallery, _ = problem
    size = len(queries) - 1 if gallery is None else len(gallery)
    k = data.draw(st.integers(1, size))
    assert_is_brute_force(search(queries, gallery, k, engine), queries, gallery, k)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("within", [True, False])
def test_is_brute_force_on_random_vectors(engine, dtype, within):
    queries = unit_vectors(40, 16, dtype=torch.float64).to(dtype)
    gallery = None if within else unit_vectors(60, 16, 1, torch.float64).to(dtype)
    result = search(queries, gallery, 7, engine)
    assert [t.dtype for t in result] == [torch.float32, torch.int64]
    assert_is_brute_force(result, queries, gallery, 7)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=60)
@given(problem=problems(), data=st.data())
def test_chosen_rows_have_the_neighbours_of_a_search_with_all(engine, problem, data):
    embeddings = problem[0]
    k = data.draw(st.integers(1, len(embeddings) - 1))
    rows = torch.tensor(data.draw(st.lists(st.integers(0, len(embeddings) - 1), min_size=1)))
    similarities, indices = search(embeddings[rows], embeddings, k, engine, left_out=rows)
    of_all = search(embeddings, k=k)
    assert torch.equal(similarities, of_all[0][rows])
    assert torch.equal(indices, of_all[1][rows])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chosen_row_is_left_out_among_its_copies(engine):
    embeddings = unit_vectors(400, 32)
    embeddings[100:150] = embeddings[7]
    rows = torch.tensor([149, 7, 100, 7, 399])
    _, indices = search(embeddings[rows], embeddings, 60, engine, left_out=rows)
    assert torch.equal(indices, search(embeddings, k=60)[1][rows])
    assert indices[:3, 0].tolist() == [7, 100, 7]
    assert not (indices == rows[:, None]).any()


@pytest.mark.parametrize("engine", ENGINES)
def test_collapsed_embeddings_are_ordered_by_index(engine):
    """Every vector the same: faiss's own order would be arbitrary."""
    same = unit_vectors(1, 32).expand(200, 32)
    _, indices = search(same, k=5, engine=engine)
    assert indices[0].tolist() == [1, 2, 3, 4, 5]
    assert indices[3].tolist() == [0, 1, 2, 4, 5]
    assert indices[150].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("noise", [1e-8, 1e-7, 1e-6, 1e-5])
def test_engines_agree_on_nearly_collapsed_embeddings(noise):
    """Differences at and below what float32 products can tell."""
    vectors = unit_vectors(1, 64, dtype=torch.float64)
    vectors = vectors + noise * unit_vectors(500, 64, seed=1, dtype=torch.float64)
    for embeddings in (vectors, vectors.float()):
        by_torch, by_faiss = (search(embeddings, k=10, engine=e) for e in ENGINES)
        assert torch.equal(by_torch[0], by_faiss[0])
        assert torch.equal(by_torch[1], by_faiss[1])


@pytest.mark.parametrize("scale", [1e-17, 1e-10, 1e10, 1e17])
def test_engines_agree_at_the_ends_of_float32(scale):
    embeddings = unit_vectors(300, 8) * scale
    by_torch, by_faiss = (search(embeddings, k=10, engine=e) for e in ENGINES)
    assert torch.equal(by_torch[0], by_faiss[0])
    assert torch.equal(by_torch[1], by_faiss[1])


def test_faiss_leaves_only_doubtful_queries_to_float64(monkeypatch):
    """Separated vectors are settled by faiss alone; a hundred copies of one vector are not."""
    redone = []
    in_float64 = neighbours.search_in_float64

    def watched(queries, *rest):
        redone.append(len(queries))
        return in_float64(queries, *rest)

    monkeypatch.setattr(neighbours, "search_in_float64", watched)
    gallery = unit_vectors(400, 32)
    search(gallery[:50], gallery, 5, "faiss")
    assert redone == []
    copies = torch.cat([gallery, gallery[:1].expand(100, -1)])
    search(gallery[:50], copies, 5, "faiss")
    assert redone
    assert redone[0] < 50


@pytest.mark.parametrize("engine", ENGINES)
def test_blocks_do_not_change_the_result(engine, monkeypatch):
    queries, gallery = unit_vectors(90, 8), unit_vectors(70, 8, seed=1)
    for database in (None, gallery):
        whole = search(queries, database, 10, engine)
        with monkeypatch.context() as patch:
            patch.setattr(ranking_keys, "BLOCK_BYTES", {"cpu": 20_000})
            patch.setattr(neighbours, "FAISS_ROWS", 11)
            blocks = search(queries, database, 10, engine)
        assert torch.equal(whole[0], blocks[0])
        assert torch.equal(whole[1], blocks[1])


@pytest.mark.parametrize("k", [1, 10, 300, 2999])
def test_selection_by_a_sampled_threshold_is_that_of_a_sort(k):
    """Long rows, in which the sample sees every tenth item."""
    queries, gallery = unit_vectors(20, 6), unit_vectors(3000, 6, seed=1)
    queries[7], queries[8] = 0, gallery[5] * 0.5  # one row all ties, one of small numbers
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "SAMPLE", 300)
        similarities, indices = search(queries, gallery, k, "torch")
    exact = (queries.double() @ gallery.double().T).float()
    order = exact.sort(dim=1, descending=True, stable=True).indices[:, :k]
    assert torch.equal(indices, order)
    assert torch.equal(similarities, exact.gather(1, order))


def test_a_sample_that_promises_too_much_costs_no_neighbour():
    gallery = torch.zeros(5000, 2)
    gallery[:1440:16, 0] = 1  # what the sample sees, every sixteenth item, holds all 90 near ones
    gallery[1::2, 1] = torch.linspace(0, 1, 2500)
    queries = torch.tensor([[1.0, 0.1]])
    sample = queries @ gallery[candidates.sample_of(5000)].T
    assert candidates.sampled_threshold(sample, 100, 5000) == 1
    _, indices = search(queries, gallery, 100, "torch")
    assert indices[0, :90].tolist() == list(range(0, 1440, 16))
    assert indices[0, 90:].tolist() == list(range(4999, 4979, -2))


def test_a_near_tie_below_a_threshold_that_too_few_reach_costs_no_neighbour(monkeypatch):
    """Of two items float32 sees the farther one alone come within 2e of the threshold."""
    near = [
        [2 + 2**-23 + 2**-49, -(2**-39)],  # s = 1, but r = 1 + 2⁻²³
        [2, 2**-23 + 2**-49],  # s = 1 + 2⁻²³, but r = 1
    ]
    gallery = torch.tensor(near + 30 * [[0, 0]], dtype=torch.float64)
    queries = torch.full((1, 2), 0.5, dtype=torch.float64)
    some = RoughQueries.of(queries, RoughGallery.of(gallery, "dot", queries))
    assert some.similarities(gallery[:2]).tolist() == [[1 + 2**-23, 1]]
    threshold = (1 + 2**-23 + 2 * some.error).float()  # reached by none
    monkeypatch.setattr(candidates, "sampled_threshold", lambda *_: threshold)
    similarities, indices = search(queries, gallery, 1, "torch")
    assert similarities.tolist() == [[1 + 2**-23]]
    assert indices.tolist() == [[1]]


def test_a_gallery_in_a_file_is_read_in_blocks(tmp_path):
    gallery = unit_vectors(40_000, 16)
    numpy.save(tmp_path / "gallery.npy", gallery.numpy())
    mapped = torch.from_numpy(numpy.load(tmp_path / "gallery.npy", mmap_mode="c"))
    results = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking_keys, "BLOCK_BYTES", {"cpu": 2**19})
        patch.setattr(candidates, "SAMPLE", 500)
        patch.setattr(rough, "ROUGH_BYTES", {"cpu": 2**16})
        held = peak_bytes(lambda: results.extend(search(gallery[:40], mapped, 10, "torch")))
    whole = search(gallery[:40], gallery, 10, "torch")
    assert torch.equal(results[0], whole[0])
    assert torch.equal(results[1], whole[1])
    assert held < gallery.nbytes  # float64 or a table of all pairs would be 5 and 6 MB


def test_keys_order_similarities_and_break_ties_by_index():
    similarities = torch.tensor([[0.5, -0.0, 0.0, -0.5, 0.5, -3e38, 3e38, 1e-45, -1e-45]])
    keys = ranking_keys.ranking_keys(similarities, torch.arange(9))
    unpacked, indices = unpack(keys.sort(descending=True).values)
    assert indices.tolist() == [[6, 0, 4, 7, 1, 2, 8, 3, 5]]
    assert torch.equal(unpacked, similarities.gather(1, indices))
    assert (keys > LEFT_OUT).all()


def test_inputs_may_require_grad():
    embeddings = unit_vectors(20, 8).requires_grad_()
    similarities, _ = search(embeddings, k=3, engine="faiss")
    assert not similarities.requires_grad


def test_auto_is_torch():
    assert neighbours.chosen_engine("auto") == "torch"
    assert neighbours.chosen_engine("faiss", "cosine") == "faiss"


def test_without_faiss_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(RecallkitError, match=r'pip install "recallkit\[course\]"'):
        search(unit_vectors(5, 3), k=1, engine="faiss")


PAIR = {"queries": torch.ones(5, 3), "gallery": torch.ones(5, 3)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"queries": torch.ones(5)}, "queries"),
        ({"queries": torch.ones(0, 3)}, "queries"),
        ({"queries": torch.ones(5, 3, dtype=torch.int64)}, "queries"),
        ({"queries": torch.full((5, 3), torch.nan)}, "queries must be finite"),
        ({"queries": torch.full((5, 3), 1e30)}, "queries must be no longer"),
        ({"queries": torch.full((5, 3), 1e-30)}, "queries must hold no vector shorter"),
        ({"queries": torch.ones(5, 3), "k": 2.0}, "k must be from 1 to 4"),
        ({"queries": torch.ones(5, 3), "gallery": torch.ones(5, 4)}, "dimension"),
        (
            {"queries": torch.ones(5, 3), "gallery": torch.full((5, 3), torch.inf)},
            "gallery must be",
        ),
        ({"queries": torch.ones(5, 3), "k": 0}, "k must be from 1 to 4"),
        ({"queries": torch.ones(5, 3), "k": 5}, "k must be from 1 to 4, all but the query"),
        (
            {"queries": torch.ones(5, 3), "gallery": torch.ones(5, 3), "k": 6},
            "k must be from 1 to 5",
        ),
        ({"queries": torch.ones(1, 3), "k": 1}, "queries must be at least two"),
        ({"queries": torch.ones(5, 3), "k": 1, "engine": "annoy"}, "engine"),
        ({"queries": torch.ones(5, 3), "left_out": torch.arange(5)}, "left_out needs a gallery"),
        ({**PAIR, "left_out": torch.arange(4)}, r"left_out must be int64 .* shape \(5,\)"),
        ({**PAIR, "left_out": torch.arange(5.0)}, "left_out must be int64"),
        ({**PAIR, "left_out": torch.arange(5) + 1}, "left_out must lie between 0 and 4"),
        ({**PAIR, "left_out": torch.arange(5) - 1}, "left_out must lie between 0 and 4"),
        ({**PAIR, "left_out": torch.arange(5), "k": 5}, "k must be from 1 to 4, all but"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        search(**{"k": 2} | arguments)


def test_short_vectors_are_ranked_as_long_ones_and_k_may_be_of_numpy():
    embeddings = unit_vectors(30, 4)
    short, long = search(1e-17 * embeddings, k=np.int64(9)), search(embeddings, k=9)
    assert torch.equal(short[1], long[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_few_vanishing_vectors_among_others_are_named(dtype):
    """Their products with each other would all round to 0, and tie; a cosine has no such limit."""
    embeddings = unit_vectors(30, 4).to(dtype)
    mixed = embeddings.clone()
    mixed[[3, 20]] *= 1e-25
    shorter = r"shorter than 1e-18, .* 2 of 30 rows are shorter, counted from 0: 3, 20$"
    with pytest.raises(ValueError, match=f"queries must hold no vector {shorter}"):
        search(mixed, k=5)
    with pytest.raises(ValueError, match=f"gallery must hold no vector {shorter}"):
        search(embeddings, mixed, k=5)
    assert torch.equal(search(mixed, k=5, distance="cosine")[1], search(embeddings, k=5)[1])
    mixed[[3, 20]] = 0
    assert search(mixed, k=5)[0].shape == (30, 5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("where", ["cuda", "cpu"])
def test_results_on_cuda_are_those_on_the_cpu(engine, where):
    embeddings = torch.cat([unit_vectors(300, 32), unit_vectors(100, 32)])  # ties across
    expected = search(embeddings, embeddings, 10, "torch")
    result = search(embeddings.cuda(), embeddings.to(where), 10, engine)
    assert all(t.is_cuda for t in result)
    assert torch.equal(result[0].cpu(), expected[0])
    assert torch.equal(result[1].cpu(), expected[1])
    rows = torch.arange(0, 400, 9)
    chosen = search(embeddings[rows].cuda(), embeddings.to(where), 10, engine, left_out=rows)
    assert torch.equal(chosen[1].cpu(), search(embeddings, None, 10, "torch")[1][rows])
