"""Mixing across domains: digits on black to digits on textures."""

from functools import cache

from recallkit.data import DomainPair, load_textured_digits
from recallkit.studies.domain_training import METHODS, adapt, outcome_of
from recallkit.studies.study import Outcome, Study


@cache
def _pair() -> DomainPair:
    return load_textured_digits()


def run(method: str, learning_rate: float, seed: int) -> Outcome:
    """Train with one method; see :func:`.adapt`."""
    return outcome_of(adapt(method, _pair(), learning_rate, seed), _pair())


STUDY = Study(
    name="domain-mixup-textures",
    question="From digits on black to digits on textures: what do mixtures across domains give?",
    tuned="learning_rate",
    candidates=dict.fromkeys(METHODS, (0.0005, 0.001, 0.002)),
    run=run,
    shown=("accuracy", "best on test labels", "source validation"),
    note="Tuned on the cross-entropy of validation images of the source: no label of the target.",
)
