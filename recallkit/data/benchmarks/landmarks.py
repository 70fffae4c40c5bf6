"""ROxford5k, RParis6k and their distractors: without classes, but with judged queries."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recallkit.data.benchmarks.list_files import Listing, listing, read_words
from recallkit.errors import RecallkitError


@dataclass(frozen=True)
class Landmarks:
    """The ground truth of a set of landmarks.

    Attributes:
        images: the gallery, in the order in which judgements count it.
        queries: the images that are searched with, each cropped to its box.
        judgements: for each query its ``easy``, ``hard`` and ``junk`` gallery images (indices).
        boxes: for each query (left, upper, right, lower) in pixels.
    """

    images: Listing
    queries: Listing
    judgements: tuple[dict[str, list[int]], ...]
    boxes: tuple[tuple[float, float, float, float], ...]

    def listings(self) -> dict[str, Listing]:
        """Name every list as the counts of the benchmark do."""
        return {"images": self.images, "queries": self.queries}


@dataclass(frozen=True)
class Distractors:
    """Images that show none of the landmarks, to make the search hard."""

    images: Listing

    def listings(self) -> dict[str, Listing]:
        """Name every list as the counts of the benchmark do."""
        return {"images": self.images}


def read_roxford(root: Path) -> Landmarks:
    """Read ROxford5k: ``gnd_roxford5k.pkl`` and ``jpg/``."""
    return _read_landmarks(root / "gnd_roxford5k.pkl")


def read_rparis(root: Path) -> Landmarks:
    """Read RParis6k: ``gnd_rparis6k.pkl`` and ``jpg/``."""
    return _read_landmarks(root / "gnd_rparis6k.pkl")


def read_distractors(root: Path) -> Distractors:
    """Read the distractors: ``revisitop1m.txt``, each line a path below ``jpg/``."""
    file = root / "revisitop1m.txt"
    names = read_words(file)
    return Distractors(
        listing(file, (f"jpg/{name}" for name in names), (), range(1, len(names) + 1))
    )


def _read_landmarks(file: Path) -> Landmarks:
    truth = read_ground_truth(file)
    try:
        gallery, queries, entries = truth["imlist"], truth["qimlist"], truth["gnd"]
        if len(entries) != len(queries):
            raise ValueError(f"{len(queries)} queries, but {len(entries)} judgements")
        judgements = tuple(_judgement(entry, len(gallery)) for entry in entries)
        boxes = tuple(_box(entry["bbx"]) for entry in entries)
    except (KeyError, TypeError, ValueError) as error:
        raise RecallkitError(f"{file} is not the published ground truth ({error}).") from error
    return Landmarks(_listing(file, gallery), _listing(file, queries), judgements, boxes)


def _listing(file: Path, names: list[str]) -> Listing:
    return listing(file, (f"jpg/{name}.jpg" for name in names), (), range(1, len(names) + 1))


def _judgement(entry: dict[str, Any], images: int) -> dict[str, list[int]]:
    kinds = {kind: [int(i) for i in entry[kind]] for kind in ("easy", "hard", "junk")}
    if not all(0 <= i < images for indices in kinds.values() for i in indices):
        raise ValueError(f"an index beyond the {images} images of imlist")
    return kinds


def _box(values: Any) -> tuple[float, float, float, float]:
    left, upper, right, lower = (float(value) for value in values)
    if not (left < right and upper < lower):
        raise ValueError(f"an empty box {values}")
    return left, upper, right, lower


# What arrays are pickled with, under the names of numpy 1 and numpy 2. Everything else is refused,
# and with it everything that a pickle could run.
_ALLOWED = {
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (set, frozenset, bytes)
    },
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    **{
        (f"numpy.{core}.multiarray", name): function
        for core in ("core", "_core")
        for name, function in (
            ("_reconstruct", np.empty(0).__reduce__()[0]),
            ("scalar", np.float64(0).__reduce__()[0]),
        )
    },
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): np.empty(1).__reduce_ex__(5)[0]
        for core in ("core", "_core")
    },
}


class _Unpickler(pickle.Unpickler):
    """Reads plain containers, numbers, strings and arrays of numpy; nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):  # bytes, as protocol 2 writes them
            return _latin1_bytes
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def _latin1_bytes(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")


def read_ground_truth(file: Path) -> dict[str, Any]:
    """Read the dictionary of a published ground-truth pickle, without running anything from it.

    Raises:
        RecallkitError: if it is missing or damaged, or holds more than plain containers, numbers,
            strings and numpy arrays.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise RecallkitError(f"{file} is missing") from None
    except OSError as error:
        raise RecallkitError(f"{file} cannot be read ({error.strerror})") from error
    try:
        truth = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # a damaged pickle fails in many ways, each of them final
        raise RecallkitError(
            f"{file} is refused: it is damaged, or holds what a ground truth does not need "
            f"({error}). Download it again, from its publishers."
        ) from error
    if not isinstance(truth, dict):
        raise RecallkitError(f"{file} is not a ground truth: it holds no dictionary")
    return truth
