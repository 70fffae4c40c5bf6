"""The maths of the explorables against the Python code that they teach, to 1e-10."""

from functools import cache

import pytest
from helpers.golden import losses, ranks, recall
from helpers.javascript import MATHS, Module, differences

from recallkit.course.explorables.bundle import exported_names

GOLDEN = {
    "sigmoid.js": {
        "step": ranks.step,
        "sigmoid": ranks.sigmoid,
        "sigmoidSlope": ranks.sigmoid_slope,
    },
    "ranks.js": {
        "relaxedRanks": ranks.relaxed,
        "ranksAmongPositives": ranks.among_positives,
        "trueRanks": ranks.true,
        "similarityGradient": ranks.similarity_gradient,
    },
    "recall.js": {
        "recallDivisor": recall.divisor,
        "trueRecall": recall.true,
        "softCounts": recall.counts,
        "cappedCount": recall.capped,
        "softRecall": recall.soft,
        "recallLoss": recall.loss,
        "recallLossGradient": recall.loss_gradient,
        "rankPull": recall.pull,
        "lossFloor": recall.floor,
    },
    "pairs.js": {
        "batchQueries": losses.batch_queries,
        "listQueries": losses.list_queries,
        "zeros": losses.zeros,
    },
    "rank_losses.js": {
        "tableRanks": losses.table_ranks,
        "recallAtKLoss": losses.recall_at_k,
        "smoothAPLoss": losses.smooth_ap,
    },
    "pair_losses.js": {
        "tripletLoss": losses.triplet,
        "contrastiveLoss": losses.contrastive,
        "ntXentLoss": losses.nt_xent,
    },
    "losses.js": {"lossOf": losses.loss_of},
}
FUNCTIONS = [(file, name) for file, names in GOLDEN.items() for name in names]


@cache
def cases(file, name):
    """The golden cases of a function, computed once."""
    return list(GOLDEN[file][name]())


@cache
def module(file):
    """A module of the checkout, evaluated once."""
    return Module(MATHS / file)


def test_every_exported_function_has_golden_cases():
    exported = {path.name: exported_names(path) for path in MATHS.glob("*.js")}
    assert {file: sorted(names) for file, names in exported.items()} == {
        file: sorted(names) for file, names in GOLDEN.items()
    }


@pytest.mark.parametrize(("file", "name"), FUNCTIONS)
def test_a_function_agrees_with_python(file, name):
    assert len(cases(file, name)) >= 50
    for arguments, expected in cases(file, name):
        wrong = differences(module(file)(name, *arguments), expected)
        assert not wrong, f"{name}{tuple(arguments)}: {wrong}"
