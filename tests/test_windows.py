"""Windows has none of Unix's own modules: everything imports, trains and evaluates without them."""

import json
import os
import subprocess
import sys

CODE = """
import builtins, json, os, pkgutil, signal, warnings
from importlib import import_module

UNIX = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "triton"}
imported = builtins.__import__

def as_on_windows(name, globals=None, *rest, **others):
    importer = (globals or {}).get("__name__") or ""
    if importer.partition(".")[0] == "recallkit" and name.partition(".")[0] in UNIX:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return imported(name, globals, *rest, **others)

warnings.filterwarnings("error", category=EncodingWarning, module="recallkit")
builtins.__import__ = as_on_windows
import recallkit
names = [module.name for module in pkgutil.walk_packages(recallkit.__path__, "recallkit.")]
failed = {}
for name in names:
    try:
        import_module(name)
    except ImportError as error:
        failed[name] = str(error)

import torch, torchvision, numpy, tensorboard  # what the libraries need is theirs
for name in ("sched_getaffinity", "fork", "setsid", "getuid", "geteuid", "killpg", "getpgid",
             "uname", "sysconf", "getloadavg", "fchmod", "O_DIRECTORY", "mkfifo", "statvfs"):
    delattr(os, name)
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "alarm", "setitimer"):
    delattr(signal, name)

from recallkit import cli, config
small = dict(images=32, batch_size=16, evaluations=1, image_size=16, embedding_dim=8)
config.PRESETS["emoji"] = config.Config(**small)
cli.main(["train", "--out", "mine", "--device", "cpu"])
cli.main(["evaluate", "mine"])
print(json.dumps([len(names), failed]))
"""


def test_nothing_of_unix_is_needed(tmp_path):
    """In a process that also refuses the encoding of the system, which is no UTF-8 there."""
    options = ["-X", "warn_default_encoding", "-W", "ignore"]
    done = subprocess.run(
        [sys.executable, *options, "-c", CODE],
        cwd=tmp_path,
        env=os.environ | {"TRITON_INTERPRET": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    count, failed = json.loads(done.stdout.splitlines()[-1])
    assert count > 100
    assert set(failed) <= {"recallkit.ranks.fused"}  # triton's kernels, which blocks stand in for
