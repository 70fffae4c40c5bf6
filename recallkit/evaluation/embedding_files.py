"""Embeddings in files, made by any tool: .npy, .npz, .pt, .pth or .safetensors."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recallkit.errors import RecallkitError
from recallkit.files import write_atomically

EMBEDDING_NAMES = ("embeddings", "features", "descriptors")
LABEL_NAMES = ("labels", "targets", "classes")

_ROWS_A_CHUNK = 2**13  # that are checked at once


def read_embeddings(path: Path, labels: Path | None = None) -> tuple[Tensor, np.ndarray | None]:
    """Read embeddings, and their labels if there are any.

    A ``.npy`` holds only the embeddings, and is mapped into memory. The others hold them
    under the name "embeddings", "features" or "descriptors" (or nothing else), and may hold labels
    under "labels", "targets" or "classes".

    Args:
        path: of the embeddings, (N, D).
        labels: of the labels: .npy, or text with one label a line. Default: those inside
            ``path``, else those in ``NAME.labels.npy`` or ``NAME.labels.txt`` beside it.

    Returns:
        Embeddings (N, D) floating point, and labels (N,), integers or words, or None.

    Raises:
        RecallkitError: naming the file that is missing, damaged, or holds no embeddings, or
            another number of labels; or the first row that holds NaN or infinity, or only zeros,
            as where an image could not be read.
    """
    content = _read(path)
    if not isinstance(content, Mapping):
        content = {"embeddings": content}
    embeddings = _tensor_named(content, EMBEDDING_NAMES, path)
    if embeddings.ndim != 2 or 0 in embeddings.shape or not embeddings.is_floating_point():
        raise RecallkitError(
            f"{path} must hold embeddings (N, D) of floating point, not "
            f"{tuple(embeddings.shape)} of {embeddings.dtype}"
        )
    _check_rows(path, embeddings)
    inside = next((content[name] for name in LABEL_NAMES if name in content), None)
    return embeddings, _labels_of(path, len(embeddings), labels, inside)


def number_labels(*labels: np.ndarray) -> list[Tensor]:
    """Number labels of any kind as int64, equal labels alike in all arrays."""
    _, numbers = np.unique(np.concatenate(labels), return_inverse=True)
    ends = np.cumsum([len(array) for array in labels])[:-1]
    return [torch.from_numpy(array) for array in np.split(numbers.astype(np.int64), ends)]


def write_embeddings(path: Path, embeddings: Tensor, labels: Tensor | None = None) -> None:
    """Write a ``.npz`` that :func:`read_embeddings` reads.

    Raises:
        RecallkitError: another suffix, or a folder that cannot be written.
    """
    if path.suffix != ".npz":
        raise RecallkitError(f"{path} must end in .npz")
    arrays: dict[str, Any] = {"embeddings": embeddings.cpu().numpy()}
    if labels is not None:
        arrays["labels"] = labels.cpu().numpy()
    write_atomically(path, lambda temporary: np.savez(temporary, **arrays))


def _read(path: Path) -> Any:
    readers: dict[str, Callable[[], Any]] = {
        ".npy": lambda: np.load(path, mmap_mode="c", allow_pickle=False),
        ".npz": lambda: dict(np.load(path, allow_pickle=False)),
        ".pt": lambda: torch.load(path, map_location="cpu", weights_only=True),
        ".pth": lambda: torch.load(path, map_location="cpu", weights_only=True),
        ".safetensors": lambda: _read_safetensors(path),
    }
    if path.suffix not in readers:
        raise RecallkitError(f"{path} must end in one of {', '.join(readers)}")
    if not path.is_file():
        raise RecallkitError(f"there is no file {path}")
    try:
        return readers[path.suffix]()
    except Exception as error:  # a damaged file fails in many ways, and none can be repaired here
        raise RecallkitError(f"{path} cannot be read as embeddings ({error})") from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def _tensor_named(content: Mapping[str, Any], names: tuple[str, ...], path: Path) -> Tensor:
    chosen = next((name for name in names if name in content), None)
    if chosen is None:
        raise RecallkitError(
            f"{path} must hold {' or '.join(names)}; it holds {', '.join(map(str, content))}"
        )
    try:
        return torch.as_tensor(content[chosen])
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecallkitError(f"{path}: {chosen} are no numbers ({error})") from error


def _check_rows(path: Path, embeddings: Tensor) -> None:
    chunks = embeddings.split(_ROWS_A_CHUNK)
    largest = torch.cat([chunk.abs().amax(dim=1) for chunk in chunks])  # (N,)
    faults = {"NaN or infinity": ~largest.isfinite(), "nothing but zeros": largest == 0}
    for fault, rows in faults.items():
        if rows.any():
            raise RecallkitError(
                f"{path}: {int(rows.sum())} of {len(rows):,} rows hold {fault}, the first is row "
                f"{int(rows.nonzero()[0])}, counted from 0: embed those images again, or leave "
                f"them out with their labels"
            )


def _labels_of(path: Path, number: int, file: Path | None, inside: Any) -> np.ndarray | None:
    """Read the labels of embeddings: from ``file``, else those inside ``path``, or beside it."""
    if file is None and inside is not None:
        labels = np.asarray(inside)
    else:
        beside = [path.with_name(f"{path.stem}.labels{suffix}") for suffix in (".npy", ".txt")]
        file = file or next((candidate for candidate in beside if candidate.is_file()), None)
        labels = None if file is None else _read_labels(file)
    if labels is not None and labels.shape != (number,):
        raise RecallkitError(
            f"{file or path}: there must be a label for each of the {number:,} "
            f"embeddings, not {labels.shape}"
        )
    return labels


def _read_labels(path: Path) -> np.ndarray:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return np.array(path.read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        raise RecallkitError(f"there is no file of labels {path}") from None
    except (OSError, ValueError) as error:
        raise RecallkitError(f"{path} cannot be read as labels ({error})") from error
