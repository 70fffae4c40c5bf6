import copy
import io
import subprocess
import sys
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from recallkit.data.transforms import normalise
from recallkit.errors import RecallkitError
from recallkit.networks import (
    AverageMaxPooling,
    EmbeddingHead,
    GeM,
    GridPooling,
    SmallConvNet,
    TokenPooling,
    build_network,
    freeze_batch_norm,
)


def images(n=2, size=64, seed=0):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def parameter_count(network):
    return sum(p.numel() for p in network.parameters())


def assert_unit(embeddings, shape):
    assert embeddings.shape == shape
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(shape[0]), atol=1e-5)


# Pooling and head


def test_gem_is_the_generalised_mean():
    features = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    expected = (features**3).sum(dim=(2, 3)).div(20) ** (1 / 3)
    assert torch.allclose(GeM()(features), expected, atol=1e-12)
    assert torch.allclose(GeM(p=1.0)(features), features.mean(dim=(2, 3)), atol=1e-12)
    assert torch.allclose(GeM(p=300.0)(features), features.amax(dim=(2, 3)), rtol=0.02)


def test_gem_learns_its_exponent():
    pooling = GeM()
    features = torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    pooling(features).sum().backward()
    assert pooling.p.grad.abs() > 0
    pooling.double()
    assert torch.autograd.gradcheck(pooling, features)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_gem_is_finite_where_nothing_is_active(dtype):
    features = torch.zeros(1, 2, 3, 3, dtype=dtype, requires_grad=True)
    pooled = GeM()(features)
    pooled.sum().backward()
    assert pooled.dtype == dtype
    assert pooled.isfinite().all()
    assert features.grad.isfinite().all()


def test_average_max_and_token_pooling():
    features = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert AverageMaxPooling()(features).tolist() == [[9.0]]
    assert TokenPooling()(torch.arange(12.0).view(1, 3, 4)).tolist() == [[0.0, 1.0, 2.0, 3.0]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_head_puts_on_the_unit_sphere(dtype):
    embeddings = EmbeddingHead(6, 4).to(dtype)(torch.randn(5, 6, dtype=dtype))
    assert embeddings.dtype == torch.promote_types(dtype, torch.float32)
    assert_unit(embeddings.float(), (5, 4))


# The small network


def test_small_network():
    network = build_network("small")
    assert isinstance(network, SmallConvNet)
    assert parameter_count(network) == 359_840
    assert_unit(network(images(size=32)), (2, 128))
    assert_unit(build_network("small", 16, pooling="gem")(images(size=48)), (2, 16))
    assert_unit(SmallConvNet(8, widths=(8, 16))(images(size=32)), (2, 8))


def test_grid_pooling_keeps_the_place():
    features = torch.arange(2 * 64.0).reshape(1, 2, 8, 8)
    pooled = GridPooling()(features).reshape(2, 4, 4)
    for c, y, x in [(0, 0, 0), (1, 3, 2)]:
        cell = features[0, c, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        assert pooled[c, y, x] == cell.mean()


def test_small_network_does_not_mix_images():
    network, batch = SmallConvNet().train(), images(5, 32)
    one_by_one = torch.cat([network(image[None]) for image in batch])
    assert torch.allclose(network(batch), one_by_one, atol=1e-5)


# torchvision


def test_resnet50_is_the_network_of_the_paper():
    network = build_network("resnet50")
    assert parameter_count(network) == 24_561_217
    assert isinstance(network.pooling, GeM)
    assert_unit(network(images()), (2, 512))


LOGITS = {  # what the network makes of its pooled features, in the layers after the cut
    "resnet18": lambda m, x: m.fc(x.mean((2, 3))),
    "efficientnet_b0": lambda m, x: m.classifier(x.mean((2, 3))),
    "densenet121": lambda m, x: m.classifier(x.mean((2, 3))),
    "convnext_tiny": lambda m, x: m.classifier(x.mean((2, 3), keepdim=True)),
    "swin_t": lambda m, x: m.head(x.mean((2, 3))),
    "mobilenet_v3_small": lambda m, x: m.classifier(x.mean((2, 3))),
    "regnet_y_400mf": lambda m, x: m.fc(x.mean((2, 3))),
    "shufflenet_v2_x0_5": lambda m, x: m.fc(x.mean((2, 3))),
    "squeezenet1_1": lambda m, x: m.classifier(x).mean((2, 3)),
}


@pytest.mark.parametrize("name", LOGITS)
def test_torchvision_backbones_are_cut_before_the_pooling(name, monkeypatch):
    from torchvision import models

    whole = models.get_model(name, weights=None).eval()
    monkeypatch.setattr(models, "get_model", lambda *_, **__: whole)
    network = build_network(f"torchvision/{name}", embedding_dim=32).eval()
    with torch.no_grad():
        batch = images()
        assert torch.allclose(LOGITS[name](whole, network.backbone(batch)), whole(batch), atol=1e-5)
        assert_unit(network(batch), (2, 32))


def test_torchvision_vision_transformer_gives_its_class_token(monkeypatch):
    from torchvision import models

    whole = models.vit_b_32(weights=None, num_classes=7).eval()
    nn.init.normal_(whole.heads.head.weight)  # zero by default
    monkeypatch.setattr(models, "get_model", lambda *_, **__: whole)
    network = build_network("vit_b_32").eval()
    with torch.no_grad():
        batch = images(1, 224)
        token = network.pooling(network.backbone(batch))
        assert torch.allclose(whole.heads(token), whole(batch), atol=1e-4)
        assert_unit(network(batch), (1, 512))
    assert parameter_count(network) == 87_455_232 + 2 * 768 + 768 * 512 + 512


@pytest.mark.parametrize("name", ["maxvit_t", "torchvision/maxvit_t"])
def test_torchvision_networks_without_a_last_map_are_refused(name):
    with pytest.raises(ValueError, match="without one last feature map"):
        build_network(name)


# timm


@pytest.mark.parametrize(
    ("name", "pooling", "size"),
    [
        ("resnet10t", GeM, 64),
        ("convnext_atto", GeM, 64),
        ("swin_tiny_patch4_window7_224", GeM, 224),
        ("vit_tiny_patch16_224", TokenPooling, 224),
        ("mixer_s32_224", nn.Sequential, 224),
    ],
)
def test_timm_backbones(name, pooling, size):
    network = build_network(f"timm/{name}", embedding_dim=32).eval()
    assert isinstance(network.pooling, pooling)
    with torch.no_grad():
        assert_unit(network(images(1, size)), (1, 32))


def test_timm_class_token_is_that_of_timm():
    network = build_network("timm/vit_tiny_patch16_224").eval()
    network.backbone.trunk.global_pool = "token"
    batch = images(1, 224)
    with torch.no_grad():
        assert torch.allclose(
            network.pooling(network.backbone(batch)), network.backbone.trunk(batch)
        )


def test_patch_tokens_can_be_pooled_without_the_class_token():
    network = build_network("timm/vit_tiny_patch16_224", pooling="average").eval()
    with torch.no_grad():
        tokens = network.backbone(images(1, 224))
    assert torch.allclose(network.pooling(tokens), tokens[:, 1:].mean(dim=1), atol=1e-6)


def test_without_timm_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(RecallkitError, match=r"pip install \"recallkit\[train\]\""):
        build_network("timm/resnet10t")


# BatchNorm


def batch_norms(network):
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", ["resnet18", "timm/resnet10t"])
def test_batch_norm_statistics_are_frozen_and_its_affine_part_is_trained(name):
    network = build_network(name, embedding_dim=8).train()
    assert network.training
    assert batch_norms(network)
    assert not any(layer.training for layer in batch_norms(network))
    before = [layer.running_mean.clone() for layer in batch_norms(network)]
    network(images()).sum().backward()
    after = [layer.running_mean for layer in batch_norms(network)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(layer.weight.grad is not None for layer in batch_norms(network))


def test_freezing_survives_copies_and_files():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    freeze_batch_norm(network)
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    for other in (copy.deepcopy(network), torch.load(file, weights_only=False)):
        other.train()
        assert not other[1].training
        assert other[1].train() is other[1]
        assert other[1] is not network[1]


def test_freezing_can_be_switched_off():
    network = build_network("resnet18", freeze_bn=False).train()
    assert all(layer.training for layer in batch_norms(network))


# Names and weights


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet5"}, "resnet50"),
        ({"name": "smal"}, "small"),
        ({"name": "torchvision/resnet_50"}, "resnet50"),
        ({"name": "timm/resnet5"}, "resnet50"),
        ({"name": "hub/resnet50"}, "timm/NAME"),
        ({"name": "?"}, "known are small"),
        ({"name": "small", "embedding_dim": 0}, "embedding_dim"),
        ({"name": "small", "pretrained": True}, "pretrained"),
        ({"name": "small", "pooling": "token"}, "pooling"),
        ({"name": "small", "pooling": "median"}, "pooling"),
        ({"name": "resnet18", "pooling": "token"}, "pooling"),
        ({"name": "timm/mixer_s32_224", "pooling": "token"}, "pooling"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_network(**arguments)


def test_wrong_widths_are_refused():
    with pytest.raises(ValueError, match="widths"):
        SmallConvNet(widths=(32, 60))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", ["resnet18", "timm/resnet10t"])
def test_weights_come_from_a_file(name, suffix, tmp_path):
    source = build_network(name)
    trunk = getattr(source.backbone, "trunk", source.backbone)
    state = trunk.state_dict() | {"fc.weight": torch.zeros(1000, 512)}  # a classifier beside it
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = build_network(name, pretrained=path)
    for key, value in source.backbone.state_dict().items():
        assert torch.equal(loaded.backbone.state_dict()[key], value)
    assert build_network(name, pretrained=str(path))


def test_weights_that_do_not_fit_are_refused(tmp_path):
    other = build_network("squeezenet1_1").backbone.state_dict()
    torch.save({"state_dict": other}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "broken.pth").write_bytes(b"not weights")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    for name, message in {
        "other.pth": "lacks",
        "list.pth": "holds no weights",
        "broken.pth": "cannot be read",
        "broken.safetensors": "cannot be read",
        "missing.pth": "no file of weights",
        "missing.safetensors": "no file of weights",
    }.items():
        with pytest.raises(RecallkitError, match=message):
            build_network("resnet18", pretrained=tmp_path / name)


def test_weights_of_another_size_are_refused(tmp_path):
    state = build_network("resnet18").backbone.state_dict()
    state["conv1.weight"] = torch.zeros(8, 3, 7, 7)
    torch.save(state, tmp_path / "shape.pth")
    with pytest.raises(RecallkitError, match="does not fit"):
        build_network("resnet18", pretrained=tmp_path / "shape.pth")


def test_weights_without_a_connection_name_the_remedy(monkeypatch):
    def no_connection(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", no_connection)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_connection)
    with pytest.raises(RecallkitError, match="give the path of the file"):
        build_network("resnet18", pretrained=True)
    monkeypatch.setattr("timm.create_model", no_connection)
    remedy = "give the path of the file.*or take --network packaged/efficientnet_lite0"
    with pytest.raises(RecallkitError, match=remedy):
        build_network("timm/resnet10t", pretrained=True)


def test_importing_loads_nothing_heavier_than_torch():
    code = (
        "import sys, recallkit.networks, recallkit.metrics;"
        "print(*{'timm', 'torchvision', 'faiss', 'matplotlib'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


# As in the paper, and beyond


def test_resnet50_of_128_dimensions():
    network = build_network("resnet50", embedding_dim=128)
    assert parameter_count(network) == 24_561_217 - 384 * (2048 + 1)
    assert_unit(network(images()), (2, 128))


@pytest.mark.parametrize("name", ["vit_base_patch32_224", "vit_base_patch16_224"])
def test_vision_transformers_of_the_paper(name):
    timm = pytest.importorskip("timm")
    network = build_network(f"timm/{name}.augreg_in21k")
    assert isinstance(network.pooling, TokenPooling)
    assert isinstance(network.head.norm, nn.LayerNorm)
    assert network.head.linear.weight.shape == (512, 768)
    assert "in21k" in timm.get_pretrained_cfg(f"{name}.augreg_in21k").tag
    assert network.scale.factor.flatten().tolist() == [0.5] * 3  # trained with mean and std 0.5


@pytest.mark.parametrize(
    ("name", "size", "prefix"),
    [
        ("vit_small_patch14_dinov2", 224, 1),
        ("vit_small_patch14_reg4_dinov2", 98, 5),
        ("vit_small_patch16_dinov3", 64, 5),
        ("vit_tiny_patch16_224", 64, 1),
    ],
)
def test_transformers_are_adapted_to_the_size_of_the_images(name, size, prefix):
    network = build_network(f"timm/{name}", 16, image_size=size).eval()
    assert isinstance(network.pooling, TokenPooling)
    averaged = build_network(f"timm/{name}", 16, pooling="average", image_size=size)
    assert averaged.pooling[0].prefix == prefix
    with torch.no_grad():
        assert_unit(network(images(1, size)), (1, 16))


def test_register_tokens_are_no_patches():
    network = build_network("timm/vit_medium_patch16_reg4_gap_256", 8, image_size=64)
    assert network.pooling[0].prefix == 4  # and no class token: the patches are averaged


@pytest.mark.parametrize("name", ["vit_b_32", "timm/mixer_s32_224"])
def test_sizes_that_a_network_does_not_take_are_named(name):
    with pytest.raises(ValueError, match="image_size must be 224 for this network, not 128"):
        build_network(name, image_size=128)


def test_an_adapted_network_takes_weights_of_its_own_size(tmp_path):
    source = build_network("timm/vit_tiny_patch16_224")
    torch.save(source.backbone.trunk.state_dict(), tmp_path / "weights.pth")
    network = build_network(
        "timm/vit_tiny_patch16_224", pretrained=tmp_path / "weights.pth", image_size=64
    )
    own = network.backbone.trunk
    assert torch.equal(own.blocks[3].mlp.fc1.weight, source.backbone.trunk.blocks[3].mlp.fc1.weight)
    assert own.pos_embed.shape[1] == 1 + 16


def test_backbones_get_the_images_they_were_trained_with():
    network = build_network("resnet18")
    pixels = torch.rand(2, 3, 8, 8)
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    scaled = network.scale(normalise(pixels))
    assert torch.allclose(scaled, (pixels - mean) / std, atol=1e-6)
    assert not any(key.startswith("scale") for key in network.state_dict())
    assert torch.equal(SmallConvNet(8).scale(pixels), pixels)
