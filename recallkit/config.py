"""Every setting of a training, flat, each with its reason; and presets: settings with a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from recallkit.checks import check_chunk_size, check_ks, check_temperature
from recallkit.constants import PAPERS_KS

Loss = Literal[
    "recall@k",
    "smooth-ap",
    "contrastive",
    "triplet",
    "multi-similarity",
    "nt-xent",
    "circle",
    "proxy-anchor",
    "recall@k-no-cap",
    "recall@k-over-positives",
    "recall@k-over-k",
]


@dataclass(frozen=True)
class Config:
    """Everything that decides what a training does, and nothing else.

    The same config, seed and number of CPU threads give the same weights on the same machine.

    Raises:
        ValueError: for a value that cannot work; the message names the setting.
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
    views: int = 8
    """With frozen: augmented copies of each training image whose features are computed. Each time
    an image is seen, one of them is drawn. More copies cost time once, and vary the images more."""
    embedding_dim: int = 256
    """Length D of an embedding. A longer one costs little beside the convolutions."""
    image_size: int = 32
    """Side of the square that the network sees, in pixels."""

    ks: tuple[int, ...] = PAPERS_KS
    """Cut-offs k of the loss; the paper's."""
    k_temperature: float = 1.0
    """Temperature τ₁ of the comparison of a rank with k, in ranks; the paper's."""
    rank_temperature: float = 0.01
    """Temperature τ₂ of the comparison of two similarities; the paper's."""
    query_in_database: bool = False
    """Let a query compete in its own ranking, as the released code does. Benchmarks do not."""
    simix: bool = True
    """Add a virtual example for each pair of a class (similarity mixup)."""
    loss: Loss = "recall@k"
    """RS@k, SmoothAP, a baseline loss of pytorch-metric-learning, or a variant of RS@k."""
    proxy_rate: float = 100.0
    """Learning rate of a loss's own parameters, as a multiple of learning_rate. Default 100: the
    choice of ProxyAnchor's authors."""

    batch_size: int = 128
    """Images a step."""
    per_class: int = 4
    """Images of each class in a batch; the paper's."""
    chunk_size: int | Literal["auto"] = 512
    """Images a forward pass. It decides the memory that a step needs, not its result. "auto" takes
    the largest chunk that fits the GPU."""
    keep_graphs_gb: float = 0.0
    """Spare memory in GB (10⁹ bytes). Chunks whose graphs fit into it run once instead of twice."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type of the network's matrix products (autocast). float16 scales the loss. The loss itself is
    always computed in float32."""
    images: int = 260_000
    """Images seen in the whole training. The number of steps is this over the batch size."""
    epochs: int = 0
    """Passes through the training images. 0: ``images`` decides how long the training is."""

    learning_rate: float = 3e-3
    """Peak learning rate, reached at the end of the warm-up."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """AdamW shrinks the weights themselves; Adam adds the weight decay to the gradient."""
    weight_decay: float = 1e-4
    """Weight decay, only of weights with two or more dimensions: biases and scales are free."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises from 0. After it, half a cosine brings it
    down to 0. 0: no warm-up."""
    warmup_steps: int = 15
    """Warm up for at least so many steps, but no more than a third of all. Large batches leave few
    steps, and a peak reached in two or three of them makes all images alike."""
    clip_norm: float | None = None
    """Largest norm of the gradient of all parameters together; a longer one is scaled down to it.
    None: no limit."""
    milestones: tuple[int, ...] = ()
    """Epochs after which the learning rate falls, instead of the cosine; needs ``epochs``."""
    decay: float = 0.3
    """Factor of the learning rate at each milestone; the paper's."""

    rotation: float = 15.0
    """Augmentation: largest angle, in degrees."""
    scale: float = 0.2
    """Augmentation: largest change of size, as a share of the size."""
    shift: float = 0.08
    """Augmentation: largest shift, as a share of the side."""
    colour: float = 0.3
    """Augmentation: largest change of contrast of each colour, as a share of the contrast."""
    crop: float = 1.0
    """Augmentation: smallest share of the area to crop to, with sides up to 4:3. 1: no cropping."""
    flip: bool = False
    """Augmentation: mirror half of the images. Not for drawings in which left and right differ."""

    evaluations: int = 10
    """How often the validation classes are evaluated: evenly spread, the last one at the end."""
    evaluation_epochs: int | None = None
    """Evaluate after every so many epochs instead, and at the end."""
    seed: int = 0
    """Seed of weights, batches and augmentation. The split of the classes is fixed."""

    def __post_init__(self) -> None:
        check_ks(self.ks)
        check_temperature(self.k_temperature, "k_temperature")
        check_temperature(self.rank_temperature, "rank_temperature")
        check_chunk_size(self.chunk_size)
        self._check_choices()
        self._check_ranges()
        self._check_length()

    def _check_choices(self) -> None:
        if self.loss not in get_args(Loss):
            raise ValueError(f"loss must be one of {get_args(Loss)}, not {self.loss!r}")
        if self.frozen and self.network == "small":
            raise ValueError(
                'frozen needs a backbone whose features are worth keeping, not network "small": '
                "add --network packaged/efficientnet_lite0 --pretrained"
            )

    def _check_ranges(self) -> None:
        for name in ("embedding_dim", "image_size", "batch_size", "evaluations", "views"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        for name in ("clip_norm", "evaluation_epochs"):
            value = getattr(self, name)
            self._check(name, value is None or value > 0, "above 0, or None")
        for name in ("warmup_steps", "keep_graphs_gb", "epochs"):
            self._check(name, getattr(self, name) >= 0, "at least 0")
        self._check("proxy_rate", self.proxy_rate > 0, "above 0")
        self._check("crop", 0 < self.crop <= 1, "above 0 and at most 1")

    def _check_length(self) -> None:
        if any(not 0 < epoch < self.epochs for epoch in self.milestones):
            raise ValueError(
                f"milestones must lie between 0 and epochs = {self.epochs}, not {self.milestones}"
            )
        if not self.epochs and self.images < self.batch_size:
            raise ValueError(
                f"images must be at least batch_size = {self.batch_size}, not {self.images}"
            )

    def _check(self, name: str, holds: bool, condition: str) -> None:
        if not holds:
            raise ValueError(f"{name} must be {condition}, not {getattr(self, name)}")

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


def config_from(values: Mapping[str, Any]) -> Config:
    """Make a Config from what JSON holds; lists become tuples.

    Raises:
        TypeError: for a setting that does not exist.
        ValueError: for a value that the setting cannot have.
    """
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Config(**settings)


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
