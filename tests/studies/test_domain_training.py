"""Trainings on two domains against a loop by hand; what they may see, and what they must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, layer_norm

from recallkit.data import DomainPair, ImageSet
from recallkit.related import draw_share
from recallkit.studies import find_study
from recallkit.studies.domain_training import (
    BATCH,
    METHODS,
    DomainNetwork,
    accuracy,
    adapt,
    outcome_of,
)

STUDIES = ("domain-mixup", "domain-mixup-textures", "domain-mixup-foundries")


def some(count, seed, shift=0):
    """Images whose upper rows say their class; the target is darker."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 60, (count, 3, 32, 32), generator=generator) + shift
    labels = torch.arange(count) % 3
    for image, label in zip(images, labels, strict=True):
        image[:, 8 * label : 8 * label + 8] += 120
    return ImageSet(images.to(torch.uint8), labels, {0: "a", 1: "b", 2: "c"})


PAIR = DomainPair(some(40, 0, 40), some(12, 1, 40), some(50, 2).images, some(9, 3), some(15, 4))


def weights(adapted):
    return torch.cat([p.detach().flatten() for p in adapted.network.parameters()])


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_decides_a_training_and_no_label_of_the_target_does(method):
    other = replace(
        PAIR,
        target_validation=replace(PAIR.target_validation, labels=torch.zeros(9).long()),
        test=replace(PAIR.test, labels=torch.ones(15).long()),
    )
    one, same = adapt(method, PAIR, updates=6), adapt(method, other, updates=6)
    assert torch.equal(weights(one), weights(same))
    assert outcome_of(one, PAIR).choice == outcome_of(same, other).choice
    assert not torch.equal(weights(one), weights(adapt(method, PAIR, seed=1, updates=6)))


def test_methods_differ_and_all_but_source_only_use_the_target():
    darker = replace(PAIR, target=PAIR.target // 2)
    trained = [weights(adapt(method, PAIR, updates=6)) for method in METHODS[:4]]
    again = [weights(adapt(method, darker, updates=6)) for method in METHODS[:4]]
    assert torch.equal(trained[0], again[0])
    assert not any(torch.equal(a, b) for a, b in zip(trained[1:], again[1:], strict=True))
    assert all(not torch.equal(trained[i], trained[j]) for i in range(4) for j in range(i))


def reversed_by(x, strength):
    return (1 + strength) * x.detach() - strength * x


@pytest.mark.parametrize(
    ("method", "mixed_label"), [("DANN with mixup", None), ("DANN with mixup, label cast", 0.0)]
)
def test_a_training_is_the_loop_by_hand(method, mixed_label):
    rng = np.random.default_rng(5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = DomainNetwork(3)
        judge = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    optimiser = torch.optim.Adam([*network.parameters(), *judge.parameters()], 0.002)
    for update in range(6):
        own, other = (rng.integers(size, size=BATCH) for size in (40, 50))
        share = draw_share(rng, clearance=0.3)
        strength = 2 / (1 + np.exp(-10 * update / 6)) - 1
        source = torch.cat(network.encode(PAIR.source.images[own] / 255), dim=1)
        target = torch.cat(network.encode(PAIR.target[other] / 255), dim=1)
        mixed = share * source + (1 - share) * target
        label = share if mixed_label is None else mixed_label
        loss = cross_entropy(network(PAIR.source.images[own] / 255), PAIR.source.labels[own])
        for codes, truth in ((source, 1.0), (target, 0.0), (mixed, label)):
            logits = judge(layer_norm(reversed_by(codes, strength), (32,)))
            loss = loss + binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    expected = torch.cat([p.detach().flatten() for p in network.parameters()])
    trained = weights(adapt(method, PAIR, learning_rate=0.002, seed=5, updates=6))
    assert (trained - expected).abs().max() < 1e-4


def test_a_network_learns_and_its_history_says_so():
    adapted = adapt("source only", PAIR, updates=60)
    assert [row["step"] for row in adapted.history] == [10, 20, 30, 40, 50, 60]
    assert accuracy(adapted.network, PAIR.source_validation) == 1
    assert adapted.history[-1]["class loss"] < 0.3 < adapted.history[0]["class loss"]


def test_what_is_stored_of_a_training():
    adapted = adapt("DANN", PAIR, updates=12)
    outcome = outcome_of(adapted, PAIR)
    with torch.no_grad():
        logits = adapted.network(PAIR.source_validation.images / 255)
    expected = cross_entropy(logits, PAIR.source_validation.labels).item()
    assert outcome.choice == pytest.approx(-expected, abs=1e-6)
    assert outcome.metrics["accuracy"] == accuracy(adapted.network, PAIR.test)
    tests = [row["test"] for row in outcome.history]
    assert outcome.metrics["best on test labels"] == max(tests) >= outcome.metrics["accuracy"]
    assert all(0 <= value <= 1 for value in outcome.metrics.values())
    assert {"domain loss", "class loss"} <= set(outcome.history[0])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"method must be one of source only, .*, not 'dan'"):
        adapt("dan", PAIR)
    with pytest.raises(ValueError, match="updates must be at least 6, not 5"):
        adapt("DANN", PAIR, updates=5)


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_compare_all_methods(name):
    assert list(find_study(name).candidates) == list(METHODS)


def test_a_run_of_a_study_is_a_training_on_its_pair(monkeypatch):
    seen = []

    def short(method, pair, learning_rate, seed):
        seen.append((method, len(pair.source), learning_rate, seed))
        return adapt(method, pair, learning_rate, seed, updates=6)

    monkeypatch.setattr("recallkit.studies.domain_training.adapt", short)
    outcome = find_study("domain-mixup-textures").run("source only", 0.001, 3)
    assert seen == [("source only", 850, 0.001, 3)]
    assert set(outcome.metrics) >= set(find_study("domain-mixup-textures").shown)
