"""Runs as jobs, and the claims by which processes share a sweep: each run is trained once."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from filelock import Timeout
from helpers.trees import write_images

from recallkit.errors import MissingExtraError, RecallkitError
from recallkit.experiments import Sweep, SweepOptions, ablate, load_results
from recallkit.experiments import jobs as jobs_module
from recallkit.experiments.jobs import FAILED, STOPPED, STORED, TAKEN, Task, run_task
from recallkit.experiments.plan import Run


@pytest.fixture
def sweep(tmp_path):
    """A training of two steps on images in files, which every process can read."""
    write_images(tmp_path / "images")
    small = {"images": 32, "batch_size": 16, "image_size": 16, "embedding_dim": 4}
    base = small | {"dataset": str(tmp_path / "images"), "evaluations": 1}
    return Sweep("shared", "?", "emoji", ({"flip": False},), base=base, tuned={}, seeds=(0,))


def options(tmp_path, **others):
    chosen = {"results": tmp_path / "results", "work": tmp_path / "work", "device": "cpu"}
    return SweepOptions(**{**chosen, "jobs": 1, "threads": 1, **others})


@pytest.fixture
def task(tmp_path, sweep):
    run = Run("final", sweep.config(sweep.compared[0]))
    return Task(sweep, run, options(tmp_path))


@pytest.fixture
def cluster():
    pytest.importorskip("submitit")
    from recallkit.experiments import cluster

    return cluster


def suppressing(*arguments):
    """Be told to stop where errors of all kinds are handled."""
    for kind in (RecallkitError, Exception):
        with suppress(kind):
            signal.raise_signal(signal.SIGTERM)
    return False


@pytest.mark.parametrize("place", ["do_run", "_run_claimed"])
def test_a_stop_before_the_training_is_no_error_that_anyone_handles(task, monkeypatch, place):
    monkeypatch.setattr(os, "dup2", lambda *files: None)  # stderr stays that of the tests
    monkeypatch.setattr(jobs_module, place, suppressing)
    assert run_task(task) == STOPPED
    assert not task.result().exists()


def holder(task, then):
    """Claim the run in another process, which then does what is said; wait until it has it."""
    code = (
        "import os, signal, sys\nfrom filelock import SoftFileLease\n"
        "lease = SoftFileLease(sys.argv[1], lease_duration=float(sys.argv[2]))\n"
        f"lease.acquire(); print('claimed', flush=True); {then}"
    )
    with task.claim() as lease:
        path = lease.lock_file
    command = [sys.executable, "-c", code, path, str(jobs_module.CLAIM_SECONDS)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **pipes)
    assert process.stdout.readline() == "claimed\n"
    return process


def test_a_claimed_run_is_trained_by_nobody_else_until_its_holder_is_dead(task):
    process = holder(task, "sys.stdin.read()")
    try:
        with pytest.raises(Timeout):
            task.claim().acquire()
        assert run_task(task) == TAKEN
        assert not task.folder.exists()
    finally:
        process.kill()
        process.communicate()
    with task.claim():  # at once
        pass


def test_a_holder_that_shows_no_life_loses_its_claim(task, monkeypatch):
    """So it is with one on another machine, whose process cannot be seen."""
    monkeypatch.setattr(jobs_module, "CLAIM_SECONDS", 1.0)
    process = holder(task, "os.kill(os.getpid(), signal.SIGSTOP)")
    claim, began = task.claim(), time.monotonic()
    try:
        while not claim.is_locked and time.monotonic() - began < 120:
            try:
                claim.acquire()
            except Timeout:
                time.sleep(0.1)
        assert claim.is_locked
        assert time.monotonic() - began >= 1.0
    finally:
        process.kill()
        process.communicate()
        claim.release()


def test_a_holder_that_lost_its_claim_stops(task, monkeypatch):
    monkeypatch.setattr(jobs_module, "CLAIM_SECONDS", 0.3)
    signals = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))
    try:
        with task.claim() as lease:
            os.unlink(lease.lock_file)
            began = time.monotonic()
            while not signals and time.monotonic() - began < 120:
                time.sleep(0.05)
        assert signals == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_another_process_has_just_stored_is_not_trained(task):
    task.result().parent.mkdir(parents=True)
    task.result().touch()
    assert run_task(task) == STORED
    assert not task.folder.exists()


def test_two_sessions_at_once_train_a_run_once(tmp_path, sweep, cluster):

    def session(name):
        chosen = options(tmp_path, work=tmp_path / name, executor="local")
        return ablate(sweep, chosen, progress=False)

    with ThreadPoolExecutor(2) as pool:
        plans = list(pool.map(session, "ab"))
    assert [len(plan.stored) for plan in plans] == [1, 1]
    assert len(list(tmp_path.glob("[ab]/shared/*/config.json"))) == 1
    assert len(load_results(tmp_path / "results")) == 1
    assert list((tmp_path / "results" / "claims").iterdir()) == []


def await_end(job):
    while (status := job.poll()) is None:
        time.sleep(0.1)
    return status


def test_a_killed_job_frees_its_run_and_the_next_one_continues_it(tmp_path, task, cluster):
    launch = cluster.cluster_launcher("local", tmp_path / "jobs")
    config = replace(task.run.config, images=16 * 60, evaluations=20)
    task = replace(task, run=Run("final", config))
    job, log = launch(task), task.folder / "metrics.jsonl"
    while not log.exists():
        time.sleep(0.05)
    os.kill(task.claim().pid, signal.SIGKILL)
    assert await_end(launch(task)) == STORED
    assert len(log.read_text().splitlines()) == 20  # the first ones are those of the killed job
    assert len(load_results(tmp_path / "results")) == 1
    job.job._results_timeout_s = 0
    assert await_end(job) == FAILED


SBATCH = """#!/bin/bash
cp "$1" "$PWD/submitted.sh"
export SLURM_JOB_ID=7 SLURM_NTASKS=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
export SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here
(bash "$1" > "$PWD/out" 2>&1; touch "$PWD/ended") > /dev/null 2>&1 &
echo "Submitted batch job 7"
"""
SRUN = """#!/bin/bash
while [[ "$1" == -* ]]; do
    if [[ "$1" == *=* || "$1" == --unbuffered ]]; then shift; else shift 2; fi
done
exec "$@"
"""
SACCT = """#!/bin/bash
echo "JobID|State|NodeList"
if [ -e "$PWD/ended" ]; then echo "7|COMPLETED|here"; else echo "7|RUNNING|here"; fi
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A Slurm that runs each job at once, on this machine."""
    (tmp_path / "bin").mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def test_a_job_of_slurm_has_its_parameters_and_stores_its_run(tmp_path, task, slurm, cluster):
    parameters = ("partition=gpu", "time=90", "gpus_per_node=1", "gres=disk:1")
    launch = cluster.cluster_launcher("slurm", tmp_path / "jobs", parameters)
    assert await_end(launch(task)) == STORED
    script = (tmp_path / "submitted.sh").read_text()
    for line in ("partition=gpu", "time=90", "gpus-per-node=1", "gres=disk:1"):
        assert f"#SBATCH --{line}\n" in script
    assert len(load_results(tmp_path / "results")) == 1


def test_what_slurm_refuses_is_one_line(tmp_path, task, slurm, cluster):
    for bad, message in {"partiton=x": "partiton", "gpu": "takes key=value"}.items():
        with pytest.raises(ValueError, match=f"--slurm.*{message}") as error:
            cluster.cluster_launcher("slurm", tmp_path / "jobs", [bad])
        assert "\n" not in str(error.value)
    launch = cluster.cluster_launcher("slurm", tmp_path / "jobs")
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/bash\necho no such partition >&2; exit 1\n")
    with pytest.raises(RecallkitError, match="no such partition"):
        launch(task)


def test_without_slurm_it_says_so(tmp_path, monkeypatch, cluster):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecallkitError, match="no Slurm here"):
        cluster.cluster_launcher("slurm", tmp_path / "jobs")


def test_a_missing_submitit_is_named_with_its_extra(tmp_path, sweep, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.delitem(sys.modules, "recallkit.experiments.cluster", raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install "recallkit\[cluster\]"'):
        ablate(sweep, options(tmp_path, executor="local"), progress=False)
