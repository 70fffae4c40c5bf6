"""The benchmark of a step measures what it says; how fast anything is, its results say."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch

from recallkit import cli
from recallkit.bench import step as bench_step
from recallkit.bench.cases import run_case
from recallkit.bench.step import StepCase, StepSetup, measure_step, step_cases, step_table


def test_both_ways_give_one_gradient():
    """The work that is timed is the same, except for the order of its sums."""
    setup = StepSetup(StepCase("small", 24, 8))
    gradients = {}
    for way in (setup.plain, setup.chunked):
        setup.network.zero_grad()
        torch.manual_seed(1)
        way(24)
        gradients[way.__name__] = torch.cat([p.grad.flatten() for p in setup.network.parameters()])
    plain, chunked = gradients.values()
    assert (plain - chunked).norm() < 1e-4 * plain.norm()


class OneGraph:
    """What is called as GradCache is, with one graph of all chunks."""

    def __init__(self, models, chunk_sizes, loss_fn):
        [self.network] = models
        self.size, self.loss = chunk_sizes, loss_fn

    def __call__(self, inputs, **of_loss):
        chunks = zip(*(tensor.split(self.size) for tensor in inputs), strict=True)
        value = self.loss(torch.cat([self.network(*chunk) for chunk in chunks]), **of_loss)
        value.backward()
        return value.detach()


@pytest.mark.parametrize("library", ["the real one", OneGraph])
def test_grad_cache_gives_the_gradient_of_our_step(monkeypatch, library):
    if library is OneGraph:
        monkeypatch.setitem(sys.modules, "grad_cache", SimpleNamespace(GradCache=OneGraph))
    else:
        pytest.importorskip("grad_cache")
    setup = StepSetup(StepCase("small", 24, 8, grad_cache=True))
    gradients = []
    for way in (setup.chunked, setup.take):
        setup.network.zero_grad()
        torch.manual_seed(1)
        way(24)
        gradients.append(torch.cat([p.grad.flatten() for p in setup.network.parameters()]))
    ours, theirs = gradients
    assert (ours - theirs).norm() < 1e-4 * ours.norm()


def test_grad_cache_takes_every_step_in_chunks_where_it_is_installed(monkeypatch):
    for there in (True, False):
        monkeypatch.setattr(bench_step, "installed", lambda method, there=there: there)
        cases = step_cases((256, 1024), "cpu", threads=1)
        found = [(case.batch_size, case.plain, case.keep) for case in cases if case.grad_cache]
        assert found == ([(256, False, 0.0), (1024, False, 0.0)] if there else [])
        assert [case.batch_size for case in cases if case.keep] == [256] * 4
    row = fake("", StepCase("small", 256, 256, grad_cache=True), 1, 1)
    assert "chunks of 256 by GradCache" in step_table([row])


def test_a_case_says_what_it_took():
    measured = measure_step(StepCase("small", 64, 16, keep=0.5, compare=64))
    assert measured["ms_per_image"] > 0
    assert measured["ratio"] > 0
    assert measured["images_mb"] == pytest.approx(64 * 3 * 32 * 32 / 2**20)
    assert measured["embeddings_mb"] == pytest.approx(2 * 64 * 128 * 4 / 2**20)
    setup = StepSetup(StepCase("small", 64, 16))
    assert measured["graphs_mb"] == pytest.approx(2 * setup.graph_bytes() / 2**20)


def test_a_case_in_its_own_process_and_its_limit():
    measured = run_case(bench_step.__name__, StepCase("small", 16, 8), limit_s=300, limit_gb=16)
    assert measured["batch_size"] == 16
    assert measured["ratio"] is None
    assert (
        run_case(bench_step.__name__, StepCase("small", 16, 8), limit_s=0.01, limit_gb=16)["failed"]
        == "more than 0 s"
    )
    failed = run_case(bench_step.__name__, StepCase("unheard of", 16, 8), limit_s=300, limit_gb=16)
    assert "is not a network" in failed["failed"]


def fake(module, case, limit_s, limit_gb):
    if case.plain and case.batch_size > 256:
        return vars(case) | {"failed": "out of memory"}
    ratio = None if case.plain else 4 / 3 - case.keep / 3
    return vars(case) | {
        "ms_per_image": 2.0,
        "plain_ms_per_image": 1.5,
        "ratio": ratio,
        "peak_mb": 7.0 if case.plain else 3.0,
        "graphs_mb": 1000 * case.keep,
    }


def test_the_command_prints_stores_and_draws(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench_step, "run_case", fake)
    sizes = ["256", "1024", "4096"]
    cli.main(["bench", "step", "--device", "cpu", "--batch-sizes", *sizes, "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "chunks of 256, 50% of graphs kept" in shown
    assert "not tried: a smaller batch failed" in shown
    stored = json.loads((tmp_path / "step-cpu.json").read_text())
    assert [case["batch_size"] for case in stored["cases"] if case["keep"]] == [1024] * 4
    assert stored["device"]
    assert (tmp_path / "step-cpu.png").stat().st_size > 5000


def test_on_a_gpu_the_networks_are_the_papers():
    cases = step_cases((256, 1024), "cuda", threads=1)
    assert {case.network for case in cases} == {"resnet50", "timm/vit_base_patch16_224"}
    assert {case.compare for case in cases} == {0, 256}  # of the whole batch it would not fit
