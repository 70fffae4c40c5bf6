"""The metrics of retrieval by name, each a small function of the ranks of a query's positives.

With the ranks r₁ < r₂ < … < r_R of a query's R positives, from 1:

    R@k          1 if r₁ ≤ k, else 0       (the benchmarks' definition: *any* positive in the top k)
    P@k          |{i: r_i ≤ k}| / k
    R-precision  |{i: r_i ≤ R}| / R
    MRR          1 / r₁                                            MRR@k: 0 where r₁ > k
    mAP          1/R · Σ_i i / r_i
    mAP@k        1/min(R, k) · Σ_{i: r_i ≤ k} i / r_i
    mAP@R        1/R · Σ_{i: r_i ≤ R} i / r_i      (Musgrave et al., 2020: precision where relevant)
    NDCG         Σ_i 1/log₂(r_i + 1) / Σ_{i ≤ R} 1/log₂(i + 1)
    NDCG@k       Σ_{i: r_i ≤ k} 1/log₂(r_i + 1) / Σ_{i ≤ min(R, k)} 1/log₂(i + 1)

Other definitions of mAP@k exist: ``mean_average_precision`` of pytorch-metric-learning divides by
the number of positives in the top k, not by min(R, k). So it is 1 for a query that finds one of its
ten positives, if that is the first of the list.
"""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from recallkit.errors import did_you_mean

Metric = Callable[[Tensor, Tensor], Tensor]  # ranks (Q, M), numbers of positives (Q,) → (Q,)

WHOLE = ("mAP", "mAP@R", "MRR", "NDCG", "R-precision")
_LARGEST_K = 2**63 - 1  # what torch compares ranks with
CUT = ("R", "P", "mAP", "MRR", "NDCG")  # of the top k, as in "R@10"


def usual_metrics(ks: Sequence[int]) -> tuple[str, ...]:
    """Name what is computed where nothing else is asked for: R@k, P@1, mAP@R and mAP."""
    return (*(f"R@{k}" for k in ks), "P@1", "mAP@R", "mAP")


def metrics_by_name(names: Sequence[str]) -> dict[str, Metric]:
    """Find the metrics of these names, each once.

    Raises:
        ValueError: for a name of none, or no name.
    """
    if isinstance(names, str) or not len(names):
        raise ValueError(f'metrics must be names such as ("R@1", "NDCG@10", "MRR"), not {names!r}')
    return {name: _metric(name) for name in names}


def _metric(name: str) -> Metric:
    if name in WHOLE:
        return _WHOLE[name]
    match = re.fullmatch(rf"({'|'.join(CUT)})@([1-9]\d*)", str(name))
    if match is None:
        known = [*WHOLE, *(f"{cut}@k" for cut in CUT)]
        hint = did_you_mean(str(name), known) or f"there are {', '.join(known)}, k from 1"
        raise ValueError(f"metrics: there is no {name!r}; {hint}")
    kind, k = match[1], int(match[2])
    if k > _LARGEST_K:
        raise ValueError(f"metrics: k must be at most {_LARGEST_K:,}, not that of {name!r}")
    return lambda ranks, number: _CUT[kind](ranks, number, k)


def _recall(ranks: Tensor, number: Tensor, k: int) -> Tensor:
    return (ranks <= k).any(dim=1).double()


def _precision(ranks: Tensor, number: Tensor, k: int) -> Tensor:
    return (ranks <= k).sum(dim=1) / torch.tensor(k, dtype=torch.float64)


def _r_precision(ranks: Tensor, number: Tensor) -> Tensor:
    return (ranks <= number[:, None]).sum(dim=1).double() / number


def _reciprocal_rank(ranks: Tensor, number: Tensor) -> Tensor:
    return 1 / ranks[:, 0]


def _average_precision(ranks: Tensor, number: Tensor) -> Tensor:
    i = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    return (i / ranks).sum(dim=1) / number


def _average_precision_at_r(ranks: Tensor, number: Tensor) -> Tensor:
    return _average_precision(_up_to(ranks, number[:, None]), number)


def _gain(ranks: Tensor, number: Tensor) -> Tensor:
    """Divide the gain of the ranks by that of the ranks 1, 2, …, ``number``."""
    i = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    best = (1 / torch.log2(i.double() + 1)).cumsum(dim=0)
    return (1 / torch.log2(ranks + 1)).sum(dim=1) / best[number - 1]


def _up_to(ranks: Tensor, k: Tensor | int) -> Tensor:
    """Move ranks beyond k to infinity, where they add nothing."""
    return ranks.masked_fill(ranks > k, torch.inf)


_WHOLE: dict[str, Metric] = {
    "mAP": _average_precision,
    "mAP@R": _average_precision_at_r,
    "MRR": _reciprocal_rank,
    "NDCG": _gain,
    "R-precision": _r_precision,
}
_CUT: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "R": _recall,
    "P": _precision,
    "mAP": lambda ranks, number, k: _average_precision(_up_to(ranks, k), number.clamp(max=k)),
    "MRR": lambda ranks, number, k: _reciprocal_rank(_up_to(ranks, k), number),
    "NDCG": lambda ranks, number, k: _gain(_up_to(ranks, k), number.clamp(max=k)),
}
