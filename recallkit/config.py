"""Every setting of a training, flat, with its reason; and the sets of settings worth a name."""

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
    """All that decides what a training does, and nothing that does not.

    The same config, seed and number of CPU threads give the same weights on the same machine.
    """

    dataset: str = "emoji"
    """Name of an embedded data set or of a benchmark, or a folder with one sub-folder a class."""
    root: str = ""
    """The folder that holds a benchmark; `recallkit prepare NAME --root DIR` checks it."""
    network: str = "small"
    """"small", or a backbone of torchvision ("resnet50"), of timm ("timm/vit_base_patch32_224"), or
    with weights in a Python package ("packaged/efficientnet_lite0")."""
    pretrained: bool = False
    """Start the backbone from published weights."""
    weights: str = ""
    """Start it from the weights in this file instead: no network is needed."""
    frozen: bool = False
    """Train the head alone, on features of the backbone computed once."""
    views: int = 8
    """With frozen: augmented copies of each training image whose features are kept; each time an
    image is seen one of them is drawn."""
    embedding_dim: int = 256
    """D. More costs little beside the convolutions."""
    image_size: int = 32
    """Side of the square that the network sees, in pixels."""

    ks: tuple[int, ...] = PAPERS_KS
    """The cut-offs of the loss; the paper's."""
    k_temperature: float = 1.0
    """τ₁, in ranks; the paper's."""
    rank_temperature: float = 0.01
    """τ₂, in similarities; the paper's."""
    query_in_database: bool = False
    """Let a query compete in its own ranking, as the released code does."""
    simix: bool = True
    """Add a virtual example for each pair of a class (similarity mixup)."""
    loss: Loss = "recall@k"
    """What is made small: RS@k, a peer or a variant of it; see recallkit.training.build."""
    proxy_rate: float = 100.0
    """Rate of a loss' own parameters over learning_rate; as the authors of ProxyAnchor have it."""

    batch_size: int = 128
    """Images a step."""
    per_class: int = 4
    """Images of a class in a batch; the paper's."""
    chunk_size: int | Literal["auto"] = 512
    """Images a forward pass: memory, not results, depends on it. "auto": what fits the card."""
    keep_graphs_gb: float = 0.0
    """GB (10⁹ bytes) of spare memory in which chunks keep their graphs, to be run only once."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the network's products (autocast); float16 with a scaled loss. The loss has float32."""
    images: int = 260_000
    """Images seen in the whole training; steps are this over the batch size."""
    epochs: int = 0
    """How often the training images are gone through. 0: as ``images`` says."""

    learning_rate: float = 3e-3
    """The peak."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """Adam adds the decay to the gradient; AdamW takes it from the weights."""
    weight_decay: float = 1e-4
    """On weights with two or more dimensions only."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises from 0; after it, half a cosine down to 0."""
    warmup_steps: int = 15
    """At least so many, though no more than a third: large batches leave few steps, and reached in
    two or three the peak makes all images alike. Without effect if ``warmup`` is 0."""
    clip_norm: float | None = None
    """Longest gradient, all parameters together; longer ones are scaled to it. None: any."""
    milestones: tuple[int, ...] = ()
    """Instead of the cosine: epochs after which the rate falls; needs ``epochs``."""
    decay: float = 0.3
    """What the rate is multiplied with at each milestone; the paper's."""

    rotation: float = 15.0
    """Augmentation: largest angle, degrees."""
    scale: float = 0.2
    """Augmentation: largest change of size."""
    shift: float = 0.08
    """Augmentation: largest shift, share of the side."""
    colour: float = 0.3
    """Augmentation: largest change of contrast of each colour."""
    crop: float = 1.0
    """Augmentation: smallest share of the area to crop to, of sides up to 4:3; 1: no cropping."""
    flip: bool = False
    """Augmentation: mirror half of the images."""

    evaluations: int = 10
    """How often the validation classes are looked at, evenly spread, the last at the end."""
    evaluation_epochs: int | None = None
    """Look after every so many epochs instead, and at the end."""
    seed: int = 0
    """Of weights, batches and augmentation. The split of the classes is fixed."""

    def __post_init__(self) -> None:
        check_ks(self.ks)
        check_temperature(self.k_temperature, "k_temperature")
        check_temperature(self.rank_temperature, "rank_temperature")
        check_chunk_size(self.chunk_size)
        if self.loss not in get_args(Loss):
            raise ValueError(f"loss must be one of {get_args(Loss)}, not {self.loss!r}")
        if not self.proxy_rate > 0:
            raise ValueError(f"proxy_rate must be above 0, not {self.proxy_rate}")
        if self.frozen and self.network == "small":
            raise ValueError(
                'frozen needs a backbone whose features are worth keeping, not network "small": '
                "add --network packaged/efficientnet_lite0 --pretrained"
            )
        for name in ("embedding_dim", "image_size", "batch_size", "evaluations", "views"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("clip_norm", "evaluation_epochs"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, or None, not {value}")
        if self.warmup_steps < 0:
            raise ValueError(f"warmup_steps must be at least 0, not {self.warmup_steps}")
        if self.keep_graphs_gb < 0:
            raise ValueError(f"keep_graphs_gb must be at least 0, not {self.keep_graphs_gb}")
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop must be above 0 and at most 1, not {self.crop}")
        if any(not 0 < epoch < self.epochs for epoch in self.milestones):
            raise ValueError(
                f"milestones must lie between 0 and epochs = {self.epochs}, not {self.milestones}"
            )
        if not self.epochs and self.images < self.batch_size:
            raise ValueError(
                f"images must be at least batch_size = {self.batch_size}, not {self.images}"
            )


def config_from(values: Mapping[str, Any]) -> Config:
    """The settings that JSON holds: its lists are tuples here.

    Raises:
        TypeError: a setting that there is not.
        ValueError: a value that it cannot have.
    """
    return Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


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
    """A row of the paper's schedule table; what all rows share is said here."""
    return Config(
        dataset=dataset,
        network=network,
        pretrained=True,  # ImageNet for ResNet-50, ImageNet-21k for the transformers
        embedding_dim=512,  # 128 was reported too, for ResNet-50
        image_size=224,
        query_in_database=True,  # as released; without, it is the benchmarks' own definition
        simix=False,  # the rows without; with it the paper takes longer ks, from memory up to 32
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


# Batches of Cars196 and CUB hold four images of each class that trains: two classes validate.
_CARS, _CUB = 4 * 96, 4 * 98


# Augmentation of glyphs, which are of one size and without colours.
_GREY: dict[str, Any] = {"rotation": 8.0, "scale": 0.1, "shift": 0.05, "colour": 0.0}


PRESETS: dict[str, Config] = {
    "emoji": Config(),
    "emoji-frozen": Config(  # features once, in a few minutes on two cores; then ten seconds a run
        network="packaged/efficientnet_lite0",
        pretrained=True,
        frozen=True,
        views=2,  # each is another pass of the backbone over all training images
        image_size=160,  # of 64, 96, 128 and 160 the best on validation classes
        batch_size=512,
        chunk_size=4096,  # the head is small: all in one pass
        images=32_768,  # with more a head learns so few classes by heart
        simix=False,  # as rate and batch by sweep batch-size-frozen, where SiMix is no better
        learning_rate=4e-3,
    ),
    "emoji-finetuned": Config(  # the same backbone trained as a whole: two minutes on two cores
        network="packaged/efficientnet_lite0",
        pretrained=True,
        image_size=64,  # that of the drawings; a step costs six times as much at 160
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
    # Instance level: a folder of landmarks, one sub-folder each. Not of the paper's table.
    "landmarks": Config(
        dataset="landmarks",
        network="resnet101",  # with GeM, as the networks that ROxford and RParis are known by
        pretrained=True,
        embedding_dim=2048,
        image_size=384,  # larger, for small things; fitted into the square, so the aspect is kept
        simix=False,
        batch_size=4000,
        chunk_size=100,
        images=4_000_000,
        learning_rate=1e-4,
        weight_decay=4e-4,
        rotation=0.0,
        scale=0.0,  # would change the aspect
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
        learning_rate=8e-3,  # needs its warm-up: reached in 7 steps, every similarity became 1
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
        batch_size=512,  # as the rate: the best on validation classes of sweep batch-size-glyphs
        images=200_000,
        learning_rate=4e-3,
        simix=False,
        evaluations=4,
        **_GREY,
    ),
}
