"""Settings, times and threads in words, as tables, figures and commands show them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

Setting = Mapping[str, Any]

_WORDS = {
    "batch_size": "batch {}",
    "simix": "SiMix {}",
    "ks": "K = {}",
    "rank_temperature": "τ₂ = {}",
    "k_temperature": "τ₁ = {}",
    "loss": "{}",
    "query_in_database": "query in its database {}",
    "per_class": "{} images a class",
    "images": "{} images",
    "classes": "{} training classes",
    "circle_gamma": "γ = {}",
    "uniloss_temperature": "temperature {}",
}

_LOSSES = {
    "recall@k": "RS@k",
    "recall@k-no-cap": "RS@k without cap",
    "recall@k-over-positives": "RS@k over positives",
    "recall@k-over-k": "RS@k over k",
    "smooth-ap": "Smooth-AP",
    "nt-xent": "NT-Xent",
    "proxy-anchor": "ProxyAnchor",
    "uniloss": "UniLoss",
}


_SIMIX = {
    "none": "all of SiMix",
    "queries": "only as queries",
    "gallery": "only in the gallery",
    "no-relatives": "parents not counted",
    "middle": "α = ½",
    "ends": "α near 0 or 1",
}


def in_words(values: Setting) -> str:
    """Return settings as a label, such as "batch 512, SiMix on"; "preset" if nothing is changed."""
    if not values.get("simix", True):  # without SiMix there is none of its elements
        values = {name: value for name, value in values.items() if name != "simix_variant"}
    return ", ".join(map(_one_in_words, values, values.values())) or "preset"


def _one_in_words(name: str, value: Any) -> str:
    if (name, value) == ("classes", 0):
        return "all training classes"
    if name == "simix_variant":
        return _SIMIX[value]
    return _WORDS.get(name, f"{name.replace('_', ' ')} {{}}").format(as_text(value))


def changes_in_words(before: Setting, after: Setting) -> str:
    """Return those settings in words that have another value before."""
    return in_words({name: value for name, value in after.items() if value != before[name]})


def as_text(value: Any) -> str:
    """Return the value of a setting as a label: on, off, none, {1, 2, 4}, 4,096, 0.01, RS@k."""
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case tuple():
            return "{" + ", ".join(map(as_text, value)) + "}"
        case int():
            return f"{value:,}"
        case float():
            return np.format_float_positional(value, trim="-")
    return _LOSSES.get(value, str(value))


def with_short_sets(text: str) -> str:
    """Cut sets of eight numbers or more in a label: {1, 2, 4, …, 32}."""
    return re.sub(r"\{(\d+, \d+, \d+), (?:\d+, ){4,}(\d+)\}", r"{\1, …, \2}", text)


def say_threads(count: int) -> str:
    """Return a number of threads in words."""
    return "1 thread" if count == 1 else f"{count} threads"


def as_time(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
