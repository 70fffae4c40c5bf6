"""The subcommands ``lab``, ``notebooks`` and ``book``."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from tyro.conf import Positional

from recallkit.cli.shared import call
from recallkit.errors import RecallkitError, did_you_mean, missing_extra
from recallkit.files import checkout, expanded

COURSE = Path("recallkit-course")
OWN_FLAGS = ("-h", "--help", "--copy-only", "--no-copy-only", "--language")
EDITORS = {  # that are open already → a variable that they set
    "Colab": "COLAB_RELEASE_TAG",
    "JupyterHub": "JUPYTERHUB_USER",
    "VS Code": "VSCODE_IPC_HOOK_CLI",
}


def lab(arguments: list[str]) -> None:
    """Open the course as ``arguments`` say; flags that are not ours are JupyterLab's."""
    own, flags = split_flags(arguments)
    call(lab_command(flags), "lab", own)


def split_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split arguments into those of ``recallkit lab`` and those of JupyterLab.

    What stands after ``--`` is JupyterLab's. Before it are the flags that it knows, with their
    values: ``--port 9000``, ``--ServerApp.token=secret``.

    Raises:
        RecallkitError: naming a flag that neither has.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own: list[str] = []
    flags: list[str] = []
    rest = iter(arguments[:end])
    for argument in rest:
        if not argument.startswith("-") or argument.partition("=")[0] in OWN_FLAGS:
            own.append(argument)
            continue
        flags.append(argument)
        if _takes_value(argument):
            flags += islice(rest, 1)
    return own, [*flags, *arguments[end + 1 :]]


def _takes_value(flag: str) -> bool:
    """Tell whether the value of a flag of JupyterLab is the next argument.

    Raises:
        RecallkitError: if it has no such flag.
    """
    name, is_joined, _ = flag.lstrip("-").partition("=")
    plain, with_value = _known_flags()
    if "." in name or name in with_value:
        return not is_joined
    if name not in plain:
        known = [*OWN_FLAGS, *(f"--{known}" for known in (*plain, *with_value) if len(known) > 1)]
        hint = did_you_mean(f"--{name}", known) or "recallkit lab -- FLAG passes on any flag"
        raise RecallkitError(f"neither recallkit lab nor JupyterLab has the flag {flag}; {hint}")
    return False


def _known_flags() -> tuple[set[str], set[str]]:
    """Return the names of JupyterLab's flags: those without a value, and those with one.

    Raises:
        RecallkitError: if it is not installed.
    """
    _check_installed()
    from jupyterlab.labapp import LabApp

    plain = {*map(str, LabApp.flags)}
    return plain, {*map(str, LabApp.aliases)} - plain


def _check_installed() -> None:
    if find_spec("jupyterlab") is None:
        raise missing_extra("recallkit lab", "course", "jupyterlab")


def lab_command(flags: list[str]) -> Callable[..., None]:
    """Make the subcommand ``lab`` with ``flags`` for JupyterLab."""

    def lab(
        folder: Positional[Path] = COURSE, copy_only: bool = False, language: str = "en"
    ) -> None:
        """Copy the notebooks to a folder, and open JupyterLab.

        JupyterLab opens in that folder, and the originals stay as they are. When the folder
        exists, new notebooks are added and unchanged ones are updated. A file that you have
        changed is kept; rename it to get a fresh copy. The copies are trusted, so that their
        figures live before a cell is run. JupyterLab's own flags are passed on to it, and so is
        all that follows --.

        Examples:
          recallkit lab
          recallkit lab my-course
          recallkit lab my-course --no-browser --ip 0.0.0.0 --port 9000    (on a server)
          recallkit lab my-course -- --ServerApp.root_dir=/    (what follows -- is JupyterLab's)
          recallkit lab my-course --copy-only    (in Colab, JupyterHub or VS Code)
          recallkit lab mein-kurs --language de    (what is translated so far: session 01)

        Args:
            folder: your folder for the notebooks.
            copy_only: copy the notebooks and start nothing, where JupyterLab or another editor is
                open already.
            language: of the copies: "en", or one with catalogues in notebooks/locale. What is not
                translated yet stays English.
        """
        from recallkit.course.copying import copy_course
        from recallkit.course.translation import ENGLISH, VARIABLE, course_in
        from recallkit.course.trust import trust_notebooks

        folder = expanded(folder)
        with course_in(language) as source:
            copied = copy_course(folder, source)
        if language != ENGLISH:
            os.environ[VARIABLE] = language
        for line in copied.lines():
            print(line, flush=True)
        ours = [folder / name for name in (*copied.added, *copied.updated)]
        trust_notebooks(path for path in ours if path.suffix == ".ipynb")
        if not copy_only:
            open_lab(folder, flags)

    return lab


def open_lab(folder: Path, flags: list[str]) -> None:
    """Run JupyterLab in ``folder``, and end with its status.

    As root, it is told that it may run; it would refuse otherwise.

    Raises:
        RecallkitError: if it is not installed.
    """
    _check_installed()
    for name, variable in EDITORS.items():
        if variable in os.environ:
            print(f"{name} can open {folder} itself. Next time: recallkit lab --copy-only")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and not any(flag.startswith("--allow-root") for flag in flags):
        print("you are root, so JupyterLab is started with --allow-root", flush=True)
        flags = ["--allow-root", *flags]
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder}", *flags]
    sys.exit(subprocess.run(command).returncode)


def notebooks(
    names: Positional[tuple[str, ...]] = (), folder: Path | None = None, run: bool = True
) -> None:
    """Execute notebooks, and store them with figures.

    The environment variable RECALLKIT_PROFILE sets the sizes: smoke, cpu or gpu. A notebook is
    written only when all its cells ran.

    Examples:
      recallkit notebooks
      recallkit notebooks 01 06_batch_size
      recallkit notebooks 01 --folder recallkit-course
      recallkit notebooks --no-run

    Args:
        names: how the names of the notebooks begin, or paths. The default: all.
        folder: the folder of the notebooks. The default: that of the checkout, or your copy in
            ./recallkit-course.
        run: --no-run keeps the outputs as they are, and renews only the modules of the figures
            that live in the page, after a change of their code.
    """
    from recallkit.course.notebooks import execute_notebooks, find_notebooks, renew_notebooks
    from recallkit.course.profiles import profile

    if folder is None and not (names and all(Path(name).is_file() for name in names)):
        folder = _notebooks_to_write()
    paths = find_notebooks(names, folder)
    if not run:
        return renew_notebooks(paths)
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


def book(out: Path = Path("book"), language: str = "en") -> None:
    """Make a website of the course, for reading without Python.

    It has the stored notebooks, the guide and a reference of all public names. No notebook is
    executed. The pages load nothing from the network, and index.html can be opened from the disk.
    A link that leads nowhere is an error. Where the folder holds an earlier book, that is replaced;
    any other folder with files in it is refused.

    Examples:
      recallkit book
      recallkit book --out public
      recallkit book --language de --out buch

    Args:
        out: the folder of the website.
        language: its code: "en", or one with catalogues in notebooks/locale. What is not translated
            yet stays English. "en-XA" and "ar-XB" are no languages: they show what nobody could
            translate, and a page that is written from the right.
    """
    from recallkit.course.book import build_book

    first_page = build_book(expanded(out), language=language)
    print(f"the book is in {first_page.parent}. Open {first_page} in a browser.")
