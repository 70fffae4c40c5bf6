"""Stored runs that nobody ran: every run of a sweep, with recalls that follow from its settings."""

from dataclasses import asdict

from recallkit.experiments import load_results
from recallkit.experiments.plan import Stored, make_plan, place
from recallkit.files import write_json


def made_up_result(config, validation, test=None, rise=0.001, **others):
    """What a run stores: two evaluations, and metrics on test classes unless ``test`` is None."""
    steps = config.images // config.batch_size
    evaluations = [(steps // 2, 5.0, validation - rise), (steps, 10.0 + config.seed, validation)]
    return {
        "config": asdict(config),
        "seed": config.seed,
        "test": {} if test is None else {"trained": {"R@1": test, "mAP@R": test / 2}},
        "validation": [
            {
                "step": step,
                "images": step * config.batch_size,
                "seconds": seconds,
                "processor_seconds": 2 * seconds,
                "R@1": recall,
            }
            for step, seconds, recall in evaluations
        ],
        "seconds": 10.0 + config.seed,
        "processor_seconds": 20.0 + 2 * config.seed,
        "device": "a processor",
        "threads": 1,
        "commit": "abc1234567",
    } | others


def made_up_runs(folder, sweep, recall, rise=0.001, lacks=lambda c: False, others=lambda c: {}):
    """Store all runs of a sweep; the best learning rate is 0.002.

    Args:
        folder: of results.
        sweep: of which.
        recall: config → R@1 at the end, but for the learning rate; None: the run diverged.
        rise: from the first of two evaluations to the last.
        lacks: config → whether that run is left out.
        others: config → further fields of the result.

    Returns:
        What :func:`.load_results` gives of the folder.
    """
    while due := [run for run in _due(folder, sweep) if not lacks(run.config)]:
        for run in due:
            value = recall(run.config)
            path = place(folder, sweep, run, diverged=value is None)
            if value is None:
                write_json(path, {"config": asdict(run.config), "seed": run.config.seed})
                continue
            last = value - abs(run.config.learning_rate - 0.002)
            test = last if run.stage == "final" else None
            write_json(path, made_up_result(run.config, last, test, rise, **others(run.config)))
    return load_results(folder)


def _due(folder, sweep):
    return make_plan(sweep, Stored.of(load_results(folder))).due
