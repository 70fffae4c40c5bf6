"""Stored runs that nobody ran: every run of a sweep, with recalls that follow from its settings."""

from recallkit.experiments.plan import Stored, make_plan


def made_up_runs(sweep, recall, rise=0.001, lacks=lambda config: False, stored=None):
    """All runs of a sweep but those that ``lacks`` says; best at a rate of 0.002.

    Args:
        sweep: of which.
        recall: config → R@1 at the end, but for the rate.
        rise: from the first of two looks to the last.
        lacks: config → whether that run is left out.
        stored: to add to; None: to nothing.
    """
    stored = Stored() if stored is None else stored
    while due := [run for run in make_plan(sweep, stored).due if not lacks(run.config)]:
        for run in due:
            config, last = run.config, recall(run.config) - abs(run.config.learning_rate - 0.002)
            steps = config.images // config.batch_size
            tested = {"trained": {"R@1": last, "mAP@R": last / 2}}
            looks = [(steps // 2, 5.0, last - rise), (steps, 10.0 + config.seed, last)]
            getattr(stored, run.stage)[config] = {
                "config": vars(config),
                "seed": config.seed,
                "test": tested if run.stage == "final" else {},
                "validation": [
                    {"step": n, "images": n * config.batch_size, "seconds": s, "R@1": r}
                    for n, s, r in looks
                ],
            }
    return stored
