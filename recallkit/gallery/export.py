"""A trained run as one file for programs without recallkit: torch.export or ONNX.

The file takes pixels and gives embeddings; the preprocessing is inside:

    images (N, 3, S, S) uint8, RGB  →  shrunk and normalised  →  network  →  unit vectors (N, D)

N is free. S is the side of the squares that the run reads. What a program must know to make such a
square from an image file is stored in the file, as JSON under the name ``recallkit.json``.
"""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recallkit.data.image_files import ImageFiles
from recallkit.data.prefetch import Reading
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError, needs_extra
from recallkit.files import read_json_object, write_atomically
from recallkit.gallery.run import TrainedRun
from recallkit.gallery.run_data import data_of_run

__all__ = [
    "METADATA",
    "TOLERANCE",
    "ExportFormat",
    "Exported",
    "check_exported",
    "describe_run",
    "example_images",
    "export_run",
]

ExportFormat = Literal["torch", "onnx"]

TOLERANCE = 1e-4  # float32 kernels differ by about 1e-6; a wrong preprocessing by more than 1e-2
METADATA = "recallkit.json"  # its name in the file
_EXAMPLES = 16  # images of the run that are compared

Embed = Callable[[Tensor], Tensor]  # (N, 3, S, S) uint8 → (N, D) float32


class _Pipeline(nn.Module):
    """Preprocessing and network in a row."""

    def __init__(self, run: TrainedRun) -> None:
        super().__init__()
        self.transform, self.network = run.transform, run.network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(self.transform(images))


@dataclass(frozen=True)
class Exported:
    """A comparison of an exported file's embeddings with those of the network.

    Attributes:
        random: largest difference of an entry, on random pixels, in batches of 1, 2 and 5.
        real: the same on images of the run; None if they were not there.
        images: how many images of the run were compared.
        metadata: what is stored in the file; see :func:`describe_run`.
    """

    random: float
    real: float | None
    images: int
    metadata: dict[str, Any]

    def describe(self) -> str:
        """Say it in one line."""
        if self.real is None:
            real = "not compared on images of the run, which are not there"
        else:
            real = f"{self.real:.1e} on {self.images} images of the run"
        return (
            f"largest difference from the network: {self.random:.1e} on random pixels, {real} "
            f"(at most {TOLERANCE:.0e} is allowed)"
        )


def export_run(
    run: TrainedRun, path: Path, form: ExportFormat, examples: Tensor | None = None
) -> Exported:
    """Write a run as one file, after its embeddings have been compared with the network's.

    Args:
        run: on the CPU.
        path: of the file, which is replaced.
        form: "torch": for ``torch.export.load``. "onnx": for ONNX Runtime and others.
        examples: (M, 3, S, S) uint8, real images to compare on; None or none: random pixels alone.

    Raises:
        RecallkitError: the network cannot be exported, its embeddings come out different, or the
            file cannot be written.
        MissingExtraError: for "onnx", if a package of the extra [export] is not installed.
    """
    metadata = describe_run(run)
    pipeline = _Pipeline(run).eval()
    side, text = metadata["input"]["side"], json.dumps(metadata, ensure_ascii=False, indent=2)
    compared: list[Exported] = []

    def write(temporary: Path) -> None:
        embed = _WRITERS[form](pipeline, side, text, temporary)
        compared.append(check_exported(pipeline, embed, side, metadata, examples))

    with torch.no_grad():
        write_atomically(path, write)
    return compared[0]


def describe_run(run: TrainedRun) -> dict[str, Any]:
    """Describe what a program must know of an exported run, and where it comes from."""
    files = run.files([], Reading())
    result = read_json_object(run.folder / "result.json")
    return {
        "recallkit": version("recallkit"),
        "run": run.folder.absolute().name,
        "identity": run.identity,
        "commit": str(result.get("commit", "")),
        "network": run.config.network,
        "input": {
            "name": "images",
            "shape": ["N", 3, files.side, files.side],
            "dtype": "uint8",
            "colours": "RGB, 0 to 255, transparent pixels over white",
            "side": files.side,
            "fit": files.fit,
            "margin": files.margin,
        },
        "output": {
            "name": "embeddings",
            "shape": ["N", run.config.embedding_dim],
            "dtype": "float32",
            "measure": "cosine: the vectors have length 1",
        },
    }


def example_images(run: TrainedRun, dataset: str = "", root: str = "") -> Tensor | None:
    """Read up to 16 images of a run as its network sees them; None if they are not there.

    Returns:
        (M, 3, S, S) uint8, S the side of the squares that the run reads.
    """
    try:
        test = data_of_run(run.folder, dataset, root).test
        chosen = test.images[:_EXAMPLES]
        if isinstance(chosen, ImageFiles):
            chosen = run.files(chosen.paths, Reading(on_bad_image="skip"))  # white is as good
        images = flattened(chosen.to("cpu"))
    except (RecallkitError, ValueError):  # moved or damaged: the export needs none
        return None
    side = run.files([], Reading()).side
    return images if images.shape[1:] == (3, side, side) and len(images) else None


def check_exported(
    pipeline: nn.Module,
    embed: Embed,
    side: int,
    metadata: dict[str, Any],
    examples: Tensor | None = None,
) -> Exported:
    """Compare exported embeddings with those of preprocessing and network.

    Args:
        pipeline: (N, 3, S, S) uint8 → (N, D): the network itself.
        embed: the same, exported.
        side: S.
        metadata: of the file.
        examples: (M, 3, S, S) uint8, real images.

    Raises:
        RecallkitError: naming the difference, if an entry differs by more than 1e-4.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = [
        torch.randint(0, 256, (n, 3, side, side), generator=generator, dtype=torch.uint8)
        for n in (1, 2, 5)
    ]
    random, real, number = _difference(pipeline, embed, drawn), None, 0
    if examples is not None and len(examples):
        real, number = _difference(pipeline, embed, [examples]), len(examples)
    for worst in (random, real or 0.0):
        if not worst <= TOLERANCE:  # NaN, too
            raise RecallkitError(
                f"the exported network differs from the run's by {worst:.1e} in an entry of an "
                f"embedding, and at most {TOLERANCE:.0e} is allowed: nothing was written. "
                f"Try the other --format, or other versions of torch and onnx."
            )
    return Exported(random, real, number, metadata)


def _difference(pipeline: nn.Module, embed: Embed, batches: list[Tensor]) -> float:
    return torch.cat([(pipeline(batch) - embed(batch)).abs() for batch in batches]).max().item()


def _traced(pipeline: nn.Module, side: int) -> Any:
    """Trace the pipeline with a free number of images."""
    images = torch.zeros(2, 3, side, side, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1)
    try:
        return torch.export.export(pipeline, (images,), dynamic_shapes=({0: batch},))
    except Exception as error:  # torch has many, and each means that it cannot trace the network
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise RecallkitError(f"torch.export cannot trace this network: {reason}") from error


def _write_torch(pipeline: nn.Module, side: int, metadata: str, path: Path) -> Embed:
    # A file name of torch.export must end in .pt2; an open file has none.
    with path.open("wb") as file:
        torch.export.save(_traced(pipeline, side), file, extra_files={METADATA: metadata})
    return torch.export.load(io.BytesIO(path.read_bytes())).module()


def _write_onnx(pipeline: nn.Module, side: int, metadata: str, path: Path) -> Embed:
    with needs_extra("an export as ONNX", "export"):
        # Optional, so a type checker may not find them. What torch would miss is told here.
        import onnx  # noqa: F401  # pyright: ignore[reportMissingImports]
        import onnxruntime  # pyright: ignore[reportMissingImports]
        import onnxscript  # noqa: F401  # pyright: ignore[reportMissingImports]
    with redirect_stdout(io.StringIO()):  # torch tells its steps
        program = torch.onnx.export(
            _traced(pipeline, side),
            dynamo=True,
            input_names=["images"],
            output_names=["embeddings"],
        )
    assert program is not None
    program.model.metadata_props[METADATA] = metadata
    program.save(path, external_data=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def embed(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

    return embed


_WRITERS: dict[str, Callable[[nn.Module, int, str, Path], Embed]] = {
    "torch": _write_torch,
    "onnx": _write_onnx,
}
