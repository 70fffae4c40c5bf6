"""Every notebook runs, on the smoke profile, and gives again the outputs marked for checking."""

import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest
from helpers.processes import untraced

from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import code_cells
from recallkit.files import embedded

PATHS = find_notebooks()
FOLDER = embedded("notebooks")
# Only these: the others of the tests take two seconds to load, each time.
PLUGINS = ["-p", "nbval.plugin", "-p", "pytest_timeout"]  # the timeout of pyproject.toml
CELL_SECONDS = 300  # generous: only a cell that hangs takes so long


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_runs_under_nbval(path, tmp_path):
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", *PLUGINS, "--nbval-lax", "--nbval-current-env"]
    command += [f"--nbval-cell-timeout={CELL_SECONDS}", "-p", "no:cacheprovider", "--tb=short"]
    command += [f"--junitxml={report}", str(path)]
    environment = untraced() | {"RECALLKIT_PROFILE": "smoke", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    before = _files()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert int(suite.get("tests")) == len(code_cells(nbformat.read(path, as_version=4))) > 0
    assert {suite.get(kind) for kind in ("failures", "errors", "skipped")} == {"0"}
    assert _files() == before  # it ran there, and wrote elsewhere


def _files():
    paths = [path.relative_to(FOLDER) for path in FOLDER.rglob("*")]
    visible = (path for path in paths if not any(part.startswith(".") for part in path.parts))
    return {path: (FOLDER / path).stat().st_mtime_ns for path in visible}
