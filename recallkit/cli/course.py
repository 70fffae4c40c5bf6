"""The subcommands ``lab`` and ``notebooks``."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tyro.conf import Positional

from recallkit.cli.shared import call
from recallkit.errors import RecallkitError, missing_extra
from recallkit.files import checkout

COURSE = Path("recallkit-course")


def lab(arguments: list[str]) -> None:
    """Open the course as ``arguments`` say; those after ``--`` are JupyterLab's."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    call(lab_command(arguments[end + 1 :]), "lab", arguments[:end])


def lab_command(flags: list[str]) -> Callable[[Path], None]:
    """Make the subcommand ``lab`` with ``flags`` for JupyterLab."""

    def lab(folder: Positional[Path] = COURSE) -> None:
        """Copy the notebooks to a folder, and open JupyterLab.

        JupyterLab opens in that folder, and the originals stay as they are. When the folder
        exists, new notebooks are added and unchanged ones are updated. A file that you have
        changed is kept; rename it to get a fresh copy. Flags after -- go to JupyterLab.

        Examples:
          recallkit lab
          recallkit lab my-course
          recallkit lab my-course -- --port 9000 --no-browser
          recallkit lab -- --allow-root     (as root, for instance in a container)

        Args:
            folder: your folder for the notebooks.
        """
        from recallkit.course.copying import copy_course

        for line in copy_course(folder).lines():
            print(line, flush=True)
        open_lab(folder, flags)

    return lab


def open_lab(folder: Path, flags: list[str]) -> None:
    """Run JupyterLab in ``folder``, and end with its status.

    Raises:
        RecallkitError: if it is not installed, or would refuse to run as root.
    """
    if find_spec("jupyterlab") is None:
        raise missing_extra("recallkit lab", "course", "jupyterlab")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and "--allow-root" not in flags:
        raise RecallkitError(
            "JupyterLab does not run as root unless you allow it. "
            f"Run: recallkit lab {folder} -- --allow-root"
        )
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder}", *flags]
    sys.exit(subprocess.run(command).returncode)


def notebooks(names: Positional[tuple[str, ...]] = (), folder: Path | None = None) -> None:
    """Execute notebooks, and store them with figures.

    The environment variable RECALLKIT_PROFILE sets the sizes: smoke, cpu or gpu. A notebook is
    written only when all its cells ran.

    Examples:
      recallkit notebooks
      recallkit notebooks 01 06_batch_size
      recallkit notebooks 01 --folder recallkit-course

    Args:
        names: how the names of the notebooks begin, or paths. The default: all.
        folder: the folder of the notebooks. The default: that of the checkout, or your copy in
            ./recallkit-course.
    """
    from recallkit.course.notebooks import execute_notebooks, find_notebooks
    from recallkit.course.profiles import profile

    if folder is None and not (names and all(Path(name).is_file() for name in names)):
        folder = _notebooks_to_write()
    paths = find_notebooks(names, folder)
    print(f"profile {profile().name}, {len(paths)} notebooks")
    execute_notebooks(paths)


def _notebooks_to_write() -> Path:
    """Return the notebooks of the checkout, or the user's copy of them.

    Raises:
        RecallkitError: if there is neither.
    """
    root = checkout()
    folder = COURSE if root is None else root / "notebooks"
    if not folder.is_dir():
        raise RecallkitError(f"there is no folder {folder}. Copy the notebooks: recallkit lab")
    return folder
