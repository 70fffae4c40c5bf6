"""The triton kernels against the dense engine in float64; on the CPU by triton's interpreter."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.products import counted_products
from torch.nn.functional import normalize

ON_GPU = torch.cuda.is_available()
if not ON_GPU:
    os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are defined

from recallkit import RecallAtKLoss, find_positives, relaxed_ranks  # noqa: E402
from recallkit.ranks import relaxed as ranks  # noqa: E402

pytest.importorskip("triton")

from recallkit.bench.precision import round_fraction  # noqa: E402
from recallkit.ranks import fused  # noqa: E402
from recallkit.ranks.fused import rounded_factors  # noqa: E402

# Of e^1000 the kernels make 1/(1 + ∞) = 0, as they should; numpy, which interprets them, warns.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in exp")
DEVICE = "cuda" if ON_GPU else "cpu"


def unit(seed, *shape):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=1)


def compare(queries, gallery, positives, left_out=None, temperature=0.05):
    """Ranks and gradients of "fused" in float32 and of "dense" in float64."""
    finite = positives >= 0
    weights = torch.rand(positives.shape, generator=torch.Generator().manual_seed(9))
    results = []
    for engine, dtype in (("fused", torch.float32), ("dense", torch.float64)):
        leaves = [x.to(DEVICE, dtype, copy=True).requires_grad_() for x in (queries, gallery)]
        ranks = relaxed_ranks(
            *leaves,
            positives.to(DEVICE),
            temperature=temperature,
            left_out=None if left_out is None else left_out.to(DEVICE),
            engine=engine,
        )
        assert ranks.dtype == dtype
        (ranks.cpu() * weights)[finite].sum().backward()
        results.append([ranks.detach().cpu()] + [leaf.grad.cpu() for leaf in leaves])
    (fused, *gradients), (dense, *expected) = results
    assert torch.equal(fused.isinf(), ~finite)
    torch.testing.assert_close(fused[finite].double(), dense[finite], rtol=2e-5, atol=0)
    for gradient, reference in zip(gradients, expected, strict=True):
        assert (gradient - reference).norm() < 2e-5 * reference.norm()


@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize(("count", "depth", "classes"), [(70, 20, 15), (66, 33, 5), (3, 1, 2)])
def test_a_batch_against_itself(count, depth, classes, within):
    embeddings = unit(0, count, depth)
    embeddings[2] = embeddings[0]  # a tie
    labels = torch.arange(count) ** 2 % classes  # ragged classes, more than eight positives
    compare(
        embeddings,
        embeddings,
        find_positives(labels),
        torch.arange(count) if within else None,
        temperature=0.05 if depth > 1 else 0.5,
    )


def gradient_alone(embeddings, labels, left_out, engine, temperature=0.05):
    """The gradient of weighted ranks of one tensor that is queries and gallery."""
    dtype = torch.float32 if engine == "fused" else torch.float64
    leaf = embeddings.to(DEVICE, dtype, copy=True).requires_grad_()
    positives = find_positives(labels).to(DEVICE)
    weights = torch.rand(positives.shape, generator=torch.Generator().manual_seed(9)).to(DEVICE)
    left_out = None if left_out is None else left_out.to(DEVICE)
    settings = {"left_out": left_out, "temperature": temperature, "engine": engine}
    ranks = relaxed_ranks(leaf, leaf, positives, **settings)
    (ranks * weights)[positives >= 0].sum().backward()
    return leaf.grad.cpu().double()


@pytest.mark.parametrize("block_bytes", [fused.BLOCK_BYTES, 64 * 40, 64 * 200])
@pytest.mark.parametrize("absent", ["nothing", "itself", "another"])
@pytest.mark.parametrize(("count", "depth", "classes"), [(150, 20, 35), (66, 33, 5), (5, 2, 2)])
def test_the_gradient_of_a_batch_that_is_its_own_gallery(
    count, depth, classes, absent, block_bytes, monkeypatch
):
    """Of blocks of w + wᵀ on and above the diagonal, with more rows the fewer their columns are."""
    monkeypatch.setattr(fused, "BLOCK_BYTES", block_bytes)
    embeddings = unit(0, count, depth)
    embeddings[2] = embeddings[0]  # a tie
    labels = torch.arange(count) ** 2 % classes  # ragged classes, more than eight positives
    other = torch.tensor([int((labels != label).nonzero()[0]) for label in labels])
    left_out = {"nothing": None, "itself": torch.arange(count), "another": other}[absent]
    found, expected = (
        gradient_alone(embeddings, labels, left_out, engine) for engine in ("fused", "dense")
    )
    assert (found - expected).norm() < 2e-5 * expected.norm()


def test_a_batch_that_is_its_own_gallery_takes_fewer_products(monkeypatch):
    """Beside the kernels one product for the gradient, in place of two."""
    monkeypatch.setattr(fused, "BLOCK_BYTES", 64 * 32)  # 16 rows of 128 columns
    counted = []
    for alone in (True, False):
        queries = unit(0, 128, 16).to(DEVICE).requires_grad_()
        gallery = queries if alone else unit(0, 128, 16).to(DEVICE).requires_grad_()
        positives = find_positives((torch.arange(128) // 4).to(DEVICE))
        ranks = relaxed_ranks(queries, gallery, positives, engine="fused")
        with counted_products() as products:
            ranks.sum().backward()
        counted.append(products.get_total_flops() / (2 * 128**2 * 16))
    assert counted == [pytest.approx(1, abs=0.15), 2]


def test_queries_against_a_longer_gallery():
    positives = find_positives(torch.arange(10) % 4, torch.arange(150) % 5)
    compare(unit(1, 10, 40), unit(2, 150, 40), positives)


def test_hundreds_of_positives():
    labels = torch.arange(210) // 200
    compare(unit(8, 5, 20), unit(9, 210, 20), find_positives(labels[:5], labels), temperature=0.2)


@pytest.mark.parametrize("number", range(6))
def test_every_tile_gives_the_same(number, monkeypatch):
    assert len(fused.TILES) == 6
    monkeypatch.setattr(fused, "TILES", fused.TILES[number : number + 1])
    monkeypatch.setattr(fused, "FASTEST_TILES", {})
    test_a_batch_against_itself(70, 20, 15, True)


def test_the_fastest_tile_is_taken_and_one_that_does_not_fit_is_not(monkeypatch):
    def run(tile):
        if tile["num_stages"] == 4:
            raise fused.triton.OutOfResources(2, 1, "shared memory")
        return tile["QUERIES"] / tile["num_stages"]

    monkeypatch.setattr(fused.triton.testing, "do_bench", lambda work, **_: work())
    assert fused.fastest_tile(run, on_gpu=True) == fused.TILES[0]
    assert fused.fastest_tile(lambda tile: tile["DEPTH"] == 32, on_gpu=True) == fused.TILES[5]


def test_blocks_of_the_backward_pass(monkeypatch):
    monkeypatch.setattr(fused, "BLOCK_BYTES", 4 * 70 * 20)  # twenty queries at a time
    test_a_batch_against_itself(70, 20, 15, True)


def test_vectors_that_are_not_of_unit_length():
    compare(3 * unit(3, 40, 16), 3 * unit(4, 40, 16), find_positives(torch.arange(40) % 7))


def test_the_loss_runs_on_it():
    embeddings, labels = unit(5, 48, 24).to(DEVICE), (torch.arange(48) // 4).to(DEVICE)
    fused = RecallAtKLoss(engine="fused")(embeddings, labels)
    dense = RecallAtKLoss(engine="dense")(embeddings.double(), labels)
    assert fused.item() == pytest.approx(dense.item(), rel=1e-4)


def test_bfloat16_is_computed_in_float32():
    half = unit(10, 40, 24).bfloat16().to(DEVICE).requires_grad_()
    labels = (torch.arange(40) // 4).to(DEVICE)
    exact = half.detach().double().requires_grad_()
    for leaf, engine in ((half, "fused"), (exact, "dense")):
        loss = RecallAtKLoss(engine=engine)(leaf, labels)
        loss.backward()
    assert half.grad.dtype == torch.bfloat16
    assert (half.grad - exact.grad).norm() < 2**-8 * exact.grad.norm()  # the rounding of the result


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="needs CUDA")
@pytest.mark.parametrize("engine", ["blocks", "fused"])
def test_tf32_on_request_alone(engine):
    """Its rounding shows in the ranks, and only if it was asked for."""
    leaf = unit(11, 512, 256).to(DEVICE)
    positives = find_positives((torch.arange(512) // 4).to(DEVICE))
    exact = relaxed_ranks(leaf.double(), leaf.double(), positives, engine="dense")
    errors = {
        precision: (
            relaxed_ranks(leaf, leaf, positives, engine=engine, precision=precision) - exact
        ).norm()
        / exact.norm()
        for precision in ("float32", "tf32")
    }
    assert errors["float32"] < 1e-5 < errors["tf32"] < 1e-2


def test_tf32_is_that_of_rounded_embeddings():
    """Also where the device would cut bits off, and on the CPU, where nothing is rounded."""
    embeddings = unit(12, 40, 33).to(DEVICE)
    positives = find_positives((torch.arange(40) // 4).to(DEVICE))
    settings = {"positives": positives, "temperature": 0.01}
    values = relaxed_ranks(embeddings, embeddings, engine="fused", precision="tf32", **settings)
    rounded = round_fraction(embeddings, 10).double()
    expected = relaxed_ranks(rounded, rounded, engine="dense", **settings)
    assert torch.equal(rounded.float(), rounded_factors(embeddings, "tf32"))
    torch.testing.assert_close(values.double(), expected, rtol=2e-5, atol=0)
    exact = relaxed_ranks(embeddings, embeddings, engine="fused", **settings)
    assert not torch.allclose(exact.double(), expected, rtol=2e-5, atol=0)


def test_a_machine_that_cannot_build_kernels_says_so(monkeypatch):
    fused.obstacle_to_building.cache_clear()
    assert fused.obstacle_to_building(torch.device(DEVICE)) is None
    fused.obstacle_to_building.cache_clear()
    monkeypatch.setattr(fused, "probe_kernel", {})  # which launches nothing
    assert "cannot build kernels here" in fused.obstacle_to_building(torch.device(DEVICE))
    fused.obstacle_to_building.cache_clear()


@pytest.mark.parametrize("why", ["float64", "triton"])
def test_blocks_takes_its_place_and_says_so_once(why, monkeypatch):
    ranks.warn_once.cache_clear()
    embeddings = unit(6, 12, 4).to(DEVICE)
    if why == "float64":
        embeddings = embeddings.double()
    else:
        monkeypatch.setattr(ranks.importlib.util, "find_spec", lambda name: None)
    positives = find_positives(torch.arange(12) % 3).to(DEVICE)
    message = f"'fused' cannot run, so 'blocks' is used.*{why}"
    with pytest.warns(UserWarning, match=message) as warned:
        first = relaxed_ranks(embeddings, embeddings, positives, engine="fused")
    assert warned[0].filename == (__file__ if sys.version_info >= (3, 12) else ranks.__file__)
    again = relaxed_ranks(
        embeddings, embeddings, positives, engine="fused"
    )  # a warning would raise
    blocks = relaxed_ranks(embeddings, embeddings, positives, engine="blocks")
    assert torch.equal(first, again)
    assert torch.equal(first, blocks)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="needs CUDA")
@pytest.mark.parametrize("engine", ["blocks", "fused"])
def test_a_large_batch_on_the_device(engine):
    labels = (torch.arange(4096) // 4).to(DEVICE)
    single = unit(7, 4096, 512).to(DEVICE).requires_grad_()
    double = single.detach().double().requires_grad_()
    RecallAtKLoss(engine=engine)(single, labels).backward()
    RecallAtKLoss(engine="blocks")(double, labels).backward()
    assert (single.grad - double.grad).norm() < 1e-3 * double.grad.norm()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="triton's assembler is for x86-64")
@pytest.mark.parametrize("kernel", ["sums", "weights", "weights of both"])
def test_kernels_keep_their_numbers_in_registers(kernel, tmp_path):
    """Compiled for an H100, which needs none: sums of eight positives once did not fit."""
    program = Path(__file__).parents[1] / "helpers" / "compiled_kernels.py"
    command = [sys.executable, str(program), kernel, "0"]
    settings = {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_DUMP_PTXAS_LOG": "1"}
    path = os.pathsep.join(sys.path)
    variables = {**os.environ, **settings, "PYTHONPATH": path, "TRITON_INTERPRET": "0"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=variables)
    assert "0 bytes spill stores, 0 bytes spill loads" in done.stdout, done.stdout + done.stderr
