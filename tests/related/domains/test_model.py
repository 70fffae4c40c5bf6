"""DM-ADA as a whole: what is updated by what, seeds, settings, and that it learns."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from recallkit.related import (
    DomainMixup,
    DomainMixupSettings,
    OfDomains,
    discriminator_terms,
    draw_share,
    encoder_terms,
    generator_terms,
    mix,
    mixed_labels,
)

SMALL = DomainMixupSettings(width=4, generator_width=4, noise=8)
OTHERS = ("generator", "classifier", "encoder")


def make_batch(seed=0, count=6):
    generator = torch.Generator().manual_seed(seed)
    source, target = torch.rand(2, count, 3, 32, 32, generator=generator)
    return source, torch.randint(0, 3, (count,), generator=generator), target


def test_a_step_is_an_update_of_each_network_by_its_own_loss():
    """Written out with backward() for one network at a time, from the same state."""
    model = DomainMixup(3, SMALL, seed=1)
    copy = deepcopy(model)
    source, labels, target = make_batch()
    terms = model.step(source, labels, target)

    rng = np.random.default_rng(1)
    share = draw_share(rng)
    assert terms["share"] == share

    def generate(code, part):
        noise = torch.from_numpy(rng.standard_normal((6, 8), np.float32))
        return copy.generator(code, mixed_labels(labels, 3, part), noise)

    def adam(network):
        return torch.optim.Adam(network.parameters(), lr=5e-4, betas=(0.8, 0.999))

    codes = [copy.encoder((images - 0.44) / 0.19) for images in (source, target)]
    codes.append(tuple(mix(a, b, share) for a, b in zip(*codes, strict=True)))
    made = [generate(code, part) for code, part in zip(codes, (1, 0, share), strict=True)]
    images = [
        2 * source - 1,
        2 * target - 1,
        share * (2 * source - 1) + (1 - share) * (2 * target - 1),
    ]

    fakes = OfDomains(*(copy.discriminator(batch.detach()) for batch in made))
    real = OfDomains(*map(copy.discriminator, images))
    of_discriminator = discriminator_terms(real, fakes, labels, share)
    sum(of_discriminator.values()).backward()
    adam(copy.discriminator).step()

    judged = OfDomains(*map(copy.discriminator, made))
    logits = copy.classifier(codes[0])
    weights = (1.0, 0.1, 0.03, 0.03)
    of_encoder = encoder_terms(OfDomains(*codes), logits, judged, labels, weights)
    of_generator = generator_terms(judged, labels)
    losses = {
        "generator": sum(of_generator.values()),
        "classifier": of_encoder["class"],
        "encoder": sum(of_encoder.values()),
    }
    gradients = {}
    for name, loss in losses.items():
        copy.zero_grad()
        loss.backward(retain_graph=True)
        gradients[name] = [p.grad.clone() for p in getattr(copy, name).parameters()]
    for name in OTHERS:
        network = getattr(copy, name)
        for parameter, gradient in zip(network.parameters(), gradients[name], strict=True):
            parameter.grad = gradient
        adam(network).step()

    for name, value in model.state_dict().items():
        assert torch.allclose(value, copy.state_dict()[name], rtol=0, atol=1e-6), name
    named = {"discriminator": of_discriminator, "generator": of_generator, "encoder": of_encoder}
    expected = {f"{k} {n}": v.item() for k, of in named.items() for n, v in of.items()}
    assert {k: v for k, v in terms.items() if k != "share"} == pytest.approx(expected, rel=1e-5)


def test_seeds_reproduce_and_other_random_numbers_stay():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    models = [DomainMixup(3, SMALL, seed) for seed in (0, 0, 1)]
    runs = [[model.step(*make_batch(i)) for i in range(3)] for model in models]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len({terms["share"] for terms in runs[0]}) > 1


def test_it_learns_the_classes_of_the_source():
    """Three classes, bright in one of the channels."""
    settings = {"width": 8, "generator_width": 1, "noise": 1, "kl_weight": 0.01}
    model = DomainMixup(3, DomainMixupSettings(**settings, learning_rate=5e-3))
    source, labels, target = make_batch(count=12)
    source[torch.arange(12), labels] += 1
    losses = [model.step(source / 2, labels, target)["encoder class"] for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]
    assert (model(source / 2).argmax(dim=1) == labels).float().mean() > 0.9


def test_the_learning_rate_decays_with_updates():
    """At a huge decay the second update is almost none."""
    settings = DomainMixupSettings(width=4, generator_width=4, noise=8, decay=1e9)
    model = DomainMixup(3, settings)

    def moved():
        before = [p.detach().clone() for p in model.parameters()]
        model.step(*make_batch())
        pairs = zip(model.parameters(), before, strict=True)
        return max((p - b).abs().max().item() for p, b in pairs)

    assert moved() == pytest.approx(5e-4, rel=1e-2)  # Adam's first step
    assert moved() < 1e-7


def test_the_first_weights_are_those_of_the_release():
    model = DomainMixup(10, DomainMixupSettings(width=32, generator_width=32))
    expected = {torch.nn.Conv2d: 0.02, torch.nn.ConvTranspose2d: 0.02, torch.nn.Linear: 0.1}
    for module in model.modules():
        if type(module) in expected and module.weight.numel() > 1000:
            assert module.weight.std().item() == pytest.approx(expected[type(module)], rel=0.1)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32])
def test_labels_of_any_integer_type(kind):
    source, labels, target = make_batch()
    expected = DomainMixup(3, SMALL).step(source, labels, target)
    assert DomainMixup(3, SMALL).step(source, labels.to(kind), target) == expected


def test_it_moves_as_a_whole_and_still_learns():
    """``.to`` takes all four networks along, and the optimisers keep their parameters."""
    model = DomainMixup(3, SMALL).to(torch.float64)
    source, labels, target = make_batch()
    before = [weights.clone() for weights in model.parameters()]
    model.step(source.double(), labels, target.double())
    changed = [not old.equal(new) for old, new in zip(before, model.parameters(), strict=True)]
    assert all(weights.dtype == torch.float64 for weights in model.parameters())
    assert sum(changed) > len(changed) / 2


def test_shapes_of_what_it_makes():
    model = DomainMixup(3, SMALL)
    images = make_batch()[0]
    code = model.encode(images)
    assert code.mean.shape == code.log_variance.shape == (6, 8)
    made = model.generate(code, mixed_labels(torch.zeros(6, dtype=torch.int64), 3, 0.5))
    assert made.shape == images.shape
    assert made.abs().max() <= 1
    assert model(images).shape == (6, 3)


source, labels, target = make_batch()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((source[..., :28], labels, target), "source must be floating images"),
        ((source, labels, (255 * target).byte()), "target must be floating images"),
        ((source, labels, 255 * target), "target must lie between 0 and 1, .*by 255"),
        ((source / 0, labels, target), "source must lie between 0 and 1"),
        ((source.numpy(), labels, target), "source must be a tensor, not ndarray"),
        ((source, labels.tolist(), target), "labels must be a tensor, not list"),
        ((source, labels, target[:3]), "source and target must be of the same shape"),
        ((source[:1], labels[:1], target[:1]), "source must have at least 2 images"),
        ((source, labels + 1, target), "labels must lie between 0 and 2"),
        ((source, labels[:3], target), "labels must be 6, one for each of source"),
    ],
)
def test_a_bad_batch_is_named(batch, message):
    with pytest.raises(ValueError, match=message):
        DomainMixup(3, SMALL).step(*batch)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"pixel_std": 0.0}, "pixel_std must be above 0"),
        ({"kl_weight": -1.0}, "kl_weight must be a number of at least 0"),
        ({"mixed_factor": float("nan")}, "mixed_factor must be a number of at least 0"),
        ({"clearance": 0.7}, "clearance must lie between 0 and 0.5"),
        ({"concentration": 0.0}, "concentration must be a finite number above 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DomainMixupSettings(**settings)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="classes must be at least 2"):
        DomainMixup(1)
