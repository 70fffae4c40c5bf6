"""DM-ADA as a whole: four networks, their optimisers, and one update of each for a batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from recallkit.checks import check_tensor
from recallkit.related.domains.mixing import domain_mixup, draw_share, mix, mixed_labels
from recallkit.related.domains.networks import (
    SIDE,
    Code,
    CodeClassifier,
    DomainDiscriminator,
    DomainEncoder,
    DomainGenerator,
    Judgement,
    initialise,
)
from recallkit.related.domains.terms import (
    OfDomains,
    discriminator_terms,
    encoder_terms,
    generator_terms,
    total,
)


@dataclass(frozen=True)
class DomainMixupSettings:
    """All hyper-parameters of :class:`DomainMixup`; the defaults are those of the release.

    Attributes:
        channels: of the images; 3 for colours.
        width: W, channels of the first convolution of encoder and discriminator. 64 takes a GPU;
            16 is enough for digits on a CPU.
        generator_width: channels of the generator's last layer but one.
        noise: Z, random numbers beside the code; 512 is many, the image may ignore them.
        kl_weight: of the divergence of the codes from a standard normal distribution; 1 makes the
            bound of a variational autoencoder.
        adversarial_weight: of the terms by which the encoder helps the generator to pass. 0.1: the
            classes of the source come first.
        target_factor: times ``adversarial_weight``, for the images of the target. 0.3: these pass
            as source, which is true in the end only.
        mixed_factor: likewise for mixtures.
        concentration: a of λ ~ Beta(a, a).
        clearance: least distance of λ from ½, so that a mixture has a nearer domain.
        learning_rate: of Adam, for all four networks.
        betas: of Adam. 0.8 forgets old gradients sooner than the usual 0.9, since the opponent
            moves.
        decay: d; after n updates the learning rate is ``learning_rate`` / (1 + d n).
        pixel_mean: subtracted from pixels in 0 … 1 before the encoder.
        pixel_std: divides them then. The other networks see 2 x − 1.

    Raises:
        ValueError: for numbers out of range.
    """

    channels: int = 3
    width: int = 64
    generator_width: int = 64
    noise: int = 512
    kl_weight: float = 1.0
    adversarial_weight: float = 0.1
    target_factor: float = 0.3
    mixed_factor: float = 0.3
    concentration: float = 2.0
    clearance: float = 0.1
    learning_rate: float = 5e-4
    betas: tuple[float, float] = (0.8, 0.999)
    decay: float = 1e-4
    pixel_mean: float = 0.44
    pixel_std: float = 0.19

    def __post_init__(self) -> None:
        for name in ("channels", "width", "generator_width", "noise"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("learning_rate", "pixel_std"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (float, "float") and not 0 <= value < np.inf:
                raise ValueError(f"{field.name} must be a number of at least 0, not {value}")
        draw_share(np.random.default_rng(0), self.concentration, self.clearance)


class DomainMixup(nn.Module):
    """DM-ADA (Xu et al., AAAI 2020): adversarial adaptation with mixtures across the domains.

    An encoder gives each image a Gaussian code. A classifier learns the classes of the source from
    it. A generator makes an image of code, soft label and noise. A discriminator learns to tell
    real images of the source from generated ones, by soft labels for mixtures. Encoder and
    generator learn to deceive it, so that codes of the target come to mean what those of the source
    mean. See ``terms`` for the losses.

    :meth:`step` updates the discriminator first. The gradients of generator, classifier and
    encoder are then taken at one point, and all three are updated. The release updates one after
    the other, and sends the encoder's gradient through weights that have changed since the images
    were generated.

    The best epoch on *target labels*, which the release keeps, is a leak: choose without them.

    Args:
        classes: K.
        settings: see :class:`DomainMixupSettings`; None: the release's.
        seed: decides the first weights, the shares λ and the noise.

    Raises:
        ValueError: for less than two classes; on call for images that are not finite numbers in
            0 … 1.

    Example:
        >>> model = DomainMixup(10, DomainMixupSettings(width=8, generator_width=8))
        >>> source, target = torch.rand(2, 16, 3, 32, 32)
        >>> terms = model.step(source, torch.randint(0, 10, (16,)), target)
        >>> model(target).argmax(dim=1).shape
        torch.Size([16])
    """

    def __init__(
        self, classes: int, settings: DomainMixupSettings | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classes must be at least 2, not {classes}")
        self.classes, self.settings = classes, settings or DomainMixupSettings()
        self.rng = np.random.default_rng(seed)
        self.updates = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build()
        chosen = self.settings
        self._optimisers = {
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), betas=chosen.betas),
            "others": torch.optim.Adam(self._others(), betas=chosen.betas),
        }

    def _build(self) -> None:
        chosen = self.settings
        inputs = 4 * chosen.width + self.classes + 1 + chosen.noise
        self.encoder = DomainEncoder(chosen.channels, chosen.width)
        self.classifier = CodeClassifier(chosen.width, self.classes)
        self.generator = DomainGenerator(chosen.channels, chosen.generator_width, inputs)
        self.discriminator = DomainDiscriminator(chosen.channels, chosen.width, self.classes)
        self.apply(initialise)

    def _others(self) -> Iterator[nn.Parameter]:
        for network in (self.generator, self.classifier, self.encoder):
            yield from network.parameters()

    def forward(self, images: Tensor) -> Tensor:
        """Classify images: (B, C, 32, 32) in 0 … 1 → (B, K) logits."""
        return self.classifier(self.encode(images))

    def encode(self, images: Tensor) -> Code:
        """Encode images (B, C, 32, 32) in 0 … 1."""
        self._check(images, "images")
        return self.encoder((images - self.settings.pixel_mean) / self.settings.pixel_std)

    def generate(self, code: Code, labels: Tensor) -> Tensor:
        """Generate images (B, C, 32, 32) in −1 … 1 of codes and soft labels (B, K + 1)."""
        noise = self.rng.standard_normal((len(labels), self.settings.noise), np.float32)
        return self.generator(code, labels, torch.from_numpy(noise).to(labels))

    def step(self, source: Tensor, labels: Tensor, target: Tensor) -> dict[str, float]:
        """Update all networks by one batch of each domain.

        Args:
            source: (B, C, 32, 32) in 0 … 1.
            labels: (B,) integers from 0 to K − 1.
            target: (B, C, 32, 32) in 0 … 1, of as many images.

        Returns:
            The value of each term before the update, such as ``"discriminator triplet"``, and λ as
            ``"share"``.

        Raises:
            ValueError: for images of another shape or number, less than two images, or labels out
                of range.
        """
        self._check(source, "source")
        self._check(target, "target")
        check_tensor(labels, "labels")
        if len(source) < 2:
            raise ValueError("source must have at least 2 images: batch norms compare them")
        share = draw_share(self.rng, self.settings.concentration, self.settings.clearance)
        pixels = domain_mixup(2 * source - 1, 2 * target - 1, labels, self.classes, share)
        images = OfDomains(2 * source - 1, 2 * target - 1, pixels.values)
        labels = labels.long()
        codes = self._codes(source, target, share)
        generated = self._generated(codes, labels, share)
        self._set_learning_rate()
        terms = {"discriminator": self._update_discriminator(images, generated, labels, share)}
        terms |= self._update_others(codes, generated, labels)
        self.updates += 1
        named = {f"{loss} {name}": v for loss, of in terms.items() for name, v in of.items()}
        return {name: float(value.detach()) for name, value in named.items()} | {"share": share}

    def _codes(self, source: Tensor, target: Tensor, share: float) -> OfDomains[Code]:
        first, second = self.encode(source), self.encode(target)
        mixed = Code(*(mix(a, b, share) for a, b in zip(first, second, strict=True)))
        return OfDomains(first, second, mixed)

    def _generated(self, codes: OfDomains[Code], labels: Tensor, share: float) -> OfDomains[Tensor]:
        shares = OfDomains(1.0, 0.0, share)
        return OfDomains(
            *(
                self.generate(code, mixed_labels(labels, self.classes, part).to(code.mean))
                for code, part in zip(codes, shares, strict=True)
            )
        )

    def _judged(self, images: Iterable[Tensor]) -> OfDomains[Judgement]:
        return OfDomains(*(self.discriminator(batch) for batch in images))

    def _update_discriminator(
        self, images: OfDomains[Tensor], generated: OfDomains[Tensor], labels: Tensor, share: float
    ) -> dict[str, Tensor]:
        fakes = self._judged(batch.detach() for batch in generated)
        terms = discriminator_terms(self._judged(images), fakes, labels, share)
        self._update("discriminator", [(self.discriminator, total(terms))])
        return terms

    def _update_others(
        self, codes: OfDomains[Code], generated: OfDomains[Tensor], labels: Tensor
    ) -> dict[str, dict[str, Tensor]]:
        chosen, judged = self.settings, self._judged(generated)
        logits = self.classifier(codes.source)
        adversarial = chosen.adversarial_weight
        factors = (adversarial * chosen.target_factor, adversarial * chosen.mixed_factor)
        weights = (chosen.kl_weight, adversarial, *factors)
        of_encoder = encoder_terms(codes, logits, judged, labels, weights)
        of_generator = generator_terms(judged, labels)
        losses = [(self.generator, total(of_generator)), (self.encoder, total(of_encoder))]
        self._update("others", [*losses, (self.classifier, of_encoder["class"])])
        return {"generator": of_generator, "encoder": of_encoder}

    def _update(self, optimiser: str, losses: Sequence[tuple[nn.Module, Tensor]]) -> None:
        """Give each network the gradient of its own loss alone, and update them together."""
        for network, loss in losses:
            parameters = [*network.parameters()]
            gradients = torch.autograd.grad(loss, parameters, retain_graph=len(losses) > 1)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
        self._optimisers[optimiser].step()
        self._optimisers[optimiser].zero_grad()

    def _set_learning_rate(self) -> None:
        learning_rate = self.settings.learning_rate / (1 + self.settings.decay * self.updates)
        for optimiser in self._optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = learning_rate

    def _check(self, images: Tensor, name: str) -> None:
        check_tensor(images, name)
        shape = (self.settings.channels, SIDE, SIDE)
        if images.ndim != 4 or images.shape[1:] != shape or not images.is_floating_point():
            raise ValueError(
                f"{name} must be floating images (B, {', '.join(map(str, shape))}) in 0 … 1, "
                f"not {images.dtype} of shape {tuple(images.shape)}"
            )
        if images.numel() and not (images.min() >= 0 and images.max() <= 1):  # also for NaN
            raise ValueError(
                f"{name} must lie between 0 and 1, not from {images.min():.3g} to "
                f"{images.max():.3g}: divide bytes by 255"
            )
