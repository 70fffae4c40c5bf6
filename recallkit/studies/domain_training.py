"""Trainings with a labelled and an unlabelled domain on one encoder: from source only to DM-ADA."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import trange

from recallkit.data import DomainPair, ImageSet
from recallkit.related import (
    Code,
    DomainAdversary,
    DomainMixup,
    DomainMixupSettings,
    draw_share,
    reversal_strength,
)
from recallkit.related.domains.networks import CodeClassifier, DomainEncoder
from recallkit.studies.study import Outcome, Study

WIDTH = 8
"""Channels of the first convolution; enough for digits, and quick without a GPU."""
UPDATES, BATCH = 300, 32
EVALUATIONS = 6  # of a training, evenly spaced
METHODS = ("source only", "DANN", "DANN with mixup", "DANN with mixup, label cast", "DM-ADA")

_CLEARANCE = 0.3  # of λ from ½, in the release's gradient reversal

Step = Callable[[Tensor, Tensor, Tensor, float], dict[str, float]]
"""Source, labels, target, progress from 0 to 1 → the terms of the loss before the update."""


@dataclass
class Adapted:
    """A network trained on two domains.

    Attributes:
        network: images (B, 3, 32, 32) in 0 … 1 → (B, K) logits; ``encode`` gives their codes. For
            DM-ADA it is the :class:`.DomainMixup` itself, with its generator.
        history: a row an evaluation: "step", the accuracy on the "test" images of the target, and
            the last value of each term.
    """

    network: nn.Module
    history: list[dict[str, float]] = field(default_factory=list)


class DomainNetwork(nn.Module):
    """Encoder and classifier of DM-ADA, without the rest."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = DomainEncoder(3, WIDTH)
        self.classifier = CodeClassifier(WIDTH, classes)

    def encode(self, images: Tensor) -> Code:
        """Encode images (B, 3, 32, 32) in 0 … 1."""
        return self.encoder(2 * images - 1)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images: (B, 3, 32, 32) in 0 … 1 → (B, K) logits."""
        return self.classifier(self.encode(images))


def adapt(
    method: str,
    pair: DomainPair,
    learning_rate: float = 1e-3,
    seed: int = 0,
    updates: int = UPDATES,
    progress: bool = False,
) -> Adapted:
    """Train a small network on the images and labels of a source, and on images of a target.

    A batch has 32 images of each domain. No label of the target is used for an update; the history
    has accuracies on the target to show what a choice by them would claim.

    Args:
        method: one of ``METHODS``. "source only" is cross-entropy on the source. "DANN" adds the
            loss of :class:`.DomainAdversary` on the codes, with the weight 1 and the schedule
            of its authors. "DANN with mixup" adds mixtures with soft labels to that; "DANN with
            mixup, label cast" calls them all "target", as the released code does. "DM-ADA" is
            :class:`.DomainMixup` with ``width`` 8.
        pair: the two domains.
        learning_rate: of Adam.
        seed: decides weights, batches, shares and noise.
        updates: number of batches, at least 6.
        progress: show a bar.

    Raises:
        ValueError: for another method, or too few updates.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if updates < EVALUATIONS:
        raise ValueError(f"updates must be at least {EVALUATIONS}, not {updates}")
    rng = np.random.default_rng(seed)
    network, step = _start(method, len(pair.test.class_names), learning_rate, seed, rng)
    adapted, every = Adapted(network), updates // EVALUATIONS
    bar = {"desc": method, "unit": " updates", "delay": 2, "leave": False}
    for update in trange(updates, disable=not progress, **bar):
        terms = step(*_draw_batch(pair, rng), update / updates)
        if (update + 1) % every == 0:
            row = {"step": update + 1, "test": accuracy(network, pair.test)}
            adapted.history.append({**row, **terms})
    return adapted


def domain_study(name: str, question: str, load: Callable[[], DomainPair]) -> Study:
    """Declare the comparison of all methods on one pair of domains.

    Args:
        name: of the study.
        question: that it answers, in a sentence.
        load: makes the pair; a function of a module. It is called once in a process.
    """
    return Study(
        name=name,
        question=question,
        tuned="learning_rate",
        candidates=dict.fromkeys(METHODS, (0.0005, 0.001, 0.002)),
        run=partial(_train_on, load),
        shown=("accuracy", "best on test labels", "source validation"),
        note="Tuned on the cross-entropy of validation images of the source: no label of the "
        "target.",
    )


def _train_on(
    load: Callable[[], DomainPair], method: str, learning_rate: float, seed: int
) -> Outcome:
    pair = _loaded(load)
    return outcome_of(adapt(method, pair, learning_rate, seed), pair)


@cache
def _loaded(load: Callable[[], DomainPair]) -> DomainPair:
    return load()


def outcome_of(adapted: Adapted, pair: DomainPair) -> Outcome:
    """Return what a study stores of a training.

    The choice is −1 times the cross-entropy on validation images of the source: no label of the
    target. "accuracy" is that of the last update on the test images of the target; "best on test
    labels" the highest of all evaluations, which only somebody with these labels could have chosen.
    """
    last = adapted.history[-1]["test"]
    return Outcome(
        choice=-_cross_entropy(adapted.network, pair.source_validation),
        metrics={
            "accuracy": last,
            "best on test labels": max(row["test"] for row in adapted.history),
            "target validation": accuracy(adapted.network, pair.target_validation),
            "source validation": accuracy(adapted.network, pair.source_validation),
        },
        history=adapted.history,
    )


def accuracy(network: nn.Module, images: ImageSet) -> float:
    """Measure the share of images that a network classifies rightly."""
    right = _logits(network, images).argmax(dim=1) == images.labels
    return right.double().mean().item()


def _cross_entropy(network: nn.Module, images: ImageSet) -> float:
    return F.cross_entropy(_logits(network, images), images.labels).item()


@torch.no_grad()
def _logits(network: nn.Module, images: ImageSet) -> Tensor:
    return network(_pixels(images.images[:]))


def _pixels(images: Tensor) -> Tensor:
    return images.float() / 255


def _draw_batch(pair: DomainPair, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draw images of the source, their labels, and as many images of the target."""
    own = torch.from_numpy(rng.integers(len(pair.source), size=BATCH))
    other = torch.from_numpy(rng.integers(len(pair.target), size=BATCH))
    return _pixels(pair.source.images[own]), pair.source.labels[own], _pixels(pair.target[other])


def _start(
    method: str, classes: int, learning_rate: float, seed: int, rng: np.random.Generator
) -> tuple[nn.Module, Step]:
    """Return a network, and the function that updates it."""
    if method == "DM-ADA":
        settings = DomainMixupSettings(
            width=WIDTH, generator_width=WIDTH, learning_rate=learning_rate
        )
        model = DomainMixup(classes, settings, seed)
        return model, lambda source, labels, target, _: _of_classifier(
            model.step(source, labels, target)
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        training = _Adversarial(method, classes, learning_rate, rng)
    return training.network, training.step


def _of_classifier(terms: dict[str, float]) -> dict[str, float]:
    """Name the terms of DM-ADA that a history keeps."""
    return {"class loss": terms["encoder class"], "share": terms["share"]}


class _Adversarial:
    """Source only and the three kinds of DANN.

    The domain classifier sees codes of zero mean and unit variance: else the features can deceive
    it by growing without end.
    """

    def __init__(
        self, method: str, classes: int, learning_rate: float, rng: np.random.Generator
    ) -> None:
        self.method, self.rng = method, rng
        self.network = DomainNetwork(classes)
        inputs = 4 * WIDTH  # mean and log-variance
        scale = nn.LayerNorm(inputs, elementwise_affine=False)
        layers = scale, nn.Linear(inputs, inputs), nn.ReLU(), nn.Linear(inputs, 1)
        self.adversary = DomainAdversary(nn.Sequential(*layers))
        parameters = [*self.network.parameters(), *self.adversary.parameters()]
        self.optimiser = torch.optim.Adam(parameters, learning_rate)

    def step(
        self, source: Tensor, labels: Tensor, target: Tensor, progress: float
    ) -> dict[str, float]:
        """Update by one batch."""
        code = self.network.encode(source)
        terms: dict[str, Any] = {
            "class loss": F.cross_entropy(self.network.classifier(code), labels)
        }
        if self.method != "source only":
            terms["domain loss"] = self._domain_loss(code, self.network.encode(target), progress)
        self.optimiser.zero_grad()
        torch.stack([*terms.values()]).sum().backward()
        self.optimiser.step()
        return {name: value.item() for name, value in terms.items()}

    def _domain_loss(self, source: Code, target: Code, progress: float) -> Tensor:
        share = draw_share(self.rng, clearance=_CLEARANCE) if "mixup" in self.method else None
        label = 0.0 if "cast" in self.method else None
        codes = torch.cat(source, dim=1), torch.cat(target, dim=1)
        return self.adversary(*codes, reversal_strength(progress), share, label)
