"""Bars where stderr is a file: few states of them."""

import os
import subprocess
import sys

BAR = """
import os, time
from recallkit.cli.terminal import keep_logs_short

before = dict(os.environ)
keep_logs_short()
assert dict(os.environ) == before
from tqdm import tqdm
for _ in tqdm(range(40)):
    time.sleep(0.02)
"""


def states(**variables):
    """How many states of a bar of 0.8 s come through a pipe."""
    done = subprocess.run(
        [sys.executable, "-c", BAR], capture_output=True, env=os.environ | variables, check=True
    )
    return done.stderr.count(b"\r")


def test_a_file_gets_few_states_of_a_bar():
    assert states() <= 2  # the first and the last
    assert states(TQDM_MININTERVAL="0.01", TQDM_MAXINTERVAL="1") > 10  # as the user says
