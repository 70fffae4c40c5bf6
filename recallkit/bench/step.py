"""The cost of a training step against batch size: in chunks, plain, and with kept graphs.

Where a plain step can be run, it is timed in turn with the step in chunks; see
:mod:`recallkit.bench.cases`. Where GradCache is installed, it takes the step in chunks as well; see
:mod:`recallkit.bench.libraries`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from recallkit.bench.cases import MB, NOT_TRIED, main, peak, run_case, seconds, start_of_peak
from recallkit.bench.grad_cache import TransformedNetwork, grad_cache_step
from recallkit.bench.libraries import bench_environment, installed
from recallkit.data.transforms import TrainTransform
from recallkit.large_batch import LargeBatchStep
from recallkit.losses import RecallAtKLoss
from recallkit.networks import build_network
from recallkit.tables import text_table
from recallkit.training.environment import keep_freed_memory

REPEATS = 3
PER_CLASS = 4
NETWORKS = {"cpu": ("small",), "cuda": ("resnet50", "timm/vit_base_patch16_224")}
CHUNK = 256  # large enough to be fast, small enough for any GPU
KEPT = (0.25, 0.5, 0.75, 1.0)  # shares of a batch's graphs
SIDES = {"small": 32}
OTHER_SIDE = 224


@dataclass(frozen=True)
class StepCase:
    """One case of the benchmark.

    Attributes:
        network: as :func:`.build_network` names it; without published weights.
        batch_size: B.
        chunk_size: images a forward pass.
        plain: one forward and backward pass over the whole batch, in place of chunks.
        keep: the share of the batch's graphs that the budget can hold.
        grad_cache: the library GradCache takes the step in chunks.
        compare: images of a plain step to be timed in turn with it; 0: none.
        device: "cpu" or "cuda"; on the latter under autocast to bfloat16.
        threads: number of CPU threads.
    """

    network: str
    batch_size: int
    chunk_size: int
    plain: bool = False
    keep: float = 0.0
    grad_cache: bool = False
    compare: int = 0
    device: str = "cpu"
    threads: int = 1


class StepSetup:
    """A network with images to train it on, and the ways to take a step."""

    def __init__(self, case: StepCase) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(case.threads)
        self.case, self.side = case, SIDES.get(case.network, OTHER_SIDE)
        network = build_network(case.network).to(memory_format=torch.channels_last)
        self.network = network.to(case.device).train()
        self.transform, self.loss = TrainTransform(self.side), RecallAtKLoss()
        self.autocast = torch.bfloat16 if case.device == "cuda" else None
        self.images = _noise(case.batch_size, self.side)
        self.labels = torch.arange(case.batch_size) // PER_CLASS

    def take(self, size: int, keep_graphs: int = 0) -> None:
        """Take a step over the first ``size`` images in the way of the case."""
        if self.case.grad_cache:
            return self.grad_cached(size)
        return self.plain(size) if self.case.plain else self.chunked(size, keep_graphs)

    def chunked(self, size: int, keep_graphs: int = 0) -> None:
        """Take a step in chunks over the first ``size`` images."""
        step = LargeBatchStep(
            self.network,
            self.loss,
            self.case.chunk_size,
            autocast=self.autocast,
            transform=self.transform,
            keep_graphs=keep_graphs,
        )
        step(self.images[:size], self.labels[:size])

    def plain(self, size: int) -> None:
        """Take one forward and one backward pass over the first ``size`` images."""
        device = self.case.device
        with torch.autocast(device, torch.bfloat16, enabled=self.autocast is not None):
            embeddings = self.network(self.transform(self.images[:size].to(device)))
        self.loss(embeddings, self.labels[:size].to(device)).backward()

    def grad_cached(self, size: int) -> None:
        """Let GradCache take the step in chunks over the first ``size`` images."""
        network = TransformedNetwork(self.network, self.transform, self.case.device, self.autocast)
        chunk_size = self.case.chunk_size
        grad_cache_step(network, self.loss, chunk_size, self.images[:size], self.labels[:size])

    def graph_bytes(self) -> int:
        """Measure the bytes of one chunk's graph."""
        step = LargeBatchStep(
            self.network, self.loss, autocast=self.autocast, transform=self.transform
        )
        return step.graph_bytes(self.images[: self.case.chunk_size])


def measure_step(case: StepCase) -> dict[str, Any]:
    """Measure the seconds and bytes of one case, in this process.

    Returns:
        Medians of ``REPEATS`` after a warm-up: milliseconds an image; the same for the plain step
        that it is compared with, and the median ratio of the two; MB at the peak over images,
        weights and gradients; MB of images, of embeddings with their gradient, and of kept graphs.
    """
    setup = StepSetup(case)
    chunks = -(-case.batch_size // case.chunk_size)
    budget = int(case.keep * chunks * setup.graph_bytes()) if case.keep else 0
    size = case.batch_size

    def work() -> None:
        setup.take(size, budget)

    few = min(size, case.chunk_size)
    for way in (setup.plain, setup.chunked, setup.take):  # libraries load at a first call
        way(few)
    before = start_of_peak(case.device)
    work()
    highest = peak(case.device) - before
    keep_freed_memory()  # as a training does; the peak needed it given back
    own, plain = [], []
    for _ in range(REPEATS):
        own.append(seconds(work, case.device) / size)
        if case.compare:
            taken = seconds(lambda: setup.plain(case.compare), case.device)
            plain.append(taken / case.compare)
    ratios = [a / b for a, b in zip(own, plain, strict=False)]
    return {
        "ms_per_image": 1e3 * median(own),
        "plain_ms_per_image": 1e3 * median(plain) if plain else None,
        "ratio": median(ratios) if ratios else None,
        "peak_mb": highest / MB,
        "images_mb": setup.images.numel() / MB,
        "embeddings_mb": 4 * 2 * size * _dimension(setup.network) / MB,
        "graphs_mb": budget / MB,
    }


def _dimension(network: nn.Module) -> int:
    linear = network.get_submodule("head.linear")
    assert isinstance(linear, nn.Linear)
    return linear.out_features


def _noise(count: int, side: int) -> Tensor:
    """Draw random images, uint8, a few at a time, so that no larger copy exists."""
    images = torch.empty(count, 3, side, side, dtype=torch.uint8)
    for some in images.split(256):
        some.random_(0, 256)
    return images


def step_cases(
    batch_sizes: Sequence[int], device: str, threads: int, keep: Sequence[float] = KEPT
) -> list[StepCase]:
    """List plain steps and steps in chunks for each batch size, and kept graphs for one of them.

    Kept graphs are measured at the largest size but one. Where GradCache is installed, it takes
    each step in chunks too.

    Args:
        batch_sizes: ascending.
        device: "cpu": the small network; "cuda": ResNet-50 and ViT-B/16.
        threads: number of CPU threads.
        keep: shares of a batch's graphs to keep.
    """
    cases = []
    for network in NETWORKS[device]:
        base = StepCase(network, batch_sizes[0], CHUNK, device=device, threads=threads)
        for size in batch_sizes:
            # On a GPU a plain step over a whole large batch does not fit.
            compare = size if device == "cpu" else min(size, CHUNK)
            cases.append(replace(base, batch_size=size, plain=True))
            chunked = replace(base, batch_size=size, compare=compare)
            cases.append(chunked)
            if installed("GradCache"):
                cases.append(replace(chunked, grad_cache=True))
            if size == batch_sizes[-min(2, len(batch_sizes))]:
                cases += [replace(chunked, keep=share) for share in keep]
    return cases


def bench_step(
    cases: Sequence[StepCase], limit_s: float = 600, limit_gb: float = 16
) -> dict[str, Any]:
    """Measure the cases; skip plain steps larger than one that failed.

    Returns:
        The result to store: the cases with their measurements, and the environment.
    """
    measured: list[dict[str, Any]] = []
    for case in tqdm(cases, desc="benchmark", unit="case"):
        same = [m for m in measured if (m["network"], m["plain"]) == (case.network, case.plain)]
        hopeless = case.plain and any("failed" in m for m in same)
        if hopeless:
            measured.append(asdict(case) | {"failed": NOT_TRIED})
        else:
            measured.append(run_case(__name__, case, limit_s, limit_gb))
    device = cases[0].device if cases else "cpu"
    return {"cases": measured, **bench_environment(device)}


def step_table(cases: Sequence[dict[str, Any]]) -> str:
    """Format the cases as a table, a row each."""
    header = ["network", "step", "B", "ms an image", "× plain", "MB over images and weights"]
    return text_table(header, [_row(case) for case in cases])


def _row(case: dict[str, Any]) -> list[str]:
    step = "plain" if case["plain"] else f"chunks of {case['chunk_size']}"
    if case["keep"]:
        step += f", {case['keep']:.0%} of graphs kept"
    if case.get("grad_cache"):  # older results have no such case
        step += " by GradCache"
    head = [case["network"], step, f"{case['batch_size']:,}"]
    if "failed" in case:
        return [*head, case["failed"], "", ""]
    ratio = "" if case["ratio"] is None else f"{case['ratio']:.2f}"
    return [*head, f"{case['ms_per_image']:.3g}", ratio, f"{case['peak_mb']:.0f}"]


if __name__ == "__main__":
    main(StepCase, measure_step)
