"""Networks that embed images on the unit sphere: backbone → pooling → LayerNorm → Linear → L2.

``build_network`` is the way in. A backbone turns images (B, 3, H, W) into a map of features
(B, C, h, w) or into tokens (B, T, C); a pooling turns those into one vector (B, C); the head turns
that into a unit vector (B, D).
"""

import difflib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recallkit.errors import RecallkitError

Pooling = Literal["auto", "gem", "average", "average+max", "grid", "token"]

_PROBE_SIZE = 64  # pixels; the smallest image that every torchvision family shrinks without error


# --- Pooling and head ---------------------------------------------------------------------------


class GeM(nn.Module):
    """Generalised mean over the places of a feature map, (B, C, h, w) → (B, C).

        GeM(x) = (1/(h·w) · Σ_places max(x, eps)^p)^(1/p)

    p = 1 is the average; p → ∞ the maximum. It is computed in float32 at least: eps^p is no number
    of half precision.

    Args:
        p: the exponent to start from; it is learnt. Default 3: the paper's.
        eps: what smaller and negative features are raised to. Default 1e-6: the paper's; at 0 the
            root would have no slope.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor([p]))
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C)."""
        powers = _at_least_float32(features).clamp(min=self.eps).pow(self.p)
        return powers.mean(dim=(-2, -1)).pow(1 / self.p).to(features.dtype)


class AveragePooling(nn.Module):
    """The mean over the places of a feature map."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C)."""
        return features.mean(dim=(-2, -1))


class AverageMaxPooling(nn.Module):
    """Mean plus maximum over the places: what is everywhere and what is anywhere."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C)."""
        return features.mean(dim=(-2, -1)) + features.amax(dim=(-2, -1))


class GridPooling(nn.Module):
    """Averages over the cells of a 4×4 grid, side by side: what is where.

    For images whose objects are centred and of one size, as drawings are; in photographs, where
    things are anywhere, the poolings that forget the place do better.
    """

    CELLS = 16

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, 16·C)."""
        return F.adaptive_avg_pool2d(features, 4).flatten(1)


class TokenPooling(nn.Module):
    """The class token, which a vision transformer keeps first."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) → (B, C)."""
        return tokens[:, 0]


class TokensAsMap(nn.Module):
    """Patch tokens as a feature map one place wide, so that any pooling of maps takes them.

    Args:
        prefix: how many tokens stand before those of the patches (class and register tokens).
    """

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, prefix + T, C) → (B, C, T, 1)."""
        return tokens[:, self.prefix :].transpose(1, 2).unsqueeze(-1)


class EmbeddingHead(nn.Module):
    """LayerNorm → Linear → L2: a pooled vector to a point of the unit sphere.

    Args:
        features: C, how long the pooled vector is.
        embedding_dim: D, how long the embedding is.
    """

    def __init__(self, features: int, embedding_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.linear = nn.Linear(features, embedding_dim)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, C) → (B, D) of length 1; float32 at least, half precision misses the sphere."""
        return F.normalize(_at_least_float32(self.linear(self.norm(pooled))), dim=1)


class RetrievalNetwork(nn.Module):
    """Backbone, pooling and head in a row.

    Args:
        backbone: images (B, 3, H, W) → whatever ``pooling`` takes.
        pooling: that → (B, features).
        features: C, how long the pooled vector is.
        embedding_dim: D, how long the embedding is.
    """

    def __init__(
        self, backbone: nn.Module, pooling: nn.Module, features: int, embedding_dim: int
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.head = EmbeddingHead(features, embedding_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) → unit vectors (B, D)."""
        return self.head(self.pooling(self.backbone(images)))


class SmallConvNet(RetrievalNetwork):
    """Three convolutions for images of 32 pixels: 359,840 parameters, a laptop CPU trains it.

    Each is 3×3 with stride 2, then GroupNorm and ReLU: 32 pixels → 16 → 8 → 4. GroupNorm knows no
    batch, so the chunks of a large batch give what the whole would.

    Args:
        embedding_dim: D. Default 128: enough for 1,400 classes of emoji.
        widths: channels after each convolution, multiples of 8 (a group of GroupNorm is an eighth
            of them). Default (32, 64, 128).
        pooling: "grid", "average+max", "average" or "gem". Default "grid": drawings are centred,
            and on validation classes a fourth convolution with "average+max" found fewer.

    Raises:
        ValueError: a width that is no multiple of 8, or a pooling that is none of these.
    """

    def __init__(
        self,
        embedding_dim: int = 128,
        widths: Sequence[int] = (32, 64, 128),
        pooling: Pooling = "grid",
    ) -> None:
        if not widths or any(width < 8 or width % 8 for width in widths):
            raise ValueError(f"widths must be multiples of 8, not {tuple(widths)}")
        blocks = [
            _convolution_block(before, after)
            for before, after in zip((3, *widths), widths, strict=False)
        ]
        pool = GridPooling() if pooling == "grid" else _pooling_of_maps(pooling)
        features = widths[-1] * (GridPooling.CELLS if pooling == "grid" else 1)
        super().__init__(nn.Sequential(*blocks), pool, features, embedding_dim)


def _convolution_block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1, bias=False),
        nn.GroupNorm(8, after),
        nn.ReLU(),
    )


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


# --- Building by name ---------------------------------------------------------------------------


def build_network(
    name: str,
    embedding_dim: int | None = None,
    pooling: Pooling = "auto",
    pretrained: bool | str | Path = False,
    freeze_bn: bool = True,
) -> nn.Module:
    """A network by its name.

    Args:
        name: "small" (``SmallConvNet``); "resnet50" or "torchvision/resnet50", any classification
            network of torchvision that ends in one feature map or in a class token; "timm/NAME",
            any network of timm.
        embedding_dim: D. Default: 512 as in the paper; 128 for "small".
        pooling: "gem", "average", "average+max", or "token" (the class token after the final
            norm). Default "auto": the paper's choice, GeM for feature maps and the class token
            where there is one, the average of the tokens where there is none; "grid" for
            "small".
        pretrained: True: ImageNet weights as published by torchvision or timm, which needs the
            network once. A path: the backbone's state dict, ``.safetensors`` or one that
            ``torch.load`` reads with ``weights_only=True``; entries for a classifier are not
            used. Default False: random weights.
        freeze_bn: apply ``freeze_batch_norm``. Default True: as the paper does, and as
            ``LargeBatchStep`` demands. Without pretrained weights the statistics then stay at
            mean 0 and variance 1.

    Returns:
        A module from normalised images (B, 3, H, W) to unit vectors (B, D). Vision transformers
        take images of one size only, mostly 224 × 224.

    Raises:
        ValueError: an unknown name (with the nearest known ones), a pooling that the backbone
            does not allow, an embedding_dim below 1.
        RecallkitError: weights that cannot be had or do not fit; timm is not installed.
    """
    if embedding_dim is not None and embedding_dim < 1:
        raise ValueError(f"embedding_dim must be at least 1, not {embedding_dim}")
    if name == "small":
        return _small(embedding_dim or 128, pooling, pretrained)
    source, _, model_name = name.rpartition("/")
    if source not in ("", "torchvision", "timm"):
        raise ValueError(
            f'name must be "small", "NAME", "torchvision/NAME" or "timm/NAME": {name!r}'
        )
    build_backbone = _timm_backbone if source == "timm" else _torchvision_backbone
    backbone, image_size, prefix = build_backbone(model_name, pretrained is True)
    if not isinstance(pretrained, bool):
        _load_backbone(backbone, Path(pretrained))
    features = _probe(backbone, image_size, name)
    pool = _pooling_of_tokens(pooling, prefix) if features.ndim == 3 else _pooling_of_maps(pooling)
    width = features.shape[2] if features.ndim == 3 else features.shape[1]
    network = RetrievalNetwork(backbone, pool, width, embedding_dim or 512)
    return freeze_batch_norm(network) if freeze_bn else network


def freeze_batch_norm(network: nn.Module) -> nn.Module:
    """Fix the statistics of every BatchNorm; scale and shift are still trained.

    The layers stay in evaluation mode whatever ``network.train()`` says, so that the embedding of
    an image depends neither on its batch nor on the chunk it is computed in.

    Returns:
        The same network, changed in place.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
            module.train = partial(_remain_in_evaluation, module)
    return network


def _remain_in_evaluation(module: nn.Module, mode: bool = True) -> nn.Module:
    return module


def _small(embedding_dim: int, pooling: Pooling, pretrained: bool | str | Path) -> SmallConvNet:
    if pretrained is not False:
        raise ValueError('pretrained must be False for "small": there are no published weights')
    return SmallConvNet(embedding_dim, pooling="grid" if pooling == "auto" else pooling)


def _pooling_of_maps(pooling: Pooling) -> nn.Module:
    kinds = {
        "auto": GeM,
        "gem": GeM,
        "average": AveragePooling,
        "average+max": AverageMaxPooling,
    }
    if pooling not in kinds:
        raise ValueError(
            f"pooling must be one of {', '.join(kinds)} for a feature map, not {pooling!r}"
        )
    return kinds[pooling]()


def _pooling_of_tokens(pooling: Pooling, prefix: int) -> nn.Module:
    if pooling == "auto":
        pooling = "token" if prefix else "average"
    if pooling == "token" and prefix:
        return TokenPooling()
    return nn.Sequential(TokensAsMap(prefix), _pooling_of_maps(pooling))


@torch.no_grad()
def _probe(backbone: nn.Module, image_size: int, name: str) -> Tensor:
    """What the backbone makes of one black image: a map (1, C, h, w) or tokens (1, T, C)."""
    try:
        features = backbone.eval()(torch.zeros(1, 3, image_size, image_size))
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(_cannot_be_cut(name)) from error
    finally:
        backbone.train()
    if features.ndim not in (3, 4):
        raise ValueError(_cannot_be_cut(name))
    return features


def _cannot_be_cut(name: str) -> str:
    return (
        f"name {name!r} is a network without one last feature map or row of tokens: take another "
        f"of its family, or its namesake in timm"
    )


# --- torchvision --------------------------------------------------------------------------------


def _torchvision_backbone(name: str, pretrained: bool) -> tuple[nn.Module, int, int]:
    """The backbone, the size of image it can take, and how many tokens stand before the patches."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(_unknown_name(name, [*known, "small"], "timm/… and any torchvision name"))
    # The first set of weights is the one of the publications, which the paper started from.
    weights = next(iter(models.get_model_weights(name))) if pretrained else None
    model = _fetched(partial(models.get_model, name, weights=weights), name, pretrained)
    if hasattr(model, "class_token"):
        return _Tokens(model), model.image_size, 1
    return _until_the_pooling(model), _PROBE_SIZE, 0


class _Tokens(nn.Module):
    """A vision transformer of torchvision up to its final norm, (B, 3, H, W) → (B, 1 + T, C)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        from torchvision.models.feature_extraction import create_feature_extractor

        self.trunk = create_feature_extractor(model, ["encoder.ln"])

    def forward(self, images: Tensor) -> Tensor:
        return self.trunk(images)["encoder.ln"]


def _until_the_pooling(model: nn.Module) -> nn.Sequential:
    """The layers before the global pooling, under their own names: (B, 3, H, W) → (B, C, h, w)."""
    layers = OrderedDict()
    for name, layer in model.named_children():
        if name in ("avgpool", "classifier", "fc"):
            break
        layers[name] = layer
    if type(model).__name__ == "DenseNet":  # applies this one in its forward, not as a layer
        layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


# --- timm ---------------------------------------------------------------------------------------


def _timm_backbone(name: str, pretrained: bool) -> tuple[nn.Module, int, int]:
    """The backbone, the size of image it can take, and how many tokens stand before the patches."""
    try:
        import timm
    except ImportError as error:
        raise RecallkitError(f'the network "timm/{name}" needs timm: pip install timm') from error
    if not timm.is_model(name):
        raise ValueError(_unknown_name(name, timm.list_models(), "timm.list_models() names them"))
    build = partial(timm.create_model, name, pretrained, num_classes=0, global_pool="")
    model = _fetched(build, f"timm/{name}", pretrained)
    has_class_token = getattr(model, "cls_token", None) is not None
    prefix = getattr(model, "num_prefix_tokens", 1) if has_class_token else 0
    return _TimmFeatures(model), model.pretrained_cfg["input_size"][-1], prefix


class _TimmFeatures(nn.Module):
    """A network of timm without its head, (B, 3, H, W) → (B, C, h, w) or (B, T, C)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.trunk = model
        self.channels_last = getattr(model, "output_fmt", None) == "NHWC"  # Swin and its kin

    def forward(self, images: Tensor) -> Tensor:
        features = self.trunk.forward_features(images)
        return features.permute(0, 3, 1, 2) if self.channels_last else features


# --- Names and weights --------------------------------------------------------------------------


def _unknown_name(name: str, known: Iterable[str], where: str) -> str:
    near = difflib.get_close_matches(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are small, {where}"
    return f"name {name!r} is no network: {hint}"


def _fetched(build: Callable[[], nn.Module], name: str, pretrained: bool) -> nn.Module:
    if not pretrained:
        return build()
    try:
        return build()
    except Exception as error:  # each hub and proxy fails in its own way
        raise RecallkitError(
            f"the published weights of {name} cannot be had ({error}): connect to the network "
            f"once, or download them elsewhere and give the path of the file as pretrained"
        ) from error


def _load_backbone(backbone: nn.Module, path: Path) -> None:
    model = getattr(backbone, "trunk", backbone)
    state = _state_dict(path)
    missing = [key for key in model.state_dict() if key not in state]
    if missing:
        raise RecallkitError(
            f"{path} does not fit: it lacks {len(missing)} entries of this network, the first is "
            f"{missing[0]}. Use the weights of the same architecture, with its own names of layers"
        )
    try:
        model.load_state_dict({key: state[key] for key in model.state_dict()})
    except RuntimeError as error:
        raise RecallkitError(f"{path} does not fit this network: {error}") from error


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        return state.get("state_dict", state)
    except FileNotFoundError as error:
        raise RecallkitError(f"there is no file of weights at {path}") from error
    except Exception as error:  # a damaged file fails in many ways, and one that is no state dict
        raise RecallkitError(
            f"{path} cannot be read as weights ({error}): save a state dict, by torch.save or "
            f"safetensors"
        ) from error
