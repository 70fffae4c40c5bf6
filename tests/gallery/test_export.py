"""Exported files against the network, and against programs that do not know recallkit."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.random_run import make_run
from torch import nn

from recallkit.errors import MissingExtraError, RecallkitError
from recallkit.gallery import describe_run, example_images, export_run, load_trained_run
from recallkit.gallery.export import METADATA, check_exported


@pytest.fixture
def exported(run, tmp_path):
    """The run as model.pt2, its metadata, and how it compares."""
    result = export_run(run, tmp_path / "model.pt2", "torch", example_images(run))
    files = {METADATA: ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=files)
    return program.module(), json.loads(files[METADATA]), result


def pixels(n, side, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, side, side), generator=generator, dtype=torch.uint8)


def test_a_file_embeds_as_the_network(exported, run):
    program, metadata, result = exported
    side = metadata["input"]["side"]
    for n in (1, 3, 8):
        images = pixels(n, side, seed=n)
        with torch.no_grad():
            expected = run.network(run.transform(images))
            embeddings = program(images)
        assert embeddings.shape == (n, metadata["output"]["shape"][1])
        assert torch.allclose(embeddings, expected, atol=1e-6)
        assert torch.allclose(embeddings.norm(dim=1), torch.ones(n), atol=1e-5)
    assert result.images == 16
    assert 0 <= result.random < 1e-5
    assert 0 <= result.real < 1e-5
    assert "16 images of the run" in result.describe()


def test_metadata_tells_how_to_make_the_input(exported, run):
    _, metadata, _ = exported
    assert metadata["input"]["shape"] == ["N", 3, 64, 64]  # the squares that the run keeps
    assert metadata["input"]["fit"] == "contain"
    assert metadata["identity"] == run.identity
    assert metadata["run"] == "run"
    assert json.loads(json.dumps(describe_run(run))) == metadata


def program_of_the_guide(name):
    """The program that the guide shows for a format."""
    text = (Path(__file__).parents[2] / "notebooks" / "guide" / "export.md").read_text()
    return re.search(rf"<!-- program: {name} -->\n```python\n(.*?)```", text, re.DOTALL)[1]


def printed_by(program, *arguments, folder):
    done = subprocess.run(
        [sys.executable, "-c", program + CHECK, *arguments],
        **{"capture_output": True, "text": True, "check": True, "cwd": folder},
    )
    return json.loads(done.stdout)


CHECK = "assert not [name for name in sys.modules if name.startswith('recallkit')]"


def test_the_program_of_the_guide_embeds_a_file(exported, run, photos, tmp_path):
    file = photos / "class 1" / "2.png"
    printed = printed_by(
        program_of_the_guide("torch"), tmp_path / "model.pt2", file, folder=tmp_path
    )
    assert printed == pytest.approx(run.embed(file)[0].tolist(), abs=2e-3)


def test_images_that_are_gone_are_not_needed(run, photos, tmp_path):
    photos.rename(tmp_path / "elsewhere")
    assert example_images(run) is None
    moved = example_images(run, str(tmp_path / "elsewhere"))
    assert moved.shape == (16, 3, 64, 64)


def test_images_that_are_no_files_are_compared(tmp_path):
    run = load_trained_run(make_run(tmp_path / "emoji"), "cpu")
    images = example_images(run)
    side = describe_run(run)["input"]["side"]
    assert images.dtype == torch.uint8
    assert images.shape == (16, 3, side, side)


@pytest.mark.parametrize("error", [2e-4, float("nan")])
@pytest.mark.parametrize("where", ["random", "real"])
def test_a_difference_is_an_error(error, where):
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    model = lambda images: network(images.float())  # noqa: E731
    examples = torch.zeros(3, 3, 2, 2, dtype=torch.uint8)

    def wrong(images):
        real = bool((images == 0).all())
        return model(images) + error * (real == (where == "real"))

    with pytest.raises(RecallkitError, match=r"differs .* nothing was written"):
        check_exported(model, wrong, 2, {}, examples)
    result = check_exported(model, model, 2, {}, examples)
    assert (result.random, result.real, result.images) == (0, 0, 3)
    assert check_exported(model, model, 2, {}).real is None


def test_a_network_that_cannot_be_traced_is_told(run, tmp_path, monkeypatch):
    def forward(images):
        return images.mean((2, 3)) if images.mean() > 0 else images.amax((2, 3))

    monkeypatch.setattr(run.network, "forward", forward)
    with pytest.raises(RecallkitError, match="cannot trace this network"):
        export_run(run, tmp_path / "model.pt2", "torch")
    assert not list(tmp_path.glob("*model*"))


def test_a_missing_package_is_one_line(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"recallkit\[export\]\""):
        export_run(run, tmp_path / "model.onnx", "onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_onnx_embeds_as_the_network(run, photos, tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    import numpy as np
    import onnxruntime

    result = export_run(run, tmp_path / "model.onnx", "onnx", example_images(run))
    assert result.images == 16
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    metadata = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    assert metadata == json.loads(json.dumps(describe_run(run)))
    for n in (1, 3, 8):
        images = pixels(n, metadata["input"]["side"], seed=n)
        with torch.no_grad():
            expected = run.network(run.transform(images)).numpy()
        [embeddings] = session.run(["embeddings"], {"images": images.numpy()})
        assert np.abs(embeddings - expected).max() < 1e-5
    file = photos / "class 1" / "2.png"
    printed = printed_by(
        program_of_the_guide("onnx"), tmp_path / "model.onnx", file, folder=tmp_path
    )
    assert printed == pytest.approx(run.embed(file)[0].tolist(), abs=2e-3)
