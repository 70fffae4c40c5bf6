"""Cases of domain_mixing.js."""

import numpy as np
import torch

from recallkit.related import domain_loss, mix, mixed_labels
from recallkit.related.domains.mixing import keep_clear


def _scalar(value):
    return torch.tensor(float(value), dtype=torch.float64)


def clear():
    """Shares in steps of 0.01, the ends of the gap among them."""
    for share in np.round(np.linspace(0, 1, 41), 3):
        for clearance in (0.0, 0.1, 0.25, 0.3, 0.5):
            yield [float(share), clearance], keep_clear(float(share), clearance)


def labels():
    """Shares of 1/64: float32 holds them exactly."""
    rng = np.random.default_rng(21)
    for _ in range(60):
        classes, share = int(rng.integers(1, 6)), int(rng.integers(0, 65)) / 64
        own = int(rng.integers(0, classes))
        yield [own, classes, share], mixed_labels(torch.tensor([own]), classes, share)[0].tolist()


def _loss_and_slope(logit, label):
    x = _scalar(logit).requires_grad_()
    loss = domain_loss(x, label)
    return loss.item(), torch.autograd.grad(loss, x)[0].item()


def losses():
    """Logits near 0 and where the exponential would overflow."""
    rng = np.random.default_rng(22)
    for number in range(80):
        label = [0.0, 1.0, float(rng.uniform())][number % 3]
        logit = float(rng.uniform(-4, 4)) * (400 if number % 8 == 7 else 1)
        loss, slope = _loss_and_slope(logit, label)
        yield [logit, label], {"loss": loss, "slope": slope}


def mixtures():
    rng = np.random.default_rng(23)
    for number in range(60):
        source, target, share = *rng.uniform(-4, 4, 2).tolist(), float(rng.uniform())
        label = 0.0 if number % 2 else share
        s, t = (_scalar(v).requires_grad_() for v in (source, target))
        logit = mix(s, t, share)
        loss = domain_loss(logit, label)
        parents = [slope.item() for slope in torch.autograd.grad(loss, (s, t), retain_graph=True)]
        [slope] = torch.autograd.grad(loss, logit)
        expected = {"logit": logit.item(), "loss": loss.item(), "slope": slope.item()}
        yield [source, target, share, label], {**expected, "parents": parents}
