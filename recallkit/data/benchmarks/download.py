"""Fetching an archive: resumed where it was left, checked as a whole, unpacked inside a folder."""

import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from recallkit.errors import RecallkitError

_BLOCK = 2**20


_TIMEOUT_S = 60  # without a byte


@dataclass(frozen=True)
class Archive:
    """A published file.

    Attributes:
        url: where its makers keep it.
        md5: of the whole file, as published.
        folder: what it unpacks to.
    """

    url: str
    md5: str
    folder: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]


def fetch(archive: Archive, folder: Path) -> Path:
    """Download into ``folder``, check, unpack there.

    What has been downloaded is kept as ``NAME.part`` and continued by the next call. The archive
    itself may be deleted afterwards.

    Returns:
        The folder that it unpacked to.

    Raises:
        RecallkitError: no connection, a file that is not the published one, a full disk, an entry
            that would be written outside of ``folder``.
    """
    path = folder / archive.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _download(archive.url, path.with_name(f"{path.name}.part"))
            path.with_name(f"{path.name}.part").replace(path)
    except OSError as error:
        raise RecallkitError(
            f"{archive.url} cannot be fetched into {folder} ({error}). What has come is kept: run "
            f"the same command again to go on."
        ) from error
    _check_sum(path, archive)
    unpack(path, folder)
    return folder / archive.folder


def _download(url: str, part: Path) -> None:
    """Append what is missing to ``part``."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and done:  # nothing beyond what is there
                return
            raise
    with answer:
        continued = done and answer.status == 206  # else the server sends the whole once more
        left = int(answer.headers.get("Content-Length") or 0)
        _copy(answer, part, "ab" if continued else "wb", done if continued else 0, left)


def _copy(answer, part: Path, mode: str, done: int, left: int) -> None:
    with (
        part.open(mode) as file,
        tqdm(
            total=done + left or None, initial=done, unit="B", unit_scale=True, desc=part.stem
        ) as bar,
    ):
        while block := answer.read(_BLOCK):
            file.write(block)
            bar.update(len(block))
        if left and bar.n < done + left:
            raise OSError(f"the connection ended after {bar.n:,} of {done + left:,} bytes")


def _check_sum(path: Path, archive: Archive) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        path.unlink()
        raise RecallkitError(
            f"{path} was not the file that its makers publish (md5 {found}, not {archive.md5}) and "
            f"has been deleted. Run the same command again."
        )


def unpack(path: Path, folder: Path) -> None:
    """Unpack a .zip or .tar archive (any compression), never outside of ``folder``.

    Raises:
        RecallkitError: an archive that is truncated, or has an entry that leads out of ``folder``.
    """
    try:
        if zipfile.is_zipfile(path):
            _unpack_zip(path, folder)
        else:
            with tarfile.open(path) as archive:
                archive.extractall(folder, members=_shown(archive), filter="data")
    except (tarfile.FilterError, _LeadsOut) as error:
        raise RecallkitError(
            f"{path} is refused: {error}. Nothing of that entry was written."
        ) from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise RecallkitError(
            f"{path} cannot be unpacked ({error}): it is truncated or the disk is full. Delete it "
            f"and get it anew."
        ) from error


class _LeadsOut(Exception):
    pass


def _shown(archive: tarfile.TarFile):
    return tqdm(archive, desc="unpacking", unit=" files", delay=2, leave=False)


def _unpack_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        for entry in entries:
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
                raise _LeadsOut(f"{entry.filename!r} would be outside the destination")
        for entry in tqdm(entries, desc="unpacking", unit=" files", delay=2, leave=False):
            target = folder / entry.filename
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, _BLOCK)
