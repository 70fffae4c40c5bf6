"""JupyterLab on copies of the notebooks, and a headless Chromium to open it with."""

import json
import math
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
from helpers.processes import end, untraced

from recallkit.files import embedded

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--window-size=1280,1700",
]
FIRST_ANSWER = 45  # seconds
SETTINGS = {
    # Every cell is in the page, whether it can be seen or not.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@pytest.fixture(scope="session")
def artefacts():
    """The folder for images and times."""
    default = Path(__file__).parent / "artefacts"
    folder = Path(os.environ.get("RECALLKIT_ARTEFACTS") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Lab:
    """JupyterLab that runs; called with the name of a notebook, it gives its URL.

    Attributes:
        folder: of the notebooks.
        url: with a place for the name.
    """

    folder: Path
    url: str

    def __call__(self, name):
        return self.url.format(name=name)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebooks, smoke profile."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(embedded("notebooks"), folder / "notebooks")
    _write_settings(folder / "settings")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", "--port-retries=0", "--expose-app-in-browser"]
    command += [f"--IdentityProvider.token={token}", f"--notebook-dir={folder / 'notebooks'}"]
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(
            command, env=_environment(folder), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(f"{base}/api?token={token}", server, folder / "log.txt")
        yield Lab(folder / "notebooks", f"{base}/lab/tree/{{name}}?token={token}&reset")
    finally:
        end(server)


def _write_settings(folder):
    for name, values in SETTINGS.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def _environment(folder):
    own = {
        "RECALLKIT_PROFILE": "smoke",
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),  # which notebooks are trusted
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    return untraced() | own


def _wait_for(url, server, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture
def browser(tmp_path):
    """A fresh headless Chromium."""
    with _chromium(tmp_path / "profile") as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_browser(tmp_path_factory):
    """One headless Chromium for all tests of a module."""
    with _chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@contextmanager
def _chromium(profile):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and chromedriver: apt-get install chromium chromium-driver")
    pytest.importorskip("selenium.webdriver")
    with _started(program, driver, profile) as opened:
        opened.set_script_timeout(540)
        yield opened


def _started(program, driver, profile):
    """Start Chromium, and once more if it does not answer, as it may not on a busy machine."""
    from selenium import webdriver
    from urllib3.exceptions import ReadTimeoutError

    for folder in (profile, profile.with_name(f"{profile.name}-again")):
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for flag in [*FLAGS, f"--user-data-dir={folder}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        opened = webdriver.Chrome(options, webdriver.ChromeService(executable_path=driver))
        waits = opened.command_executor.client_config
        usual, waits.timeout = waits.timeout, FIRST_ANSWER
        try:
            opened.execute_script("return document.readyState")
            waits.timeout = usual
            return opened
        except ReadTimeoutError:
            opened.service.stop()
    raise RuntimeError(f"Chromium started twice, and did not answer within {FIRST_ANSWER} s")


TIMES = pytest.StashKey[dict]()


@pytest.fixture
def note_times(request, artefacts):
    """A function that keeps how long each thing of a group took, in milliseconds."""

    def note(group, milliseconds):
        times = request.config.stash.setdefault(TIMES, {})
        times[group] = milliseconds
        (artefacts / "milliseconds.json").write_text(json.dumps(times, indent=2) + "\n")

    return note


def pytest_terminal_summary(terminalreporter, config):
    """Say how long a key or a frame took: the median, and what 95 of 100 did not exceed."""
    times = config.stash.get(TIMES, {})
    if not times:
        return
    terminalreporter.section("milliseconds: median, 95th percentile")
    for group, things in times.items():
        for name, values in things.items():
            terminalreporter.line(f"{_median_and_most(values)}  {group}: {name}")
        every = [value for values in things.values() for value in values]
        terminalreporter.line(f"{_median_and_most(every)}  {group}: all {len(every)}")


def _median_and_most(values):
    most = sorted(values)[math.ceil(0.95 * len(values)) - 1]
    return f"{median(values):6.0f} {most:6.0f}"
