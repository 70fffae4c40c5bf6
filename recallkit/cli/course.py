"""The subcommands ``lab`` and ``notebooks``."""

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

from tyro.conf import Positional

from recallkit.errors import RecallkitError

if TYPE_CHECKING:
    pass


def lab() -> None:
    """Open JupyterLab on the notebooks.

    Examples:
      recallkit lab
    """
    from recallkit.course.notebooks import course_folder

    folder = course_folder()
    if importlib.util.find_spec("jupyterlab") is None:
        raise RecallkitError("JupyterLab is not installed. Run: pip install jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder}"]
    sys.exit(subprocess.run(command).returncode)


def notebooks(names: Positional[tuple[str, ...]] = ()) -> None:
    """Execute notebooks of the course, and write them back with their figures.

    Sizes are those of the profile that RECALLKIT_PROFILE names: smoke, cpu or gpu. A notebook
    is written only when all its cells ran.

    Examples:
      recallkit notebooks
      recallkit notebooks 01 06_batch_size

    Args:
        names: the beginnings of their names, or paths; by default all.
    """
    from recallkit.course.notebooks import execute_notebooks, find_notebooks
    from recallkit.course.profiles import profile

    found = find_notebooks(names)
    print(f"profile {profile().name}, {len(found)} notebooks")
    execute_notebooks(found)
