"""Trust for notebooks that came with recallkit, so that their explorables live when opened."""

from collections.abc import Iterable
from pathlib import Path


def trust_notebooks(paths: Iterable[Path]) -> None:
    """Sign notebooks, as ``jupyter trust`` does.

    JupyterLab runs the scripts in the outputs of a signed notebook. A notebook that is changed
    outside of JupyterLab is no longer signed.

    Args:
        paths: of notebooks whose outputs the user need not fear: those that come with recallkit,
            whose code runs on this machine already.
    """
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()
    for path in paths:
        notary.sign(nbformat.read(path, as_version=4))
