"""Embeddings in files, made by any tool: .npy, .npz, .pt, .pth or .safetensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recallkit.errors import RecallkitError
from recallkit.files import write_atomically

SUFFIXES = (".npy", ".npz", ".pt", ".pth", ".safetensors")


EMBEDDING_NAMES = ("embeddings", "features", "descriptors")


LABEL_NAMES = ("labels", "targets", "classes")


def read_features(path: Path, labels: Path | None = None) -> tuple[Tensor, np.ndarray | None]:
    """Embeddings, and labels if there are any.

    A ``.npy`` holds the embeddings alone and is mapped into memory, not read. The others hold them
    under the name "embeddings", "features" or "descriptors" (or alone), and labels perhaps under
    "labels", "targets" or "classes".

    Args:
        path: of the embeddings, (N, D).
        labels: of the labels: .npy, or text with one label a line. By default those inside of
            ``path``, or in ``NAME.labels.npy`` or ``NAME.labels.txt`` beside it.

    Returns:
        (N, D) floating point, and (N,) integers or words, or None.

    Raises:
        RecallkitError: naming the file that is missing, damaged, or holds no embeddings, or
            another number of labels; and the first row that holds NaN or infinity, or nothing but
            zeros, as where an image could not be read.
    """
    content = _read(path)
    if not isinstance(content, Mapping):
        content = {"embeddings": content}
    embeddings = _named(content, EMBEDDING_NAMES, path)
    own_labels = next((content[name] for name in LABEL_NAMES if name in content), None)
    if embeddings.ndim != 2 or 0 in embeddings.shape or not embeddings.is_floating_point():
        raise RecallkitError(
            f"{path} must hold embeddings (N, D) of floating point, not "
            f"{tuple(embeddings.shape)} of {embeddings.dtype}"
        )
    _check_rows(path, embeddings)
    found = _read_labels(path, labels, own_labels)
    if found is not None and found.shape != (len(embeddings),):
        raise RecallkitError(
            f"{labels or path}: there must be a label for each of the {len(embeddings):,} "
            f"embeddings, not {found.shape}"
        )
    return embeddings, found


def numbered(*labels: np.ndarray) -> list[Tensor]:
    """Labels of any kind as int64, equal labels with equal numbers across all arrays."""
    _, numbers = np.unique(np.concatenate(labels), return_inverse=True)
    borders = np.cumsum([len(part) for part in labels])[:-1]
    return [torch.from_numpy(part) for part in np.split(numbers.astype(np.int64), borders)]


def write_features(path: Path, embeddings: Tensor, labels: Tensor | None = None) -> None:
    """Write a ``.npz`` that :func:`read_features` reads.

    Raises:
        RecallkitError: another suffix, or a folder that cannot be written.
    """
    if path.suffix != ".npz":
        raise RecallkitError(f"{path} must end in .npz")
    arrays = {"embeddings": embeddings.cpu().numpy()}
    if labels is not None:
        arrays["labels"] = labels.cpu().numpy()
    write_atomically(path, lambda temporary: np.savez(temporary, **arrays))


def _read(path: Path) -> Any:
    readers = {
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
    except Exception as error:  # a damaged file fails in many ways, each of them final
        raise RecallkitError(f"{path} cannot be read as embeddings ({error})") from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def _named(content: Mapping[str, Any], names: tuple[str, ...], path: Path) -> Tensor:
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
    largest = torch.cat([part.abs().amax(dim=1) for part in embeddings.split(2**13)])  # (N,)
    faults = {"NaN or infinity": ~largest.isfinite(), "nothing but zeros": largest == 0}
    for fault, rows in faults.items():
        if rows.any():
            raise RecallkitError(
                f"{path}: {int(rows.sum())} of {len(rows):,} rows hold {fault}, the first is row "
                f"{int(rows.nonzero()[0])}, counted from 0: embed those images again, or leave "
                f"them out with their labels"
            )


def _read_labels(path: Path, labels: Path | None, inside: Any) -> np.ndarray | None:
    if labels is None and inside is not None:
        return np.asarray(inside)
    beside = [path.with_name(f"{path.stem}.labels{suffix}") for suffix in (".npy", ".txt")]
    labels = labels or next((file for file in beside if file.is_file()), None)
    if labels is None:
        return None
    try:
        if labels.suffix == ".npy":
            return np.load(labels, allow_pickle=False)
        return np.array(labels.read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        raise RecallkitError(f"there is no file of labels {labels}") from None
    except (OSError, ValueError) as error:
        raise RecallkitError(f"{labels} cannot be read as labels ({error})") from error
