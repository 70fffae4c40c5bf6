"""Ranks: each engine against loops in float64, and engines against each other for larger sizes."""

import pytest
import torch
from helpers import reference
from helpers.products import counted_products
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from recallkit import RecallAtKLoss, find_positives, relaxed_ranks
from recallkit.ranks import blocks, relaxed
from recallkit.ranks.precision import products_in


def unit(generator, *shape, dtype=torch.float64):
    return normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=["dense", "blocks", "whole", "one block", "auto"])  # fused: test_fused.py
def engine(request, monkeypatch):
    if request.param == "one block":
        return "blocks"
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)  # many blocks, the last one uneven
    if request.param == "whole":  # one, whose gradient is made in many parts
        monkeypatch.setitem(relaxed.SMALL_COMPARISONS, "cpu", 0)
        return "auto"
    return request.param


@pytest.mark.parametrize("left_out", [True, False])
@pytest.mark.parametrize("temperature", [0.01, 0.3])
def test_values_and_gradients_equal_loops(engine, generator, left_out, temperature):
    labels = torch.tensor([5, -3, 5, 5, -3, 9, 5])
    embeddings = unit(generator, 7, 3).requires_grad_()
    positives = find_positives(labels)
    absent = torch.arange(7) if left_out else None
    weights = torch.rand(positives.shape, generator=generator, dtype=torch.float64)

    ranks = relaxed_ranks(
        embeddings,
        embeddings,
        positives,
        temperature=temperature,
        left_out=absent,
        engine=engine,
    )
    padding = positives < 0
    assert ranks[padding].isinf().all()
    ((ranks * weights)[~padding]).sum().backward()

    copy = embeddings.detach().clone().requires_grad_()
    total = 0
    for q, p in (~padding).nonzero().tolist():
        rank = reference.relaxed_rank(
            copy[q], copy, positives[q, p].item(), {q} if left_out else set(), temperature
        )
        torch.testing.assert_close(ranks[q, p], rank, rtol=0, atol=1e-10)
        total = total + rank * weights[q, p]
    total.backward()
    torch.testing.assert_close(embeddings.grad, copy.grad, rtol=1e-10, atol=1e-10)


def products_of(engine, count, monkeypatch, another=False):
    """Products of a batch that is its own gallery, or in another, in units of B² D."""
    monkeypatch.setitem(relaxed.SMALL_COMPARISONS, "cpu", 0)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 4 * count * count // 4)  # four blocks
    leaf = unit(torch.Generator().manual_seed(0), count, 8, dtype=torch.float32).requires_grad_()
    with counted_products() as counted:
        positives = find_positives(torch.arange(count) // 4)
        gallery = leaf + 0 if another else leaf
        relaxed_ranks(leaf, gallery, positives, engine=engine).sum().backward()
    return counted.get_total_flops() / (2 * count * count * 8)


def test_similarities_that_fit_are_made_once(monkeypatch):
    assert products_of("auto", 128, monkeypatch) == 2  # S, and one for both gradients
    own = 3 / 128  # similarities of three positives a query
    assert products_of("blocks", 128, monkeypatch) == 2.5 + own  # S twice, w + wᵀ: three tiles of 4
    monkeypatch.setattr(blocks, "WHOLE_BYTES", 4 * 128 * 128 - 1)
    assert products_of("auto", 128, monkeypatch) == 2.5 + own


def test_another_gallery_takes_four_products_but_for_the_last_block(monkeypatch):
    assert products_of("blocks", 128, monkeypatch, another=True) == 3.75


@settings(max_examples=60)
@given(
    labels=st.lists(st.integers(-2, 4), min_size=2, max_size=14),
    duplicates=st.lists(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=4),
    left_out=st.booleans(),
    scale=st.sampled_from([1.0, 30.0]),
)
def test_engines_agree_on_any_labels_ties_and_lengths(labels, duplicates, left_out, scale):
    labels = torch.tensor(labels)
    embeddings = scale * unit(torch.Generator().manual_seed(len(labels)), len(labels), 4)
    for a, b in duplicates:
        embeddings[a % len(labels)] = embeddings[b % len(labels)]
    absent = torch.arange(len(labels)) if left_out else None
    results = []
    for name in ("dense", "blocks"):
        leaf = embeddings.clone().requires_grad_()
        positives = find_positives(labels)
        ranks = relaxed_ranks(leaf, leaf, positives, left_out=absent, engine=name)
        torch.where(positives < 0, 0, ranks).square().sum().backward()
        results.append((ranks.detach(), leaf.grad))
    # Ties cancel in the gradient, up to the rounding of similarities (scale²) over τ.
    atol = 1e-12 * scale**2 / 0.01
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=atol)


def test_sharp_temperature_gives_the_true_rank(engine, generator):
    queries, gallery = unit(generator, 20, 8), unit(generator, 50, 8)
    positives = torch.randint(0, 50, (20, 1), generator=generator)
    ranks = relaxed_ranks(queries, gallery, positives, temperature=1e-9, engine=engine)
    for q in range(20):
        similarity = [reference.dot(queries[q], gallery[z]).item() for z in range(50)]
        expected = reference.hard_ranks(similarity, positives[q].tolist(), set())
        torch.testing.assert_close(ranks[q].tolist(), [float(r) for r in expected])


def test_a_tie_counts_one_half(engine):
    same = torch.ones(4, 2, dtype=torch.float64)
    ranks = relaxed_ranks(same[:1], same, torch.tensor([[2]]), engine=engine)
    assert ranks.item() == 2.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(engine, generator, dtype):
    embeddings = unit(generator, 30, 16).to(dtype)
    positives = find_positives(torch.arange(30) % 10)
    half = relaxed_ranks(embeddings, embeddings, positives, engine=engine)
    exact = relaxed_ranks(embeddings.double(), embeddings.double(), positives, engine="dense")
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.double(), exact, rtol=1e-4, atol=0)


def test_autocast_does_not_reach_the_similarities(engine, generator):
    embeddings = unit(generator, 30, 16, dtype=torch.float32)
    positives = find_positives(torch.arange(30) % 10)
    plain = relaxed_ranks(embeddings, embeddings, positives, engine=engine)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = relaxed_ranks(embeddings, embeddings, positives, engine=engine)
    assert torch.equal(plain, cast)


@pytest.mark.parametrize(
    ("device", "backend", "within"),
    [
        ("cpu", torch.backends.mkldnn.matmul, "ieee"),  # a CPU has no TF32
        ("cuda", torch.backends.cuda.matmul, "tf32"),
    ],
)
def test_precision_of_products_is_restored(device, backend, within):
    before, backend.fp32_precision = backend.fp32_precision, "none"  # which products_in never sets
    try:
        with products_in("tf32", device):
            assert backend.fp32_precision == within
        assert backend.fp32_precision == "none"
        with pytest.raises(KeyError), products_in("tf32", device):
            raise KeyError
        assert backend.fp32_precision == "none"
    finally:
        backend.fp32_precision = before


def test_float32_gradient_is_near_float64(engine, generator):
    labels = torch.arange(400) // 4
    exact = unit(generator, 400, 64).requires_grad_()
    single = exact.detach().float().requires_grad_()
    for leaf, name in ((exact, "dense"), (single, engine)):
        ranks = relaxed_ranks(
            leaf, leaf, find_positives(labels), left_out=torch.arange(400), engine=name
        )
        torch.sigmoid(4 - ranks).sum().backward()
    error = (single.grad - exact.grad).norm() / exact.grad.norm()
    assert error < 1e-4  # 1e-5 measured: rounding of s, times 1/τ


def test_only_the_queries_need_a_gradient(engine, generator):
    queries, memory = unit(generator, 6, 4).requires_grad_(), unit(generator, 9, 4)
    positives = find_positives(torch.arange(6) % 3, torch.arange(9) % 3)
    relaxed_ranks(queries, memory, positives, engine=engine).sum().backward()
    assert queries.grad.abs().sum() > 0
    assert memory.grad is None


@pytest.mark.parametrize("engine", ["dense", "auto"])
def test_small_problems_can_be_differentiated_twice(engine, generator):
    embeddings, gallery = (unit(generator, n, 3).requires_grad_() for n in (6, 4))
    within = find_positives(torch.tensor([0, 1, 2, 0, 1, 0]))  # with padding
    across = find_positives(torch.arange(6) % 3, torch.arange(4) % 3)

    def ranks(queries, gallery, positives):
        left_out = torch.arange(6) if len(gallery) == 6 else (torch.arange(6) + 1) % 3
        settings = {"temperature": 0.3, "left_out": left_out}
        found = relaxed_ranks(queries, gallery, positives, engine=engine, **settings)
        return found.masked_fill(positives < 0, 0)

    assert torch.autograd.gradgradcheck(lambda e: ranks(e, e, within), embeddings)
    assert torch.autograd.gradgradcheck(lambda q, g: ranks(q, g, across), (embeddings, gallery))
    for fixed in ((embeddings.detach(), gallery), (embeddings, gallery.detach())):
        wanted = [t for t in fixed if t.requires_grad]
        [slope] = torch.autograd.grad(ranks(*fixed, across).sum(), wanted, create_graph=True)
        assert torch.autograd.grad(slope.square().sum(), wanted)[0].abs().sum() > 0


def test_queries_that_are_rows_of_the_gallery_can_be_differentiated_twice(generator):
    """A label that occurs once leaves its image in the gallery, and not among the queries."""
    embeddings, labels = unit(generator, 7, 3).requires_grad_(), torch.tensor([0, 0, 1, 1, 1, 2, 0])

    def slopes(engine):
        loss = RecallAtKLoss(rank_temperature=0.3, engine=engine)(normalize(embeddings), labels)
        [first] = torch.autograd.grad(loss, embeddings, create_graph=True)
        return first, torch.autograd.grad(first.square().sum(), embeddings)[0]

    torch.testing.assert_close(slopes("auto"), slopes("dense"), rtol=0, atol=1e-12)


@pytest.mark.parametrize("function", [relaxed_ranks, RecallAtKLoss()])
def test_autocast_does_not_reach_a_gradient_that_is_differentiated_again(function, generator):
    embeddings = unit(generator, 8, 16, dtype=torch.float32).requires_grad_()
    labels = torch.arange(8) % 4
    others = (embeddings, find_positives(labels)) if function is relaxed_ranks else (labels,)

    def gradient():
        value = function(embeddings, *others).sum()
        return torch.autograd.grad(value, embeddings, create_graph=True)[0]

    plain = gradient()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = gradient()
    assert torch.equal(plain, cast)


def test_a_small_graph_can_be_walked_twice(generator):
    embeddings = unit(generator, 6, 3).requires_grad_()
    ranks = relaxed_ranks(embeddings, embeddings, find_positives(torch.arange(6) % 3))
    first, second = (
        torch.autograd.grad(ranks.sum(), embeddings, retain_graph=True)[0] for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": torch.ones(3)}, "queries must be a non-empty"),
        ({"queries": torch.ones(0, 2)}, "queries must be a non-empty"),
        ({"queries": torch.ones(3, 2, dtype=torch.int64)}, "queries must be floating point"),
        ({"gallery": torch.tensor([[torch.nan, 1.0]] * 3)}, "gallery must be finite: 3 of 3 rows"),
        ({"gallery": torch.ones(3, 5)}, "same dimension"),
        ({"gallery": torch.ones(3, 2, dtype=torch.float64)}, "same dtype"),
        ({"positives": torch.zeros(2, 1, dtype=torch.int64)}, "positives must be int64"),
        ({"positives": torch.zeros(3, 1)}, "positives must be int64"),
        ({"positives": torch.full((3, 1), 3)}, "positives must lie between -1 and 2"),
        ({"left_out": torch.full((3,), -1)}, "left_out must lie between 0 and 2"),
        ({"left_out": torch.tensor([0, 0, 2])}, "must not hold what left_out .* row 0, item 0"),
        ({"temperature": 0.0}, "temperature must be a finite number above 0"),
        ({"temperature": float("nan")}, "temperature must be a finite number above 0"),
        ({"engine": "quantum"}, "engine must be one of"),
        ({"precision": "fp8"}, r"precision must be one of \['float32', 'tf32'\], not 'fp8'"),
    ],
)
def test_bad_input_is_refused_by_name(change, message):
    good = {
        "queries": torch.ones(3, 2),
        "gallery": torch.ones(3, 2),
        "positives": torch.zeros(3, 1, dtype=torch.int64),
    }
    relaxed_ranks(**good)
    with pytest.raises(ValueError, match=message):
        relaxed_ranks(**(good | change))
