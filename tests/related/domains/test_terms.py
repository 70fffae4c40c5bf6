"""Each term of DM-ADA against its formula in loops of Python's floats."""

import math

import pytest
import torch

from recallkit.related import (
    Code,
    Judgement,
    OfDomains,
    discriminator_terms,
    divergence,
    encoder_terms,
    generator_terms,
    mixture_triplet,
)

LABELS = torch.tensor([2, 0, 1, 2, 2])


def judgements(seed):
    """Judgements of five images of each domain, three classes, embeddings in 4-D."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return OfDomains(*(Judgement(draw(5), draw(5, 3), draw(5, 4)) for _ in range(3)))


def soft(logits, share):
    """The mean cross-entropy of a soft binary label."""
    chances = [1 / (1 + math.exp(-x)) for x in logits.tolist()]
    losses = [-share * math.log(p) - (1 - share) * math.log(1 - p) for p in chances]
    return math.fsum(losses) / len(losses)


def classified(logits):
    rows = zip(logits.tolist(), LABELS.tolist(), strict=True)
    losses = [math.log(math.fsum(math.exp(x) for x in row)) - row[c] for row, c in rows]
    return math.fsum(losses) / len(losses)


def triplet(anchors, near, far, margin):
    losses = []
    for a, n, f in zip(anchors.tolist(), near.tolist(), far.tolist(), strict=True):
        to_near, to_far = (
            math.sqrt(math.fsum((x - y + 1e-6) ** 2 for x, y in zip(a, b, strict=True)))
            for b in (n, f)
        )
        losses.append(max(to_near - to_far + margin, 0))
    return math.fsum(losses) / len(losses)


def values(terms):
    return {name: term.item() for name, term in terms.items()}


def test_divergence():
    mean, log_variance = torch.randn(2, 5, 4, dtype=torch.float64)
    rows = zip(mean.tolist(), log_variance.tolist(), strict=True)
    expected = math.fsum(
        0.5 * (math.exp(v) + m * m - 1 - v)
        for means, logs in rows
        for m, v in zip(means, logs, strict=True)
    )
    assert divergence(Code(mean, log_variance)).item() == pytest.approx(expected / 5, abs=1e-12)
    assert divergence(Code(torch.zeros(5, 4), torch.zeros(5, 4))) == 0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.5, 0.6, 0.93, 1.0])
def test_mixtures_are_nearer_to_the_domain_of_the_larger_share(share):
    source, target, mixed = (judgement.embedding for judgement in judgements(0))
    if share > 0.5:
        expected = triplet(mixed, source, target, 2 * share - 1)
    else:
        expected = triplet(mixed, target, source, 1 - 2 * share)
    loss = mixture_triplet(OfDomains(source, target, mixed), share)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("share", [2, -0.1, math.nan])
def test_a_share_that_is_none_is_refused(share):
    embeddings = OfDomains(*torch.ones(3, 2, 4))
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        mixture_triplet(embeddings, share)


@pytest.mark.parametrize("share", [0.29, 0.6])
def test_terms_of_the_discriminator(share):
    real, made = judgements(1), judgements(2)
    near, far = (real.source, real.target) if share > 0.5 else (real.target, real.source)
    margin = abs(2 * share - 1)
    assert values(discriminator_terms(real, made, LABELS, share)) == pytest.approx(
        {
            "class": classified(real.source.classes),
            "source": soft(real.source.real, 1),
            "mixed": soft(real.mixed.real, share),
            "triplet": triplet(real.mixed.embedding, near.embedding, far.embedding, margin),
            "generated source": soft(made.source.real, 0),
            "generated target": soft(made.target.real, 0),
            "generated mixed": soft(made.mixed.real, 0),
        },
        abs=1e-12,
    )


def test_terms_of_the_generator():
    made = judgements(3)
    assert values(generator_terms(made, LABELS)) == pytest.approx(
        {
            "class": classified(made.source.classes),
            "source": soft(made.source.real, 1),
            "mixed": soft(made.mixed.real, 1),
        },
        abs=1e-12,
    )


def test_terms_of_the_encoder():
    made = judgements(4)
    codes = OfDomains(*(Code(*torch.randn(2, 5, 4, dtype=torch.float64)) for _ in range(3)))
    logits = torch.randn(5, 3, dtype=torch.float64)
    terms = encoder_terms(codes, logits, made, LABELS, (2.0, 0.1, 0.03, 0.05))
    divergences = divergence(codes.source).item() + divergence(codes.target).item()
    assert values(terms) == pytest.approx(
        {
            "divergence": 2 * divergences,
            "class": classified(logits),
            "generated class": 0.1 * classified(made.source.classes),
            "generated target": 0.03 * soft(made.target.real, 1),
            "generated mixed": 0.05 * soft(made.mixed.real, 1),
        },
        abs=1e-12,
    )
