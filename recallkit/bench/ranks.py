"""The cost of ranks: time and memory against batch size, for each engine and other methods.

Four matrix products are timed in turn with it, those of a method that keeps no similarities: two
for the similarities, forward and backward, and two for the gradients. Where the similarities are
symmetric, two could do. See :mod:`recallkit.bench.cases`. Losses of other libraries are measured
where these are installed; see :mod:`recallkit.bench.libraries`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from shutil import which
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from recallkit.bench.cases import MB, NOT_TRIED, main, peak, run_case, seconds, start_of_peak
from recallkit.bench.libraries import bench_environment, installed
from recallkit.constants import PAPERS_KS
from recallkit.losses import RecallAtKLoss, SmoothAPLoss
from recallkit.ranks.blocks import CUDA_BLOCK_BYTES
from recallkit.simix import SimilarityMixup
from recallkit.tables import text_table
from recallkit.training.environment import keep_freed_memory

REPEATS = 5
_OF_LARGE = ("auto", "blocks", "fused")  # methods that are measured with many images a class
CROWDS = (50, 200)  # images a class
STATES = {0.3: "tight", 1.0: "", None: "far from convergence"}  # noise → its words in the table


@dataclass(frozen=True)
class Case:
    """One case of the benchmark.

    Attributes:
        method: a key of :data:`METHODS`.
        batch_size: B, before SiMix.
        dim: D.
        per_class: images a class; P is one fewer.
        simix: add virtual examples first; 4,000 become 10,000.
        noise: length of the noise around a class's centre of length 1: 0.3 is tight, 1 half way in
            a training; None is noise alone, as far from convergence as can be.
        device: "cpu" or "cuda".
        threads: number of CPU threads.
    """

    method: str
    batch_size: int
    dim: int = 512
    per_class: int = 4
    simix: bool = False
    noise: float | None = 1.0
    device: str = "cpu"
    threads: int = 2


Loss = Callable[[Tensor, Tensor], Tensor]


def loop_over_queries(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Compute RS@k query by query with autograd, in the style of the released code.

    Args:
        embeddings: (B, D).
        labels: (B,), at least two images a class.

    Returns:
        A scalar, the loss with k = 1, 2, 4, 8, 16 and the paper's temperatures.
    """
    losses = []
    # unbind, because the gradient of [q] would be a whole matrix for each query.
    for q, similarity in enumerate((embeddings @ embeddings.T).unbind()):  # (B,)
        positive = labels == labels[q]
        positive[q] = False
        competes = torch.ones_like(positive)
        competes[q] = False
        own = similarity[positive]  # (P,)
        steps = torch.sigmoid((similarity[None, competes] - own[:, None]) / 0.01)
        ranks = 0.5 + steps.sum(dim=1)
        for k in PAPERS_KS:
            count = torch.sigmoid(k - ranks).sum().clamp(max=k)
            losses.append(1 - count / min(k, len(own)))
    return torch.stack(losses).mean()


def naive_loss(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Compute RS@k from the whole B×B matrix, one positive at a time, with autograd.

    Args:
        embeddings: (B, D).
        labels: (B,), the same number of images, at least two, of each class.

    Returns:
        A scalar, as :func:`loop_over_queries`.
    """
    size = int((labels == labels[0]).sum())
    return _naive(embeddings, labels, size - 1)


def _naive(embeddings: Tensor, labels: Tensor, width: int) -> Tensor:
    similarity = embeddings @ embeddings.T / 0.01  # (B, B)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    alike = ((labels[:, None] == labels) & ~itself).byte()
    competing = similarity.masked_fill(itself, -torch.inf)
    own = similarity.gather(1, alike.topk(width, dim=1).indices)  # (B, P)
    sums = [torch.sigmoid(competing - s[:, None]).sum(dim=1) for s in own.unbind(dim=1)]
    ranks = 0.5 + torch.stack(sums, dim=1)  # (B, P)
    k = torch.tensor(PAPERS_KS, dtype=ranks.dtype, device=ranks.device)
    count = torch.sigmoid(k - ranks[:, :, None]).sum(dim=1)  # (B, K)
    return 1 - (torch.minimum(count, k) / k.clamp(max=width)).mean()


def compiled_naive_loss(backend: str = "inductor") -> Loss:
    """Compile :func:`naive_loss`; ``backend`` is that of ``torch.compile``."""
    compiled = torch.compile(_naive, backend=backend, dynamic=False)
    return lambda embeddings, labels: compiled(
        embeddings, labels, int((labels == labels[0]).sum()) - 1
    )


def _pml_smooth_ap() -> Loss:
    from pytorch_metric_learning.losses import SmoothAPLoss as OtherSmoothAPLoss

    return OtherSmoothAPLoss(temperature=0.01)


def _oml_surrogate_precision() -> Loss:
    """Make the loss of one k; its time does not depend on k.

    It ranks all items by Euclidean distance, with B³ sigmoids, and counts the query among its own
    positives.
    """
    loss: Loss = import_module("oml.losses").SurrogatePrecision(k=1)
    return loss


COMPILED = "naive, compiled"
METHODS: dict[str, Callable[[], Loss]] = {
    "auto": RecallAtKLoss,
    "dense": lambda: RecallAtKLoss(engine="dense"),
    "blocks": lambda: RecallAtKLoss(engine="blocks"),
    "fused": lambda: RecallAtKLoss(engine="fused"),
    "SmoothAP, blocks": lambda: SmoothAPLoss(engine="blocks"),
    "naive": lambda: naive_loss,
    COMPILED: compiled_naive_loss,
    "loop over queries": lambda: loop_over_queries,
    "SmoothAP of pytorch-metric-learning": _pml_smooth_ap,
    "SurrogatePrecision of open-metric-learning": _oml_surrogate_precision,
}


def available(method: str, device: str) -> bool:
    """Tell whether a method can run here.

    "fused" needs CUDA, compiled code a compiler on the CPU; other libraries are optional.
    """
    if method == "fused":
        return device == "cuda"
    if method == COMPILED:
        return device == "cuda" or which("c++") is not None
    return installed(method)


def products(embeddings: Tensor, block_bytes: int | None = None) -> Tensor:
    """Compute four products in blocks, of queries and another gallery: S, S again, wE, wᵀE."""
    gradient = torch.zeros_like(embeddings)
    if block_bytes is None:
        block_bytes = CUDA_BLOCK_BYTES if embeddings.is_cuda else 8 * MB
    for rows in embeddings.split(max(1, block_bytes // (4 * len(embeddings)))):
        for _ in range(2):
            similarity = rows @ embeddings.T
        gradient[: len(rows)] += similarity @ embeddings
        gradient.addmm_(similarity.T, rows)
    return gradient


def measure(case: Case) -> dict[str, Any]:
    """Measure the seconds and bytes of one case, in this process.

    Returns:
        Medians after a warm-up, of ``REPEATS`` or more: seconds forward, backward, and of the four
        products at the size that the loss sees; the median ratio; MB at the peak over the inputs,
        and over inputs and gradient.
    """
    torch.set_num_threads(case.threads)
    embeddings, labels = class_batch(case)
    loss = METHODS[case.method]()
    first = slice(0, None if case.method == COMPILED else 4 * case.per_class)
    seconds_of_step(loss, embeddings[first], labels[first])  # allocates libraries, compiles
    before = start_of_peak(case.device)
    warm_up = seconds_of_step(loss, embeddings, labels)
    highest = peak(case.device) - before
    keep_freed_memory()  # as a training does; the peak needed it given back
    times, four = [], []
    for _ in range(_repeats(sum(warm_up))):
        times.append(seconds_of_step(loss, embeddings, labels))
        four.append(seconds(lambda: products(embeddings), case.device))
    gradient = embeddings.numel() * embeddings.element_size()
    return {
        "forward_s": median(t[0] for t in times),
        "backward_s": median(t[1] for t in times),
        "products_s": median(four),
        "ratio": median(sum(t) / u for t, u in zip(times, four, strict=True)),
        "peak_mb": highest / MB,
        "over_gradient_mb": (highest - gradient) / MB,
        "repeats": len(times),
    }


def _repeats(seconds_of_one: float) -> int:
    """Repeat a short case for about half a second, a long one once."""
    return 1 if seconds_of_one >= 10 else min(200, max(REPEATS, int(0.5 / seconds_of_one)))


def class_batch(case: Case) -> tuple[Tensor, Tensor]:
    """Draw unit vectors around class centres: (B, D) embeddings and (B,) labels of a case."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(case.batch_size) // case.per_class
    centres = torch.randn(int(labels[-1]) + 1, case.dim, generator=generator)
    noise = torch.randn(case.batch_size, case.dim, generator=generator)
    if case.noise is not None:
        noise = centres[labels] + case.noise * noise
    embeddings = normalize(noise, dim=1)
    if case.simix:
        embeddings, labels = SimilarityMixup(generator)(embeddings, labels)
    return embeddings.to(case.device), labels.to(case.device)


def seconds_of_step(loss: Loss, embeddings: Tensor, labels: Tensor) -> tuple[float, float]:
    """Time the forward and the backward pass, in seconds."""
    leaf = embeddings.detach().requires_grad_()
    device = embeddings.device.type
    value: list[Tensor] = []
    forward = seconds(lambda: value.append(loss(leaf, labels)), device)
    return forward, seconds(value[0].backward, device)


def bench_ranks(
    batch_sizes: Sequence[int],
    methods: Sequence[str],
    device: str = "cpu",
    threads: int = 2,
    limit_s: float = 120,
    limit_gb: float = 16,
    simix_batch: int | None = 4000,
    crowded_batch: int | None = 4000,
) -> dict[str, Any]:
    """Measure every method at every batch size; skip sizes above one that failed.

    Args:
        batch_sizes: ascending.
        methods: keys of :data:`METHODS`; those that cannot run here are left out.
        device: "cpu" or "cuda".
        threads: number of CPU threads.
        limit_s: seconds a case may take in all.
        limit_gb: memory a case may take on the CPU.
        simix_batch: also measure this batch with its virtual examples, and a plain batch of the
            same size with as many positives a query ("auto", "blocks" and "fused").
        crowded_batch: also measure this batch with 50 and 200 images a class, in tight clusters and
            far from convergence ("auto", "blocks" and "fused").

    Returns:
        The result to store: the cases with their measurements, and the environment.
    """
    cases = [
        Case(method, size, device=device, threads=threads)
        for method in methods
        if available(method, device)
        for size in batch_sizes
    ]
    if simix_batch is not None:
        cases += [
            Case(method, *size, device=device, threads=threads)
            for method in methods
            if method in _OF_LARGE and available(method, device)
            for size in _mixed_and_plain(simix_batch)
        ]
    if crowded_batch is not None:
        cases += [
            Case(method, crowded_batch, 512, many, noise=noise, device=device, threads=threads)
            for method in methods
            if method in _OF_LARGE and available(method, device)
            for many in CROWDS
            for noise in STATES
            if noise != 1
        ]
    measured: list[dict[str, Any]] = []
    for case in tqdm(cases, desc="benchmark", unit="case"):
        failed = [m for m in measured if _as_hard(case, m) and "failed" in m]
        if failed:
            measured.append(asdict(case) | {"failed": NOT_TRIED})
        else:
            measured.append(run_case(__name__, case, limit_s, limit_gb))
    return {"cases": measured, **bench_environment(device)}


def _as_hard(case: Case, other: dict[str, Any]) -> bool:
    """Tell whether a case needs at least as much as another one of its method."""
    kind = ("method", "simix", "per_class", "noise")
    alike = all(getattr(case, name) == other[name] for name in kind)
    return alike and case.batch_size >= other["batch_size"]


def _mixed_and_plain(batch: int) -> list[tuple[int, int, int, bool]]:
    """Size, D, images a class and SiMix of two cases: 4,000 become 10,000, ten of a class."""
    return [(batch, 512, 4, True), (batch * 10 // 4, 512, 10, False)]


_TIMES = {"forward_s": "forward s", "backward_s": "backward s", "ratio": "× products"}


def ranks_table(cases: Sequence[dict[str, Any]]) -> str:
    """Format the cases as a table, a row each; without products where they were not measured."""
    times = [name for name in _TIMES if any(name in case for case in cases)]
    header = ["method", "B", *(_TIMES[name] for name in times), "MB over inputs + gradient"]
    return text_table(header, [_row(case, times) for case in cases])


def _row(case: dict[str, Any], times: Sequence[str]) -> list[str]:
    mixed = 1 + (case["per_class"] - 1) / 2  # n + n (n − 1) / 2 of each n
    batch = f"{case['batch_size']:,}"
    if case["simix"]:
        batch += f" → {round(mixed * case['batch_size']):,}"
    elif case["per_class"] != 4:
        batch += f", {case['per_class']} a class"
    if words := STATES[case.get("noise", 1.0)]:
        batch += f", {words}"
    if "failed" in case:
        return [case["method"], batch, case["failed"], *[""] * len(times)]
    measured = [f"{case[name]:.3g}" for name in times]
    return [case["method"], batch, *measured, f"{case['over_gradient_mb']:.0f}"]


if __name__ == "__main__":
    main(Case, measure)
