"""Weights as other tools write them: found behind wrapper and prefix, said, and never unpickled."""

import argparse
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from recallkit.errors import RecallkitError
from recallkit.networks.weights import load_backbone


def make(width=4):
    layers = {"conv1": nn.Conv2d(3, width, 3, bias=False), "bn1": nn.BatchNorm2d(width)}
    return nn.Sequential(OrderedDict(layers))


STATE = {key: value.clone() for key, value in make().state_dict().items()}
CLASSIFIER = {"fc.weight": torch.ones(10, 4), "fc.bias": torch.ones(10)}
WHOLE = STATE | CLASSIFIER


def behind(prefix, state=WHOLE):
    return {prefix + key: value for key, value in state.items()}


def other(state=WHOLE):
    """The same entries with other values."""
    return {key: torch.zeros_like(value) for key, value in state.items()}


FILES = {
    "bare": (WHOLE, "took all names; left out fc.weight, fc.bias"),
    "DataParallel": (behind("module."), "took prefix 'module.'; left out fc.weight, fc.bias"),
    "compiled": (behind("_orig_mod."), "took prefix '_orig_mod.'; left out"),
    "both": (behind("module._orig_mod."), "took prefix 'module._orig_mod.'; left out"),
    "MoCo": (
        {
            "state_dict": behind("module.encoder_q.") | behind("module.encoder_k.", other()),
            "epoch": 3,
        },
        "took 'state_dict', prefix 'module.encoder_q.'; "
        "not 'state_dict', prefix 'module.encoder_k.'; left out fc.weight, fc.bias, module.",
    ),
    "DINO": (
        {"student": behind("module.backbone.", other()), "teacher": behind("backbone.")},
        "took 'teacher', prefix 'backbone.'; not 'student', prefix 'module.backbone.'",
    ),
    "average": (
        {"state_dict": other(), "state_dict_ema": WHOLE, "optimizer": {"state": {0: {"step": 1}}}},
        "took 'state_dict_ema'; not 'state_dict'; left out",
    ),
    "Lightning": (
        {
            "state_dict": behind("model.net."),
            "hyper_parameters": {"lr": 0.1, "layers": [1, 2]},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
            "pytorch-lightning_version": "2.5",
        },
        "took 'state_dict', prefix 'model.net.'; left out fc.weight, fc.bias",
    ),
    "nested": ({"checkpoint": {"model": {"weights": WHOLE}}}, "took 'checkpoint.model.weights'"),
    "semantic": ({"a": WHOLE, "semantic": other()}, "took 'a'; not 'semantic'"),
    "older": ({k: v for k, v in STATE.items() if "num_" not in k}, "took all names"),
    "half": ({k: v.half() for k, v in STATE.items()}, "took all names"),
    "ours": (
        {**behind("backbone.", STATE), "head.norm.weight": torch.ones(3)},
        "left out head.norm",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_weights_of_other_tools_are_found_and_said(name, tmp_path, capsys):
    content, words = FILES[name]
    torch.save(content, tmp_path / "weights.pth")
    network = make()
    load_backbone(network, tmp_path / "weights.pth")
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'weights.pth'}: ")
    assert words in said
    assert said.count("\n") == 1
    for key, value in network.state_dict().items():
        assert torch.allclose(value, STATE[key], atol=1e-3), key


def test_a_prefix_in_safetensors(tmp_path, capsys):
    save_file(behind("module.encoder."), tmp_path / "weights.safetensors")
    network = make()
    load_backbone(network, tmp_path / "weights.safetensors")
    assert torch.equal(network.conv1.weight, STATE["conv1.weight"])
    assert "prefix 'module.encoder.'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model": {"conv1.weight": STATE["conv1.weight"]}},
            "lacks 4 of 5 .* is bn1.weight; it has",
        ),
        ({"module.a": torch.ones(1)}, "lacks 5 of 5 .* first is conv1.weight; it has module.a"),
        # Half of the names behind one prefix and half behind another are two networks.
        (
            behind("a.", {"conv1.weight": STATE["conv1.weight"]})
            | behind("b.", {k: v for k, v in STATE.items() if k != "conv1.weight"}),
            "does not fit",
        ),
        ({"xconv1.weight": torch.ones(1)}, "lacks 5 of 5"),
        (
            make(8).state_dict(),
            r"conv1.weight is \(8, 3, 3, 3\) in the file and \(4, 3, 3, 3\) here",
        ),
        (WHOLE | {"bn1.bias": torch.full((4,), torch.nan)}, "NaN or infinity, in bn1.bias"),
        ({"epoch": 3, "model": {}}, "holds no weights"),
        ({"state_dict": WHOLE, "args": argparse.Namespace(lr=1)}, "argparse.Namespace"),
        (make(), "torch.nn.modules"),
    ],
)
def test_what_does_not_fit_or_is_not_safe_is_refused_by_name(tmp_path, content, message):
    torch.save(content, tmp_path / "weights.pth")
    network = make()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(RecallkitError, match=message) as error:
        load_backbone(network, tmp_path / "weights.pth")
    assert str(error.value).startswith(str(tmp_path / "weights.pth"))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_the_remedy_for_objects_in_a_file_works(tmp_path):
    torch.save({"state_dict": WHOLE, "args": argparse.Namespace(lr=1)}, tmp_path / "full.pth")
    with pytest.raises(RecallkitError, match=r"safe_globals\(\[argparse.Namespace\]\)"):
        load_backbone(make(), tmp_path / "full.pth")
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(tmp_path / "full.pth")
    torch.save(content["state_dict"], tmp_path / "weights.pth")
    load_backbone(make(), tmp_path / "weights.pth")
