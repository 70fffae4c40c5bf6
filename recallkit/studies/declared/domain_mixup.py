"""Mixing across domains: printed digits to handwritten ones."""

from recallkit.data import load_printed_to_handwritten
from recallkit.studies.domain_training import domain_study

STUDY = domain_study(
    "domain-mixup",
    "From printed digits to handwritten ones: what do mixtures across domains give?",
    load_printed_to_handwritten,
)
