"""Cases of recall.js."""

import numpy as np
import torch

from recallkit.course import rank_pull
from recallkit.soft_recall import soft_recall_at_k

TEMPERATURES = (1e-6, 0.05, 1.0, 10.0, 100.0)


def _table(ranks):
    return torch.tensor([ranks], dtype=torch.float64)


def _relaxed(seed, count=60):
    """Relaxed ranks, some of them equal, some at a cut-off; a set of cut-offs; τ₁."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        ranks = 1 + rng.uniform(0, (3, 30)[number % 2], (1, 2, 5, 11, 59)[number % 5])
        ranks = ranks.round() if number % 7 == 0 else ranks
        ks = sorted(rng.choice([1, 2, 3, 4, 8, 16, 100], rng.integers(1, 6), replace=False))
        yield ranks.tolist(), [int(k) for k in ks], float(rng.choice(TEMPERATURES))
    yield [1.0, 1.0], [1], 1.0  # the count is exactly k: two times one half
    yield [2.0, 2.0, 2.0, 2.0], [2, 3], 0.5


def divisor():
    for k in (1, 2, 3, 4, 8, 16, 100):
        for positives in (1, 2, 3, 5, 8, 16, 40, 60):
            found = torch.arange(1, positives + 1, dtype=torch.float64)[None]  # a perfect ranking
            share = soft_recall_at_k(found - 0.5, (k,), 1e-6).item()
            yield [k, positives], round(sum(r <= k for r in found[0].tolist()) / share)


def true():
    rng = np.random.default_rng(1)
    for number in range(60):
        ranks = rng.permutation(60)[: (1, 2, 5, 11, 60)[number % 5]] + 1
        k = int(rng.choice([1, 2, 4, 8, 16, 59, 60, 100]))
        cold = soft_recall_at_k(_table(ranks.tolist()) - 0.5, (k,), 1e-6)  # k itself is inside
        yield [ranks.tolist(), k], cold.item()


def counts():
    for ranks, ks, temperature in _relaxed(2):
        single = torch.tensor(ranks, dtype=torch.float64)[:, None]  # P = 1: recall is the count
        expected = soft_recall_at_k(single, ks[:1], temperature)[:, 0]
        yield [ranks, ks[0], temperature], expected.tolist()


def capped():
    for ranks, ks, temperature in _relaxed(3):
        recall = soft_recall_at_k(_table(ranks), ks[-1:], temperature).item()
        yield [ranks, ks[-1], temperature], recall * min(ks[-1], len(ranks))


def soft():
    for ranks, ks, temperature in _relaxed(4):
        expected = soft_recall_at_k(_table(ranks), ks[:1], temperature).item()
        yield [ranks, ks[0], temperature], expected


def loss():
    for ranks, ks, temperature in _relaxed(5):
        expected = 1 - soft_recall_at_k(_table(ranks), ks, temperature).mean().item()
        yield [ranks, ks, temperature], expected


def _with_gradient(seed):
    """Yield the arguments, and the loss with its gradient."""
    for ranks, ks, temperature in _relaxed(seed):
        leaf = _table(ranks).requires_grad_()
        value = 1 - soft_recall_at_k(leaf, ks, temperature).mean()
        [gradient] = torch.autograd.grad(value, leaf)
        yield [ranks, ks, temperature], value.item(), gradient[0].tolist()


def loss_gradient():
    for arguments, _, gradient in _with_gradient(6):
        yield arguments, gradient


def loss_and_gradient():
    for arguments, value, gradient in _with_gradient(9):
        yield arguments, {"loss": value, "gradient": gradient}


def pull():
    for ranks, ks, temperature in _relaxed(7):
        expected = rank_pull(torch.tensor(ranks, dtype=torch.float64), ks, temperature)
        yield [ranks, ks, temperature], expected.tolist()


def floor():
    for positives in (1, 2, 3, 4, 7, 20, 60):
        for ks in ([1], [16], [1, 2, 4, 8, 16]):
            for temperature in (0.05, 1.0, 10.0):
                perfect = torch.arange(1, positives + 1, dtype=torch.float64)[None]
                expected = 1 - soft_recall_at_k(perfect, ks, temperature).mean().item()
                yield [positives, ks, temperature], expected
