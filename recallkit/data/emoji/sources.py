"""The npm packages that the emoji set is made from: download and reading."""

import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from recallkit.errors import RecallkitError


@dataclass(frozen=True)
class Package:
    """An npm package at the one version the data set is made from.

    Attributes:
        name: the npm name.
        version: the npm version.
        licence: the SPDX identifier that the package gives.
    """

    name: str
    version: str
    licence: str

    @property
    def archive(self) -> str:
        """The name that ``npm pack`` gives the file."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


# In order of preference: of two near-copies that of the earlier foundry is kept.
FOUNDRIES = {
    "twemoji": Package("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0"),
    "noto": Package("@iconify-json/noto", "1.2.9", "Apache-2.0"),
    "noto-v1": Package("@iconify-json/noto-v1", "1.2.5", "Apache-2.0"),
    "openmoji": Package("@iconify-json/openmoji", "1.2.29", "CC-BY-SA-4.0"),
    "fluent-emoji-flat": Package("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT"),
    "emojione": Package("@iconify-json/emojione", "1.2.3", "CC-BY-4.0"),
    "emojione-v1": Package("@iconify-json/emojione-v1", "1.2.3", "CC-BY-SA-4.0"),
    "fxemoji": Package("@iconify-json/fxemoji", "1.2.2", "Apache-2.0"),
}
CHARACTERS = Package("emoji-datasource-google", "16.0.0", "MIT")


@dataclass(frozen=True)
class IconSet:
    """One foundry's drawings.

    Attributes:
        icons: name → drawing: ``body`` (SVG without its root), and its size if not the set's.
        aliases: other name → ``parent``, and perhaps how it is turned or flipped.
        chars: code point sequence (lower-case hexadecimal, joined by ``-``) → name; empty for some.
        size: width and height of a drawing, in its own units.
    """

    icons: dict[str, dict[str, Any]]
    aliases: dict[str, dict[str, Any]]
    chars: dict[str, str]
    size: tuple[float, float]


@contextmanager
def archives(folder: Path | None) -> Iterator[Path]:
    """Provide a folder with all packages: ``folder``, or a temporary one that npm fills.

    Raises:
        RecallkitError: if ``folder`` lacks a package, or npm cannot download one.
    """
    if folder is not None:
        _check_complete(folder)
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        for package in tqdm([*FOUNDRIES.values(), CHARACTERS], desc="downloading packages"):
            _npm_pack(package, Path(temporary))
        yield Path(temporary)


def _check_complete(folder: Path) -> None:
    """Check that no package is missing in ``folder``."""
    packages = [*FOUNDRIES.values(), CHARACTERS]
    missing = [p for p in packages if not (folder / p.archive).is_file()]
    if missing:
        lines = "\n".join(f"  {p.archive}  (npm pack {p.name}@{p.version})" for p in missing)
        raise RecallkitError(f"these packages are missing in {folder}:\n{lines}")


def _npm_pack(package: Package, folder: Path) -> None:
    """Download ``package`` into ``folder``."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise RecallkitError(
            "npm is not installed. Install Node.js, or put the packages in a folder "
            "and name it as the source."
        ) from None
    except subprocess.CalledProcessError as error:
        raise RecallkitError(
            f"`{' '.join(command)}` failed: {error.stderr.strip() or 'npm gave no reason'}"
        ) from error


def read_icon_set(folder: Path, package: Package) -> IconSet:
    """Read the drawings of ``package``, whose archive lies in ``folder``."""
    icons, chars = _read_json(folder, package, "icons.json", "chars.json")
    side = icons.get("width", 16), icons.get("height", 16)
    return IconSet(icons["icons"], icons.get("aliases", {}), chars, side)


def read_characters(folder: Path) -> list[dict[str, Any]]:
    """Read all emoji of Unicode: name, code points, category, short names."""
    return _read_json(folder, CHARACTERS, "emoji.json")[0]


def _read_json(folder: Path, package: Package, *members: str) -> list[Any]:
    """Parse the JSON files ``members`` of a package.

    Raises:
        RecallkitError: if the archive cannot be read, or is of another version or licence.
    """
    path = folder / package.archive
    try:
        with tarfile.open(path) as archive:
            about, *contents = (
                json.load(_member(archive, f"package/{name}"))
                for name in ("package.json", *members)
            )
    except (OSError, KeyError, ValueError, tarfile.TarError, EOFError) as error:
        raise RecallkitError(
            f"{path} is not the package {package.name} ({error}). Download it again: "
            f"npm pack {package.name}@{package.version}"
        ) from error
    if (about.get("version"), about.get("license")) != (package.version, package.licence):
        raise RecallkitError(
            f"{path} says version {about.get('version')}, licence {about.get('license')}; "
            f"the data set is made from {package.version}, {package.licence}."
        )
    return contents


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file
