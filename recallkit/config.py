"""Every setting of a training, flat, each with its reason; and presets: settings with a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from recallkit.constants import PAPERS_KS
from recallkit.errors import did_you_mean
from recallkit.ranges import Range, SettingError, checked

Loss = Literal[
    "recall@k",
    "smooth-ap",
    "contrastive",
    "triplet",
    "multi-similarity",
    "nt-xent",
    "circle",
    "uniloss",
    "proxy-anchor",
    "recall@k-no-cap",
    "recall@k-over-positives",
    "recall@k-over-k",
]

CircleReduction = Literal["anchor", "pairs"]

UniLossMetric = Literal["recall@k", "average-precision", "accuracy"]

SimixVariant = Literal["none", "middle", "ends", "queries", "gallery", "no-relatives"]


# Ranges that several settings share.
_COUNT = Range(1, 10**12)
_BATCH = Range(2, 2**20)  # a query and its positive; eight times the largest batch measured here
_CHUNK = Range(1, 2**20)
_RANKS = Range(1, 2**20)  # as many ranks as a batch may have
_EPOCHS = Range(1, 100_000)
_SHARE = Range(0.0, 1.0)


@dataclass(frozen=True)
class Config:
    """Everything that decides what a training does, and nothing else.

    The same config, seed and number of CPU threads give the same weights on the same machine.
    Each number has a range, which ends where a value cannot be meant; its reason stands beside it.
    Numbers of numpy become Python's, and lists become tuples.

    Raises:
        SettingError: a ValueError that names the flag, and what it must be.
    """

    dataset: str = "emoji"
    """Name of an embedded data set or of a benchmark, or a folder with one sub-folder a class."""
    root: str = ""
    """The folder that holds a benchmark; `recallkit prepare NAME --root DIR` checks it."""
    network: str = "small"
    """"small" (trains on a laptop's CPU), a backbone of torchvision ("resnet50") or of timm
    ("timm/vit_base_patch32_224"), or one whose weights are a Python package
    ("packaged/efficientnet_lite0")."""
    pretrained: bool = False
    """Start the backbone from published weights, which may be downloaded."""
    weights: str = ""
    """Start the backbone from the weights in this file instead; nothing is downloaded."""
    frozen: bool = False
    """Train the head alone, on features of the backbone that are computed once: seconds a run."""
    views: Annotated[int, Range(1, 1000)] = 8
    """With frozen: augmented copies of each training image whose features are computed. Each time
    an image is seen, one of them is drawn. More copies cost time once, and vary the images more."""
    embedding_dim: Annotated[int, Range(1, 65_536)] = 256  # the longest in the literature: 32,768
    """Length D of an embedding. A longer one costs little beside the convolutions."""
    image_size: Annotated[int, Range(8, 4096)] = 32  # three layers halve the side of 8 to 1
    """Side of the square that the network sees, in pixels."""

    ks: Annotated[tuple[int, ...], _RANKS] = PAPERS_KS
    """Cut-offs k of the loss; the paper's. A k of your own must not exceed the batch size, because
    no rank does, and the loss would be 0 without any training."""
    # Below, the sigmoid is a step at k. Above, all ranks of a batch of thousands are alike.
    k_temperature: Annotated[float, Range(1e-3, 1e4)] = 1.0
    """Temperature τ₁ of the comparison of a rank with k, in ranks; the paper's."""
    # Similarities lie in −1 … 1, and float32 rounds them by about 1e-7. Below 1e-6 the sigmoid sees
    # that rounding. Above 100 it is within 0.005 of 0.5 for any two similarities.
    rank_temperature: Annotated[float, Range(1e-6, 100.0)] = 0.01
    """Temperature τ₂ of the comparison of two similarities; the paper's."""
    query_in_database: bool = False
    """Let a query compete in its own ranking, as the released code does. Benchmarks do not."""
    simix: bool = True
    """Add a virtual example for each pair of a class (similarity mixup)."""
    simix_variant: SimixVariant = "none"
    """With simix: change one element of it, for experiments. "middle" and "ends" have other
    weights of the parents; with "queries" virtual examples only search, with "gallery" they are
    only found, and with "no-relatives" they and their parents do not count for each other."""
    loss: Loss = "recall@k"
    """RS@k, SmoothAP, a variant of RS@k, circle or UniLoss; all others are baseline losses of
    pytorch-metric-learning."""
    proxy_rate: Annotated[float, Range(1e-3, 1e4)] = 100.0
    """Learning rate of a loss's own parameters, as a multiple of learning_rate. Default 100: the
    choice of ProxyAnchor's authors."""

    # Beyond 1 no negative is ever near enough to its goal, the similarity m.
    circle_margin: Annotated[float, Range(0.0, 1.0)] = 0.4
    """With circle: margin m. Positives of similarity 1 − m and negatives of m are good enough. 0.4
    is the authors' choice for images of fine-grained classes."""
    # Below 1e-3 all pairs count alike. Above 1e5 one pair counts, and float32 rounds its exponent.
    circle_gamma: Annotated[float, Range(1e-3, 1e5)] = 80.0
    """With circle: scale γ of the similarities; a larger one hears the worst pairs only. 80 goes
    with that margin."""
    circle_reduce: CircleReduction = "anchor"
    """With circle: one logarithm for each query, and their mean, as in the paper ("anchor"), or one
    for all pairs of the batch ("pairs"), as in other implementations."""
    uniloss_metric: UniLossMetric = "recall@k"
    """With uniloss: the metric of the batch that is interpolated. recall@k takes ``ks``; accuracy
    is the share of queries whose positives come before all others."""
    uniloss_anchors: Annotated[int, Range(1, 10_000)] = 16
    """With uniloss: good, near and random anchors, so many of each; 16 in the released code. A
    step computes the metric at each of them."""
    # As for rank_temperature; above 100 all comparisons are 0, as if all scores were equal.
    uniloss_temperature: Annotated[float, Range(1e-6, 100.0)] = 1.0
    """With uniloss: temperature of the comparison of two similarities; the released code's."""

    classes: Annotated[int, Range(0, 10**7)] = 0  # more than any data set has
    """Train on so many of the training classes, drawn once for all seeds: fewer classes are among
    more of them. 0: all of them. Evaluations stay the same."""
    batch_size: Annotated[int, _BATCH] = 128
    """Images a step."""
    per_class: Annotated[int, _BATCH] = 4
    """Images of each class in a batch; the paper's."""
    chunk_size: Annotated[int | Literal["auto"], _CHUNK] = 512
    """Images a forward pass. It decides the memory that a step needs, not its result. "auto" takes
    the largest chunk that fits the GPU."""
    keep_graphs_gb: Annotated[float, Range(0.0, 1e5)] = 0.0  # 100 TB: more than any machine has
    """Spare memory in GB (10⁹ bytes). Chunks whose graphs fit into it run once instead of twice."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type of the network's matrix products (autocast). float16 scales the loss. The loss itself is
    always computed in float32."""
    images: Annotated[int, _COUNT] = 260_000
    """Images seen in the whole training. The number of steps is this over the batch size."""
    epochs: Annotated[int, Range(0, 100_000)] = 0
    """Passes through the training images. 0: ``images`` decides how long the training is."""

    learning_rate: Annotated[float, Range(0.0, 10.0)] = 3e-3  # Adam moves each weight by about this
    """Peak learning rate, reached at the end of the warm-up. 0: nothing is learnt."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """AdamW shrinks the weights themselves; Adam adds the weight decay to the gradient."""
    weight_decay: Annotated[float, Range(0.0, 10.0)] = 1e-4  # AdamW: × (1 − learning rate · decay)
    """Weight decay, only of weights with two or more dimensions: biases and scales are free."""
    warmup: Annotated[float, _SHARE] = 0.05
    """Share of the steps in which the learning rate rises from 0. After it, half a cosine brings it
    down to 0. 0: no warm-up."""
    warmup_steps: Annotated[int, Range(0, 10**9)] = 15
    """Warm up for at least so many steps, but no more than a third of all. Large batches leave few
    steps, and a peak reached in two or three of them makes all images alike."""
    clip_norm: Annotated[float | None, Range(1e-6, 1e6)] = None
    """Largest norm of the gradient of all parameters together; a longer one is scaled down to it.
    None: no limit."""
    milestones: Annotated[tuple[int, ...], _EPOCHS] = ()
    """Epochs after which the learning rate falls, instead of the cosine; needs ``epochs``."""
    decay: Annotated[float, Range(1e-6, 1.0)] = 0.3  # above 1 the learning rate would rise
    """Factor of the learning rate at each milestone; the paper's."""

    rotation: Annotated[float, Range(0.0, 180.0)] = 15.0
    """Augmentation: largest angle, in degrees."""
    scale: Annotated[float, Range(0.0, 9.0)] = 0.2  # 9: from a tenth of the size to ten times
    """Augmentation: largest change of size, as a share of the size."""
    shift: Annotated[float, _SHARE] = 0.08  # beyond the side nothing of the image is left
    """Augmentation: largest shift, as a share of the side."""
    colour: Annotated[float, _SHARE] = 0.3  # beyond 1 a colour would become its negative
    """Augmentation: largest change of contrast of each colour, as a share of the contrast."""
    crop: Annotated[float, Range(1e-3, 1.0)] = 1.0
    """Augmentation: smallest share of the area to crop to, with sides up to 4:3. 1: no cropping."""
    flip: bool = False
    """Augmentation: mirror half of the images. Not for drawings in which left and right differ."""

    evaluations: Annotated[int, Range(1, 10**6)] = 10
    """Number of evaluations on validation classes: evenly spread, the last one at the end."""
    evaluation_epochs: Annotated[int | None, _EPOCHS] = None
    """Evaluate after every so many epochs instead, and at the end."""
    distractors: bool = False
    """At the end, search validation images among the training images as well, and let sweeps tune
    by that. The gallery is then about as large as that of the test classes, and R@1 as hard to
    reach. It takes a pass through the training images."""
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0  # what torch and numpy both take
    """Seed of weights, batches and augmentation. The split of the classes is fixed."""

    def __post_init__(self) -> None:
        for name, hint in setting_types().items():
            object.__setattr__(self, name, checked(name, getattr(self, name), hint))
        self._check_network()
        self._check_simix()
        self._check_ks()
        self._check_length()

    def _check_network(self) -> None:
        if self.frozen and self.network == "small":
            raise SettingError(
                "frozen",
                'needs a backbone whose features are worth keeping, not network "small": '
                "add --network packaged/efficientnet_lite0 --pretrained, or train a small network "
                "from scratch with --preset emoji",
            )

    def _check_simix(self) -> None:
        if self.simix_variant == "none":
            return
        if not self.simix:
            raise SettingError("simix_variant", "has no effect without simix: add --simix")
        if not self.loss.startswith("recall@k"):
            raise SettingError("simix_variant", f"is for recall@k, not for the loss {self.loss}")

    def _check_ks(self) -> None:
        """Refuse cut-offs that every rank of a batch is below: with them the loss is 0."""
        largest = max(self.batch_size, *PAPERS_KS)  # the paper's may stay, as long as one counts
        if not self.ks:
            raise SettingError("ks", "must hold at least one k, such as --ks 1 2 4")
        if max(self.ks) > largest or min(self.ks) > self.batch_size:
            raise SettingError(
                "ks",
                f"must not exceed the batch size, {self.batch_size}, because no rank does: "
                f"not {self.ks}",
            )

    def _check_length(self) -> None:
        if any(epoch >= self.epochs for epoch in self.milestones):
            raise SettingError(
                "milestones",
                f"must lie between 0 and epochs = {self.epochs}, not {self.milestones}",
            )
        if self.per_class > self.batch_size:
            raise SettingError(
                "batch_size",
                f"must be at least per_class = {self.per_class}, not {self.batch_size}",
            )
        if not self.epochs and self.images < self.batch_size:
            raise SettingError(
                "images", f"must be at least batch_size = {self.batch_size}, not {self.images}"
            )

    def has_effect(self, name: str) -> bool:
        """Tell whether a setting of losses changes anything with this loss.

        Settings of circle and UniLoss are theirs alone; ``rank_temperature`` is of ranks.
        """
        owner, _, _ = name.partition("_")
        if owner in ("circle", "uniloss"):
            return self.loss == owner
        return name != "rank_temperature" or self.loss.startswith(("recall@k", "smooth-ap"))

    def total_images(self, train_size: int) -> int:
        """Return how many images the training sees: ``images``, or ``epochs`` times the set.

        A training takes as many steps as whole batches of these images. It may see fewer images
        than ``epochs`` times the set, because an epoch ends when no full batch can be made.

        Args:
            train_size: number of training images. For the exact number of an epoch pass what its
                batches hold, ``len(sampler) * sampler.batch_size``, as the trainer does.

        Raises:
            ValueError: if ``train_size`` is below 1.
        """
        if train_size < 1:
            raise ValueError(f"train_size must be at least 1, not {train_size}")
        return self.epochs * train_size if self.epochs else self.images


@cache
def setting_types() -> dict[str, Any]:
    """Return the annotation of each setting, for :func:`.ranges.checked`."""
    return get_type_hints(Config, include_extras=True)


def unknown_setting(name: str) -> ValueError:
    """Make the error for a setting that does not exist, with the nearest ones or all."""
    hint = did_you_mean(name, setting_types()) or f"there are {', '.join(setting_types())}"
    return ValueError(f"there is no setting {name!r}; {hint}")


def config_from(values: Mapping[str, Any]) -> Config:
    """Make a Config from what JSON or TOML holds.

    Raises:
        ValueError: for a setting that does not exist, or a value that the setting cannot have.
    """
    for name in values:
        if name not in setting_types():
            raise unknown_setting(name)
    return Config(**values)


RESNET50 = "resnet50"
VIT_B32 = "timm/vit_base_patch32_224.augreg_in21k"
VIT_B16 = "timm/vit_base_patch16_224.augreg_in21k"


def _paper(
    dataset: str,
    network: str,
    epochs: int,
    milestones: tuple[int, ...],
    learning_rate: float,
    chunk_size: int,
    batch_size: int = 4000,
) -> Config:
    """Return the settings of a row of the paper's schedule table; all rows share the others."""
    return Config(
        dataset=dataset,
        network=network,
        pretrained=True,  # ImageNet for ResNet-50, ImageNet-21k for the transformers
        embedding_dim=512,  # 128 was reported too, for ResNet-50
        image_size=224,
        query_in_database=True,  # as released; False is the benchmarks' definition
        simix=False,  # the rows without SiMix; with it the paper takes more ks, up to 32
        batch_size=batch_size,  # min(4000, 4 × number of classes)
        chunk_size=chunk_size,
        epochs=epochs,
        learning_rate=learning_rate,
        optimizer="adam" if network == RESNET50 else "adamw",
        weight_decay=4e-4,
        warmup=0.0,
        milestones=milestones,
        rotation=0.0,
        scale=0.0,
        shift=0.0,
        colour=0.0,
        crop=0.08,
        flip=True,
        evaluations=max(1, epochs // 5),  # every five epochs, but on validation classes
    )


# Batches of Cars196 and CUB hold four images of each training class; two classes validate.
_CARS, _CUB = 4 * 96, 4 * 98


# Augmentation of glyphs, which are grey and all of one size.
_GREY: dict[str, Any] = {"rotation": 8.0, "scale": 0.1, "shift": 0.05, "colour": 0.0}

PRESETS: dict[str, Config] = {
    "emoji": Config(),
    "emoji-frozen": Config(  # features once, some minutes on two cores; then ten seconds a run
        network="packaged/efficientnet_lite0",
        pretrained=True,
        frozen=True,
        views=2,  # each is another pass of the backbone over all training images
        image_size=160,  # the best of 64, 96, 128 and 160 on validation classes
        batch_size=512,
        chunk_size=4096,  # the head is small: all in one pass
        images=32_768,  # with more images the head learns so few classes by heart
        simix=False,  # no better with it in sweep batch-size-frozen, which chose the batch too
        learning_rate=4e-3,
    ),
    "photos": Config(  # a folder of the user's; chosen on validation classes of several folders
        dataset="photos",  # a folder of that name, unless --dataset names another
        network="packaged/efficientnet_lite0",
        pretrained=True,
        frozen=True,
        views=2,
        image_size=224,  # the best of 96, 128, 160 and 224 on the mean of three folders
        batch_size=256,
        chunk_size=4096,
        epochs=40,  # so the length grows with the folder; the longest of those compared
        simix=False,
        learning_rate=3e-4,  # the best of 1e-4, 3e-4, 1e-3 and 4e-3; larger ones harm small folders
    ),
    "emoji-finetuned": Config(  # the whole of that backbone is trained: two minutes on two cores
        network="packaged/efficientnet_lite0",
        pretrained=True,
        image_size=64,  # the size of the drawings; a step costs six times as much at 160
        batch_size=512,
        images=18_432,
        simix=False,
        learning_rate=1e-3,
        evaluations=4,
    ),
    "inaturalist-resnet50": _paper("inaturalist", RESNET50, 90, (40, 70), 1e-4, 200),
    "inaturalist-vit-b32": _paper("inaturalist", VIT_B32, 90, (10, 40, 70), 5e-5, 200),
    "inaturalist-vit-b16": _paper("inaturalist", VIT_B16, 90, (10, 40, 70), 5e-5, 100),
    "sop-resnet50": _paper("sop", RESNET50, 55, (25, 50), 2e-4, 200),
    "sop-vit-b32": _paper("sop", VIT_B32, 55, (25, 50), 5e-5, 200),
    "sop-vit-b16": _paper("sop", VIT_B16, 55, (25, 50), 5e-5, 100),
    "vehicleid-resnet50": _paper("vehicleid", RESNET50, 90, (40, 70), 1e-4, 200),
    "vehicleid-vit-b32": _paper("vehicleid", VIT_B32, 90, (40, 70), 1e-4, 200),
    "vehicleid-vit-b16": _paper("vehicleid", VIT_B16, 90, (40, 70), 5e-5, 100),
    "cars196-resnet50": _paper("cars196", RESNET50, 170, (80, 140), 1e-4, 98, _CARS),
    "cars196-vit-b32": _paper("cars196", VIT_B32, 50, (20, 30, 40), 3e-5, 98, _CARS),
    "cars196-vit-b16": _paper("cars196", VIT_B16, 50, (20, 30, 40), 1e-5, 98, _CARS),
    "cub-resnet50": _paper("cub", RESNET50, 40, (10, 20, 30), 1e-4, 100, _CUB),
    "cub-vit-b32": _paper("cub", VIT_B32, 40, (10, 20, 30), 3e-5, 100, _CUB),
    "cub-vit-b16": _paper("cub", VIT_B16, 40, (10, 20, 30), 1e-5, 100, _CUB),
    # Instances: a folder of landmarks, one sub-folder each. Not in the paper's table.
    "landmarks": Config(
        dataset="landmarks",
        network="resnet101",  # with GeM, the usual network on ROxford and RParis
        pretrained=True,
        embedding_dim=2048,
        image_size=384,  # larger, for small details; images are padded, so the aspect is kept
        simix=False,
        batch_size=4000,
        chunk_size=100,
        images=4_000_000,
        learning_rate=1e-4,
        weight_decay=4e-4,
        rotation=0.0,
        scale=0.0,  # it would change the aspect
        shift=0.05,
        colour=0.2,
        flip=True,
    ),
    "glyphs": Config(  # one GPU, some minutes
        dataset="glyphs",
        batch_size=4096,
        chunk_size=16_384,  # images are small: a batch in one pass
        images=4_000_000,
        simix=False,
        learning_rate=8e-3,  # needs the warm-up: reached in 7 steps, it made every similarity 1
        evaluations=5,
        **_GREY,
    ),
    "glyphs-cpu": Config(  # two cores, about an hour
        dataset="glyphs",
        batch_size=1024,
        images=6_000_000,
        learning_rate=8e-3,
        **_GREY,
    ),
    "glyphs-short": Config(  # two cores, some minutes
        dataset="glyphs",
        batch_size=512,  # like learning_rate the best on validation classes, batch-size-glyphs
        images=200_000,
        learning_rate=4e-3,
        simix=False,
        evaluations=4,
        **_GREY,
    ),
}
