"""Downloading a published archive: checked by its MD5, and unpacked inside its folder."""

import tarfile
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from recallkit.errors import RecallkitError, needs_extra

__all__ = ["Archive", "fetch"]


@dataclass(frozen=True)
class Archive:
    """A published ``.tar.gz`` or ``.tgz`` file.

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
    """Download an archive into ``folder``, check it, and unpack it there.

    A file that is there already and has the right MD5 is not downloaded again. The archive may be
    deleted afterwards.

    Returns:
        The folder that it unpacked to.

    Raises:
        RecallkitError: torchvision is not installed; no connection; a file that is not the
            published one; a full disk; an entry that would be written outside of ``folder``.
    """
    with needs_extra("downloading"):
        from torchvision.datasets.utils import download_url
    try:
        download_url(archive.url, folder, archive.name, archive.md5)
    except (OSError, HTTPException) as error:
        raise RecallkitError(
            f"{archive.url} cannot be downloaded into {folder} ({error}). Run the same command "
            f"again, or download the file yourself, put it there, and run the command then."
        ) from error
    except RuntimeError as error:  # what torchvision raises for another checksum
        (folder / archive.name).unlink(missing_ok=True)
        raise RecallkitError(
            f"{archive.url} did not give the file that its makers publish (MD5 {archive.md5}). "
            f"The connection may have broken off; what came has been deleted. Run the same command "
            f"again."
        ) from error
    _unpack(folder / archive.name, folder)
    return folder / archive.folder


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a tar archive, never outside of ``folder``.

    torchvision's ``extract_archive`` would follow an entry such as ``../x`` or a link out of the
    folder; the filter "data" refuses both.
    """
    try:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise RecallkitError(
            f"{path} is refused: {error}. Nothing of that entry was written."
        ) from error
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise RecallkitError(
            f"{path} cannot be unpacked ({error}): it is truncated or the disk is full. Delete it "
            f"and download it again."
        ) from error
