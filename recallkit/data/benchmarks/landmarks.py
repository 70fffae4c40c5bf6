"""ROxford5k, RParis6k and their distractors: no classes, but a judgement for every query."""

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
    """What the ground truth says.

    Attributes:
        images: the gallery, in the order that judgements count it.
        queries: images that are searched with, each cropped to its box.
        judgements: for each query its ``easy``, ``hard`` and ``junk`` gallery images (indices).
        boxes: for each query (left, upper, right, lower) in pixels.
    """

    images: Listing
    queries: Listing
    judgements: tuple[dict[str, list[int]], ...]
    boxes: tuple[tuple[float, float, float, float], ...]

    def parts(self) -> dict[str, Listing]:
        """Every list under the name its counts have."""
        return {"images": self.images, "queries": self.queries}


@dataclass(frozen=True)
class Distractors:
    """Images that show none of the landmarks, to make the search hard."""

    images: Listing

    def parts(self) -> dict[str, Listing]:
        """Every list under the name its counts have."""
        return {"images": self.images}


def read_roxford(root: Path) -> Landmarks:
    """ROxford5k: ``gnd_roxford5k.pkl`` and ``jpg/``."""
    return _read_landmarks(root / "gnd_roxford5k.pkl")


def read_rparis(root: Path) -> Landmarks:
    """RParis6k: ``gnd_rparis6k.pkl`` and ``jpg/``."""
    return _read_landmarks(root / "gnd_rparis6k.pkl")


def read_distractors(root: Path) -> Distractors:
    """The distractors: ``revisitop1m.txt``, a path below ``jpg/`` a line."""
    file = root / "revisitop1m.txt"
    names = read_words(file)
    return Distractors(
        listing(file, (f"jpg/{name}" for name in names), (), range(1, len(names) + 1))
    )


def _read_landmarks(file: Path) -> Landmarks:
    truth = read_ground_truth(file)
    try:
        gallery, queries, found = truth["imlist"], truth["qimlist"], truth["gnd"]
        if len(found) != len(queries):
            raise ValueError(f"{len(queries)} queries, but {len(found)} judgements")
        judgements = tuple(_judgement(one, len(gallery)) for one in found)
        boxes = tuple(_box(one["bbx"]) for one in found)
    except (KeyError, TypeError, ValueError) as error:
        raise RecallkitError(f"{file} is no ground truth as published ({error}).") from error
    parts = (
        listing(file, (f"jpg/{name}.jpg" for name in names), (), range(1, len(names) + 1))
        for names in (gallery, queries)
    )
    return Landmarks(*parts, judgements, boxes)


def _judgement(one: dict[str, Any], images: int) -> dict[str, list[int]]:
    kinds = {kind: [int(i) for i in one[kind]] for kind in ("easy", "hard", "junk")}
    if not all(0 <= i < images for own in kinds.values() for i in own):
        raise ValueError(f"an index beyond the {images} images of imlist")
    return kinds


def _box(values: Any) -> tuple[float, float, float, float]:
    left, upper, right, lower = (float(value) for value in values)
    if not (left < right and upper < lower):
        raise ValueError(f"an empty box {values}")
    return left, upper, right, lower


# What arrays are pickled with, under the names of numpy 1 and numpy 2. Everything else, which is
# everything a pickle could run, is refused.
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
    """Admits plain containers, numbers, strings and arrays of numpy."""

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
    """The dictionary of a published ground-truth pickle, without running anything from it.

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
            f"{file} is refused: it is damaged, or holds what a ground truth has no need of "
            f"({error}). Get it anew, from the publishers."
        ) from error
    if not isinstance(truth, dict):
        raise RecallkitError(f"{file} is no ground truth: it holds no dictionary")
    return truth
