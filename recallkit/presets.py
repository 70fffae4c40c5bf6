"""Every setting of a training, flat, with its reason; and the sets of settings worth a name."""

from dataclasses import dataclass

from recallkit.checks import check_ks, check_temperature


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

    batch_size: int = 128
    """Images a step."""
    per_class: int = 4
    """Images of a class in a batch; the paper's."""
    chunk_size: int = 512
    """Images a forward pass: memory, not results, depends on it."""
    images: int = 260_000
    """Images seen in the whole training; steps are this over the batch size."""

    learning_rate: float = 3e-3
    """The peak, of AdamW."""
    weight_decay: float = 1e-4
    """Decoupled, on weights with two or more dimensions only."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises from 0; after it, half a cosine down to 0."""

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
    seed: int = 0
    """Of weights, batches and augmentation. The split of the classes is fixed."""

    def __post_init__(self) -> None:
        check_ks(self.ks)
        check_temperature(self.k_temperature, "k_temperature")
        check_temperature(self.rank_temperature, "rank_temperature")
        for name in ("embedding_dim", "image_size", "batch_size", "chunk_size", "evaluations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.images < self.batch_size:
            raise ValueError(
                f"images must be at least batch_size = {self.batch_size}, not {self.images}"
            )


PRESETS: dict[str, Config] = {
    "emoji": Config(),
    "glyphs": Config(  # one GPU, about ten minutes
        dataset="glyphs",
        batch_size=1024,
        chunk_size=1024,
        images=12_000_000,
        learning_rate=8e-3,  # needs its warm-up: reached in 7 steps, every similarity became 1
        rotation=8.0,
        scale=0.1,  # of what is already of one size
        shift=0.05,
        colour=0.0,  # the images are grey
    ),
    "glyphs-cpu": Config(  # two cores, about an hour
        dataset="glyphs",
        batch_size=1024,
        images=6_000_000,
        learning_rate=8e-3,
        rotation=8.0,
        scale=0.1,
        shift=0.05,
        colour=0.0,
    ),
}
