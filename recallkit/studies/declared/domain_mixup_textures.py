"""Mixing across domains: digits on black to digits on textures."""

from recallkit.data import load_textured_digits
from recallkit.studies.domain_training import domain_study

STUDY = domain_study(
    "domain-mixup-textures",
    "From digits on black to digits on textures: what do mixtures across domains give?",
    load_textured_digits,
)
