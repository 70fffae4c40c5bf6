"""The studies of the project by name; each is declared in a file of its own in ``declared/``."""

from importlib import import_module

from recallkit.errors import RecallkitError, did_you_mean
from recallkit.files import PACKAGE
from recallkit.studies.study import Study

STUDY_NAMES = sorted(
    path.stem.replace("_", "-")
    for path in (PACKAGE / "studies" / "declared").glob("*.py")
    if not path.stem.startswith("_")
)


def find_study(name: str) -> Study:
    """Return the study of a name.

    Raises:
        RecallkitError: if there is none.
    """
    if name not in STUDY_NAMES:
        known = f"there are {', '.join(STUDY_NAMES)}"
        raise RecallkitError(
            f"there is no study {name!r}; {did_you_mean(name, STUDY_NAMES) or known}"
        )
    return import_module(f"recallkit.studies.declared.{name.replace('-', '_')}").STUDY
