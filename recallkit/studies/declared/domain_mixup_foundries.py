"""Mixing across domains: the emoji of one foundry to those of another."""

from recallkit.data import load_between_foundries
from recallkit.studies.domain_training import domain_study

STUDY = domain_study(
    "domain-mixup-foundries",
    "From one foundry to another: what do mixtures across domains give?",
    load_between_foundries,
)
