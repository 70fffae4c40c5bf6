"""Memory is counted to the byte."""

import pytest
import torch
from torch import nn

from recallkit import LargeBatchStep
from recallkit.bench.memory import StepMemory, memory_trace, peak_bytes


def test_a_tensor_counts_from_birth_to_death():
    def work():
        a = torch.zeros(1000)  # 4,000 bytes
        b = a.view(10, 100)[3:]  # shares them
        del a
        c = torch.zeros(500, dtype=torch.float64)
        del b
        c.add_(1)

    trace = memory_trace(work)
    assert trace[0] == 4000
    assert max(trace) == 8000
    assert trace[-1] == 4000


def test_what_lived_before_does_not_count():
    before = torch.zeros(1000)

    def work():
        before.add_(1)
        before.view(10, 100).mul_(2)

    assert memory_trace(work) == [0, 0, 0]


def test_what_waits_for_backward_counts_and_backward_is_watched():
    x = torch.zeros(1000, requires_grad=True)

    def work():
        x.grad = None
        value = x.exp().sum()  # exp waits for its backward: 4,000 bytes, and 4 of the sum
        value.backward()  # 4 bytes to start from, and a gradient of 4,000, which stays

    trace = memory_trace(work)
    assert 4004 in trace
    assert trace[-1] == 4000 + 8  # value and its start die with the work, after its last operation
    assert peak_bytes(work) == max(trace) == 8008


def test_nothing_has_to_be_computed():
    def peak(device):
        network = nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 4)).to(device)
        images = torch.zeros(32, 8, device=device)
        return peak_bytes(lambda: network(images).sum().backward())

    assert peak("meta") == peak("cpu")


def test_the_peak_of_work_without_operations_is_zero():
    assert peak_bytes(lambda: None) == 0


def test_fit_finds_the_three_numbers():
    truth = StepMemory(fixed=100.0, graph=50.0, image=2.0)
    peaks = {sizes: truth.peak(*sizes) for sizes in ((8, 8), (8, 2), (16, 2), (16, 100))}
    memory = StepMemory.fit(peaks)
    assert (memory.fixed, memory.graph, memory.image) == pytest.approx((100, 50, 2))
    assert memory.peak(10) == memory.peak(10, 10) == memory.peak(10, 99) == pytest.approx(620)
    assert memory.peak(10, 4) == pytest.approx(320)


def test_fit_refuses_peaks_that_decide_nothing():
    with pytest.raises(ValueError, match="batch and chunk sizes that vary"):
        StepMemory.fit({(8, 2): 1.0, (16, 2): 2.0, (32, 2): 3.0})


def test_fit_predicts_a_step_in_chunks():
    network = nn.Sequential(nn.Linear(64, 256), nn.Sigmoid(), nn.Linear(256, 16)).to("meta")
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def measured(batch, chunk):
        step = LargeBatchStep(network, lambda embeddings, labels: embeddings.sum(), chunk)
        images = torch.zeros(batch, 64, device="meta")
        return peak_bytes(lambda: step(images, torch.zeros(batch, device="meta")))

    peaks = {sizes: measured(*sizes) for sizes in ((512, 512), (512, 256), (1024, 256))}
    assert StepMemory.fit(peaks).peak(2048, 1024) == pytest.approx(measured(2048, 1024), rel=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_asks_the_allocator():
    assert peak_bytes(lambda: torch.zeros(2**20, device="cuda"), "cuda") == 2**22
