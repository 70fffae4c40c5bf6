r"""UniLoss on average precision beside cross-entropy: zeros among noisy handwritten digits.

The task of UniLoss's release, in small: rank the zeros before all other digits. The network is the
release's, three layers and a sigmoid, with its batch of 16 and its momentum of 0.5. scikit-learn's
digits are easier than MNIST, so that each pixel gets noise, and the training has 10 zeros and 90
others.

One method has the gradient of the released code. With g_i the metric at an anchor, ĝ the
interpolated metric, b the comparisons, and d_i their distances to the anchors b_i:

    right      ∂ĝ/∂b = −Σ_i (g_i − ĝ) (b − b_i) / d_i³ ÷ Σ_i 1 / d_i
    released           −Σ_i (g_i + ĝ) (b − b_i) / d_i³ ÷ Σ_i 1 / d_i

So it draws the comparisons to every anchor, to the bad ones too. Another method gives that gradient
a metric that is 1 at each anchor and says nothing.
"""

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from recallkit.errors import needs_extra
from recallkit.related import UniLoss, average_precision, draw_anchors
from recallkit.related.uniloss import Metric, differences_of
from recallkit.studies.study import Outcome, Study

NOISE = 0.3  # of pixels from 0 to 1, a standard deviation
ZEROS, OTHERS = 10, 90  # training images
PARTS = {"train": (0, 1000), "validation": (1000, 1297), "test": (1297, 1797)}  # by writers
BATCH = 16
EPOCHS = 40
MOMENTUM = 0.5
NEAREST = 1e-6  # of an anchor, where the released formula would divide by 0

ScoreLoss = Callable[[Tensor, Tensor], Tensor]
"""Scores (B,) from 0 to 1 and targets (B,) bool → the loss, a scalar."""


@cache
def noisy_digits() -> dict[str, tuple[Tensor, Tensor]]:
    """Load each part: images (N, 64) with noise, the same in each call, and whether it is a 0."""
    with needs_extra("the study of UniLoss", "course"):
        from sklearn.datasets import load_digits
    pixels, labels = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels, dtype=torch.float32) / 16
    images += NOISE * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    is_zero = torch.as_tensor(labels) == 0
    return {name: (images[a:b], is_zero[a:b]) for name, (a, b) in PARTS.items()}


def draw_training(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw the training images of a run: (100, 64), and whether each is a 0, (100,)."""
    images, is_zero = noisy_digits()["train"]
    rows = [
        group[torch.randperm(len(group), generator=generator)[:count]]
        for group, count in ((is_zero.nonzero()[:, 0], ZEROS), ((~is_zero).nonzero()[:, 0], OTHERS))
    ]
    return images[torch.cat(rows)], is_zero[torch.cat(rows)]


def released_gradient(values: Tensor, comparisons: Tensor, anchors: Tensor) -> Tensor:
    """Compute the gradient that UniLoss's release takes for that of the interpolation.

    Args:
        values: (A,) of the metric at the anchors.
        comparisons: (C,).
        anchors: (A, C).

    Returns:
        (C,).
    """
    offsets = comparisons - anchors
    distances = offsets.norm(dim=1).clamp(min=NEAREST)
    total, weighted = (1 / distances).sum(), (values / distances).sum()
    return -((values + weighted / total) * distances**-3) @ offsets / total


def released_loss(
    metric: Metric, generator: torch.Generator, scores: Tensor, targets: Tensor
) -> Tensor:
    """Make a scalar whose gradient is the one of the release; its value means nothing."""
    differences, real = differences_of(scores[None], targets[None], ~targets[None])
    soft = torch.where(real, torch.tanh(differences / 2), 0)  # (1, P, N)
    if not real.any():
        return 0 * soft.sum()
    comparisons = soft.detach().flatten()
    anchors = draw_anchors(comparisons, real.flatten(), generator=generator).to(soft.dtype)
    values = metric(anchors.reshape(-1, *real.shape))
    return -(released_gradient(values, comparisons, anchors) * soft.flatten()).sum()


def says_nothing(comparisons: Tensor) -> Tensor:
    """Return 1 for each anchor, whatever it says."""
    return torch.ones(len(comparisons))


def loss_of(method: str, generator: torch.Generator) -> ScoreLoss:
    """Return the loss of a method; anchors come from the generator."""
    uniloss = UniLoss(average_precision, generator=generator)
    return {
        "cross-entropy": lambda s, t: binary_cross_entropy(s, t.to(s.dtype)),
        "UniLoss on AP": lambda s, t: uniloss.of_scores(s[None], t[None]),
        "released gradient": partial(released_loss, average_precision, generator),
        "released gradient of a constant": partial(released_loss, says_nothing, generator),
    }[method]


def make_network() -> nn.Sequential:
    """Make the release's network, with 64 pixels instead of 784: (B, 64) → (B, 1), from 0 to 1."""
    hidden = [nn.Linear(64, 500), nn.ReLU(), nn.Linear(500, 300), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(300, 1), nn.Sigmoid())


def precision_on(network: nn.Module, part: str) -> float:
    """Compute the average precision of the zeros of a part."""
    with needs_extra("the study of UniLoss", "course"):
        from sklearn.metrics import average_precision_score
    images, is_zero = noisy_digits()[part]
    with torch.no_grad():
        scores = network(images)[:, 0]
    return float(average_precision_score(is_zero.numpy(), scores.numpy()))


def run(method: str, candidate: float, seed: int) -> Outcome:
    """Train by a method with a learning rate; the seed draws images, weights, batches, anchors."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_network()
    images, is_zero = draw_training(generator)
    optimizer = torch.optim.SGD(network.parameters(), candidate, MOMENTUM)
    loss, history = loss_of(method, generator), []
    for epoch in range(EPOCHS):
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss(network(images[batch])[:, 0], is_zero[batch]).backward()
            optimizer.step()
        if epoch % 4 == 3:
            precision = precision_on(network, "validation")
            history.append({"epoch": epoch + 1, "validation average precision": precision})
    metrics = {"average precision": precision_on(network, "test")}
    return Outcome(precision_on(network, "validation"), metrics, history)


STUDY = Study(
    name="uniloss",
    question="Does UniLoss rank zeros better than cross-entropy, and what does its sign error do?",
    tuned="learning_rate",
    candidates=dict.fromkeys(
        ("cross-entropy", "UniLoss on AP", "released gradient", "released gradient of a constant"),
        (0.01, 0.03, 0.1, 0.3),
    ),
    run=run,
    shown=("average precision",),
    seeds=tuple(range(10)),
    note="Ten zeros and 90 other digits to train on, with noise; 40 epochs in batches of 16.",
)
