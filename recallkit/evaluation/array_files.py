"""Files of arrays: .npy, .npz, .pt, .safetensors and .h5, described before they are read.

A file that others made is not trusted. Python objects in it are not made: they could run code. A
size that it declares is compared with its own before memory is taken.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from recallkit.errors import needs_extra
from recallkit.evaluation.stored import (
    Content,
    Stored,
    UnreadableError,
    check_unpacked,
    gigabytes,
    number_of,
    stored_array,
    stored_value,
)

ALONE = "embeddings"  # the name of an array that has none, in a file that holds nothing else


def open_npy(path: Path) -> Content:
    """Describe the array of a ``.npy``, which is mapped into memory; of records, each field."""
    with path.open("rb") as file:
        shape, dtype = _header(file, path.stat().st_size)
    empty = 0 in shape  # nothing to map

    def read() -> np.ndarray:
        _refuse_objects(dtype, path.name)
        return np.load(path, mmap_mode=None if empty else "c", allow_pickle=False)

    if dtype.names:
        fields = {name: dtype[name] for name in dtype.names}
        return {
            name: stored_array(field.base, shape + field.shape, lambda n=name: read()[n])
            for name, field in fields.items()
        }
    return {ALONE: stored_array(dtype, shape, read)}


def open_npz(path: Path) -> Content:
    """Describe the arrays of a ``.npz``; each is unpacked only if it is read."""
    content = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            check_unpacked(member.file_size, path.stat().st_size, f"{name!r}")
            with archive.open(member) as file:
                shape, dtype = _header(file, member.file_size)
            content[name] = stored_array(dtype, shape, lambda n=name, d=dtype: _member(path, n, d))
    return content


def _member(path: Path, name: str, dtype: np.dtype) -> np.ndarray:
    _refuse_objects(dtype, name)
    with np.load(path, allow_pickle=False) as archive:
        return archive[name]


def _refuse_objects(dtype: np.dtype, name: str) -> None:
    if dtype.hasobject:
        raise UnreadableError(
            f"{name!r} holds Python objects (a pickle), which could run code and are not loaded: "
            f"store text by array.astype(str), numbers by array.astype(float)"
        )


def _header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype]:
    """Read the header of an array, and compare the size that it declares with what there is."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    declared, held = number_of(shape) * dtype.itemsize, size - file.tell()
    if not dtype.hasobject and declared > held:
        raise UnreadableError(
            f"its header declares {gigabytes(declared)} (shape {shape}, {dtype}), but only "
            f"{gigabytes(held)} follow: it is damaged, or was cut short"
        )
    return shape, dtype


def open_torch(path: Path) -> Content:
    """Describe the tensors and arrays of a ``.pt``: one, a list, a tuple or a dict of them."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_unpacked(sum(member.file_size for member in archive.infolist()), size, "it")
    try:
        with torch.serialization.safe_globals(_numpy_types()):
            value = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UnreadableError(
            "it holds Python objects, which could run code and are not loaded: store a tensor, or "
            "a dict of tensors, by torch.save"
        ) from None
    if isinstance(value, Mapping):
        return {str(name): stored_value(array, size) for name, array in value.items()}
    if isinstance(value, tuple):
        return {str(number): stored_value(array, size) for number, array in enumerate(value)}
    return {ALONE: stored_value(_joined(value), size)}


def _joined(value: Any) -> Any:
    """Join a list of batches (B, D), as a loop collects them; other things as they are."""
    if not isinstance(value, list) or not all(isinstance(batch, Tensor) for batch in value):
        return value
    batches = {(batch.ndim, batch.shape[-1:], batch.dtype) for batch in value}
    return torch.cat(value) if len(batches) == 1 and value[0].ndim == 2 else value


def _numpy_types() -> list[Any]:
    """List what arrays of NumPy in a ``.pt`` are made of: data, and no code of the file's."""
    makers = {"_reconstruct": np.zeros(1).__reduce__()[0], "scalar": np.float32(1).__reduce__()[0]}
    pairs = [
        (make, f"numpy.{module}.multiarray.{name}")  # as NumPy 1 and NumPy 2 write it
        for name, make in makers.items()
        for module in ("core", "_core")
    ]
    types = [type(np.dtype(code)) for code in ("?", "b", "h", "i", "l", "q", "B", "H", "I")]
    types += [type(np.dtype(code)) for code in ("L", "Q", "e", "f", "d", "U", "S", "O")]
    return [*pairs, np.ndarray, np.dtype, *dict.fromkeys(types)]


def open_safetensors(path: Path) -> Content:
    """Describe the tensors of a ``.safetensors``."""
    from safetensors import safe_open

    content = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (no mapping)
            part = file.get_slice(name)
            code = part.get_dtype()
            kind = {"F": "float", "B": "float" if code == "BF16" else "integer"}.get(code[0])
            read = lambda n=name: _tensor(path, n)  # noqa: E731
            content[name] = Stored(tuple(part.get_shape()), code, kind or "integer", read)
    return content


def _tensor(path: Path, name: str) -> Tensor:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.get_tensor(name)


def open_hdf5(path: Path) -> Content:
    """Describe the data sets of a ``.h5``, those in groups with their path.

    Links to other files are not followed.
    """
    with needs_extra(f"reading {path.suffix}"):
        import h5py  # pyright: ignore[reportMissingImports]
    content: dict[str, Stored] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not item.is_virtual and not item.external:
            check_unpacked(item.nbytes, path.stat().st_size, f"{name!r}")
            text = h5py.check_string_dtype(item.dtype) is not None
            dtype = np.dtype("U1") if text else item.dtype
            content[name] = stored_array(dtype, item.shape or (), lambda: _dataset(path, name))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return content


def _dataset(path: Path, name: str) -> np.ndarray:
    import h5py  # pyright: ignore[reportMissingImports]

    with h5py.File(path, "r") as file:
        return np.asarray(file[name])
