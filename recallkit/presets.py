"""Every setting of a training, flat, with its reason; and the sets of settings worth a name."""

from dataclasses import dataclass
from typing import Literal, get_args

from recallkit.checks import check_ks, check_temperature
from recallkit.large_batch import check_chunk_size

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
    """Name of an embedded data set, or a folder with one sub-folder of images a class."""
    network: str = "small"
    """"small", or a backbone of torchvision ("resnet50") or timm ("timm/vit_base_patch32_224")."""
    pretrained: bool = False
    """Start the backbone from published weights."""
    embedding_dim: int = 256
    """D. More costs little beside the convolutions."""
    image_size: int = 32
    """Side of the square that the network sees, in pixels."""

    ks: tuple[int, ...] = (1, 2, 4, 8, 16)
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
    """What is made small: RS@k, a peer or a variant of it; see recallkit.loss_choice."""
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

    learning_rate: float = 3e-3
    """The peak, of AdamW."""
    weight_decay: float = 1e-4
    """Decoupled, on weights with two or more dimensions only."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises from 0; after it, half a cosine down to 0."""
    clip_norm: float | None = None
    """Longest gradient, all parameters together; longer ones are scaled to it. None: any."""

    rotation: float = 15.0
    """Augmentation: largest angle, degrees."""
    scale: float = 0.2
    """Augmentation: largest change of size."""
    shift: float = 0.08
    """Augmentation: largest shift, share of the side."""
    colour: float = 0.3
    """Augmentation: largest change of contrast of each colour."""
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
        for name in ("embedding_dim", "image_size", "batch_size", "evaluations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("clip_norm", "evaluation_epochs"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, or None, not {value}")
        if self.keep_graphs_gb < 0:
            raise ValueError(f"keep_graphs_gb must be at least 0, not {self.keep_graphs_gb}")
        if self.images < self.batch_size:
            raise ValueError(
                f"images must be at least batch_size = {self.batch_size}, not {self.images}"
            )


PRESETS: dict[str, Config] = {
    "emoji": Config(),
}
