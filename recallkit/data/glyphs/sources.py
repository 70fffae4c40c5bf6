"""The typefaces that the glyphs are made from: download, and a check of each file."""

import csv
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from recallkit.errors import RecallkitError

SUFFIXES = {".ttf", ".otf", ".ttc"}

_TABLE = Path(__file__).with_name("typefaces.tsv")


@dataclass(frozen=True)
class Typeface:
    """A typeface and where it comes from.

    Attributes:
        name: short, lower-case.
        package: the Debian package; empty for a file of the user's.
        version: of the package.
        file: the name of the file in it; of a collection the first face is taken.
        licence: an SPDX identifier, or ``LicenseRef-…`` for one without.
        sha256: of the file.
    """

    name: str
    package: str
    version: str
    file: str
    licence: str
    sha256: str


def typefaces() -> list[Typeface]:
    """List the typefaces of the embedded set; of two near-copies that of the earlier is kept."""
    with open(_TABLE, encoding="utf-8", newline="") as file:
        return [Typeface(**row) for row in csv.DictReader(file, delimiter="\t")]


@contextmanager
def unpacked(sources: Path | None) -> Iterator[Path]:
    """Provide a folder with each package unpacked in a folder of its name.

    Args:
        sources: a folder with the packages as ``apt-get download`` names them; by default they
            are downloaded.

    Raises:
        RecallkitError: if the tools or a package are missing.
    """
    versions = {t.package: t.version for t in typefaces()}
    with tempfile.TemporaryDirectory() as temporary:
        if sources is None:
            sources = Path(temporary, "archives")
            sources.mkdir()
            for package, version in tqdm(versions.items(), desc="downloading typefaces"):
                _run(["apt-get", "download", "-qq", f"{package}={version}"], sources)
        sources = Path(sources).resolve()
        _check_complete(sources, versions)
        for package, version in tqdm(versions.items(), desc="unpacking typefaces"):
            archive = _find_archive(sources, package, version)
            _run(["dpkg-deb", "-x", str(archive), package], Path(temporary))
        yield Path(temporary)


def _find_archive(folder: Path, package: str, version: str) -> Path | None:
    """Find the file of a package; the colon of an epoch in its name is spelt in two ways."""
    names = {f"{package}_{v}_all.deb" for v in (version, version.replace(":", "%3a"))}
    return next((folder / name for name in sorted(names) if (folder / name).is_file()), None)


def _check_complete(folder: Path, versions: dict[str, str]) -> None:
    missing = [f"{p}={v}" for p, v in versions.items() if _find_archive(folder, p, v) is None]
    if missing:
        lines = "\n".join(f"  apt-get download {package}" for package in missing)
        raise RecallkitError(
            f"these packages of Debian 12 are missing in {folder}. Download them there:\n{lines}"
        )


def _run(command: list[str], folder: Path) -> None:
    """Run a tool of Debian in ``folder``."""
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise RecallkitError(
            f"there is no {command[0]} here: the typefaces come as packages of Debian 12. Run this "
            "on Debian, or give typefaces of your own with --fonts."
        ) from None
    except subprocess.CalledProcessError as error:
        raise RecallkitError(
            f"`{' '.join(command)}` failed: {error.stderr.strip() or 'it gave no reason'}. The "
            "packages are those of Debian 12 (bookworm); `apt-get update` may help."
        ) from error


def find(folder: Path) -> dict[Typeface, Path]:
    """Find the files of all typefaces below ``folder``, which :func:`unpacked` provides.

    Raises:
        RecallkitError: naming a file that is missing, or that the embedded set is not made from.
    """
    return {typeface: _find_one(folder, typeface) for typeface in typefaces()}


def _find_one(folder: Path, typeface: Typeface) -> Path:
    files = sorted((folder / typeface.package).rglob(typeface.file))
    if not files:
        raise RecallkitError(
            f"the package {typeface.package} {typeface.version} has no {typeface.file}, "
            f"the typeface {typeface.name}"
        )
    if _sha256(files[0]) != typeface.sha256:
        raise RecallkitError(
            f"{typeface.file} of {typeface.package} is not the file that the glyphs were made from "
            f"(SHA-256 {typeface.sha256[:16]}…). Take version {typeface.version}."
        )
    return files[0]


def find_own(folder: Path) -> dict[Typeface, Path]:
    """Find the user's typefaces in ``folder`` and below, by name.

    Raises:
        RecallkitError: if there is no such folder, or no typeface in it, or two have one name.
    """
    if not folder.is_dir():
        raise RecallkitError(
            f"there is no folder {folder}: --fonts must name a folder with typefaces."
        )
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise RecallkitError(f"there is no typeface in {folder}: no .ttf, .otf or .ttc file.")
    named = {Typeface(p.stem.lower(), "", "", p.name, "", _sha256(p)): p for p in files}
    names = [typeface.name for typeface in named]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise RecallkitError(f"{folder} has several files called {doubled[0]}: rename all but one.")
    return named


def copy_licences(folder: Path, target: Path) -> None:
    """Copy the copyright file of each package in ``folder`` to ``target/PACKAGE.txt``."""
    target.mkdir(parents=True, exist_ok=True)
    for package in sorted({t.package for t in typefaces()}):
        source = folder / package / "usr" / "share" / "doc" / package / "copyright"
        shutil.copyfile(source, target / f"{package}.txt")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
