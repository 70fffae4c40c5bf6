"""Variants of SiMix against loops in float64 that follow their definitions."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from recallkit.config import Config
from recallkit.losses import RecallAtKLoss, RecallVariant
from recallkit.simix import SimilarityMixup, same_class_pairs
from recallkit.training import Training, make_loss
from recallkit.training.simix_variants import (
    ROLES,
    MixupVariant,
    SimixRoleLoss,
    relatives,
)

KS = (1, 2, 4)


def batch(seed, sizes=(4, 3, 2, 1)):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)) * 7 - 3
    labels = labels[torch.randperm(len(labels), generator=generator)]
    embeddings = torch.randn(len(labels), 5, generator=generator, dtype=torch.float64)
    return normalize(embeddings, dim=1).requires_grad_(), labels


def by_loops(role, mixed, labels, real, pairs, query_in_database=False):
    """Compute the loss query by query, as the definition reads."""
    family = {real + m: {a, b} for m, (a, b) in enumerate(zip(*pairs, strict=True))}
    queries = range(real) if role == "gallery" else range(len(mixed))
    gallery = range(real) if role == "queries" else range(len(mixed))
    losses = []
    for q in queries:
        kin = set()
        if role == "no-relatives":
            kin = family.get(q, set()) | {v for v, parents in family.items() if q in parents}
        others = [z for z in gallery if z not in kin and (z != q or query_in_database)]
        positives = [z for z in others if z != q and labels[z] == labels[q]]
        if not positives:
            continue
        s = {z: mixed[q] @ mixed[z] for z in others}
        ranks = [
            1 + sum(torch.sigmoid((s[z] - s[p]) / 0.1) for z in others if z != p) for p in positives
        ]
        for k in KS:
            count = sum(torch.sigmoid(k - r) for r in ranks)
            losses.append(1 - torch.clamp(count, max=k) / min(k, len(positives)))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("query_in_database", [False, True])
@pytest.mark.parametrize("role", ROLES)
def test_loss_and_gradient_of_a_role_are_those_of_its_definition(role, query_in_database, seed):
    embeddings, labels = batch(seed)
    base = RecallAtKLoss(KS, rank_temperature=0.1, query_in_database=query_in_database)
    torch.manual_seed(seed)
    value = SimixRoleLoss(role, base)(embeddings, labels)
    [gradient] = torch.autograd.grad(value, embeddings)
    torch.manual_seed(seed)
    mixed, mixed_labels = SimilarityMixup()(embeddings, labels)
    pairs = [part.tolist() for part in same_class_pairs(labels)]
    expected = by_loops(role, mixed, mixed_labels, len(labels), pairs, query_in_database)
    [expected_gradient] = torch.autograd.grad(expected, embeddings)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-9, atol=1e-12)


def test_a_batch_without_positives_is_refused():
    embeddings, labels = batch(0, (1, 1, 1))
    with pytest.raises(ValueError, match="positive"):
        SimixRoleLoss("gallery", RecallAtKLoss(KS))(embeddings, labels)


def test_relatives_are_parents_and_children():
    table = relatives(torch.tensor([5, 9, 5, 5]))
    assert [sorted(z for z in row if z >= 0) for row in table.tolist()] == [
        [4, 5], [], [4, 6], [5, 6], [0, 2], [0, 3], [2, 3],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("weights", "distribution"),
    [
        ("middle", lambda a: (a >= 0.5).double()),
        ("ends", lambda a: 2 / math.pi * a.sqrt().asin()),
    ],
)
def test_weights_have_their_distribution(weights, distribution):
    drawn = MixupVariant(weights).draw(20_000, torch.empty(0, dtype=torch.float64))
    for a in torch.linspace(0.05, 0.95, 7, dtype=torch.float64):
        assert (drawn <= a).double().mean() == pytest.approx(distribution(a).item(), abs=0.02)


def test_the_trainer_takes_a_variant(toy_splits):
    values = []
    for variant in ("none", "middle", "ends", *ROLES):
        config = Config(
            image_size=16, embedding_dim=8, batch_size=16, images=160, simix_variant=variant
        )
        training = Training(config, toy_splits.train, torch.device("cpu"))
        values.append(training.step())
    assert len(set(values)) == len(values)


def test_a_role_keeps_the_variant_of_the_loss():
    config = Config(loss="recall@k-over-k", simix_variant="gallery")
    assert isinstance(make_loss(config, torch.arange(4)).loss, RecallVariant)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"simix": False}, "no effect without simix"), ({"loss": "smooth-ap"}, "not for the loss")],
)
def test_a_variant_without_effect_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(simix_variant="middle", **settings)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="role must be one of"):
        SimixRoleLoss("both", RecallAtKLoss())
    with pytest.raises(ValueError, match="weights must be one of"):
        MixupVariant("uniform")
