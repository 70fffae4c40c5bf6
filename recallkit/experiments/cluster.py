"""Runs of a sweep as jobs of Slurm, or of this machine, through submitit.

A job goes on when the process that began it is killed. Where it reaches its time limit or gives way
to another one, Slurm begins it again, and it continues from its last save.
"""

import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from recallkit.errors import RecallkitError, needs_extra
from recallkit.experiments.jobs import FAILED, Job, Task, run_task

with needs_extra("recallkit ablate --executor"):
    import submitit
    from submitit.core.utils import FailedJobError
    from submitit.local.local import LocalJob

Cluster = Literal["slurm", "local"]


class _Resumable(submitit.helpers.Checkpointable):
    """A run that may be begun again."""

    def __call__(self, task: Task) -> int:
        return run_task(task)


class ClusterJob:
    """A run as a job."""

    def __init__(self, task: Task, executor: submitit.Executor) -> None:
        self.log = task.log
        try:
            self.job = executor.submit(_Resumable(), task)
        except FailedJobError as error:
            raise RecallkitError(
                f"the job of {task.folder} was not accepted: {' '.join(str(error).split())}"
            ) from error

    def poll(self) -> int | None:
        """Return how it ended, or None while it waits or runs."""
        if not self.job.done():
            return None
        error = self.job.exception()
        if error is None:
            return self.job.result()
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"\n{error}\nthe job {self.job.job_id} ended without a result")
        return FAILED

    def stop(self) -> None:
        """Ask it to save its state and end."""
        if isinstance(self.job, LocalJob):
            os.kill(int(self.job.job_id), signal.SIGTERM)  # its own way leaves it a second
        else:
            self.job.cancel()


def cluster_launcher(
    cluster: Cluster, folder: Path, parameters: Sequence[str] = ()
) -> Callable[[Task], Job]:
    """Return what begins the runs of a sweep as jobs, for :func:`.ablate`.

    Args:
        cluster: "slurm", or "local": processes of this machine that see all its GPUs.
        folder: for the files of the jobs, which all machines see.
        parameters: of Slurm, each as "key=value" by submitit's names: partition, time (minutes),
            gpus_per_node, cpus_per_task, mem, account, …

    Raises:
        RecallkitError: if there is no Slurm here.
        ValueError: naming a parameter that does not exist.
    """
    if cluster == "local":
        executor: Any = submitit.LocalExecutor(folder)
        executor.update_parameters(
            timeout_min=60 * 24 * 365, gpus_per_node=torch.cuda.device_count()
        )
        return lambda task: ClusterJob(task, executor)
    try:
        executor = submitit.SlurmExecutor(folder)
    except RuntimeError as error:
        raise RecallkitError(f"there is no Slurm here: {error}") from None
    try:
        executor.update_parameters(job_name="recallkit", **dict(map(_parameter, parameters)))
    except ValueError as error:
        raise ValueError(f"--slurm: {' '.join(str(error).split())}") from None
    return lambda task: ClusterJob(task, executor)


def _parameter(text: str) -> tuple[str, Any]:
    """Read "time=120" as ("time", 120); what is no JSON is text."""
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"it takes key=value, such as partition=gpu, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
