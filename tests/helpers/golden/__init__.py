"""Golden cases: what Python computes in float64, for the functions of the explorables.

A function of this package yields the cases of one JavaScript function: its arguments, and what it
must return. The cases are computed when they are needed, so they cannot lag behind the Python code.
"""

from functools import cache

from helpers.golden import (
    circle,
    corners,
    descent,
    domains,
    geometry,
    losses,
    metrics,
    pixels,
    ranks,
    recall,
    solved,
    toys,
)

GOLDEN = {  # module → function → what yields its cases
    "sigmoid.js": {
        "step": ranks.step,
        "sigmoid": ranks.sigmoid,
        "sigmoidSlope": ranks.sigmoid_slope,
    },
    "ranks.js": {
        "relaxedRanks": ranks.relaxed,
        "ranksAmongPositives": ranks.among_positives,
        "trueRanks": ranks.true,
        "ranksAndSlopes": ranks.with_slopes,
        "throughRanks": ranks.through,
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
        "recallLossAndGradient": recall.loss_and_gradient,
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
    "circle_pair.js": {"circlePair": circle.one_pair, "circleBoundary": circle.boundary},
    "domain_mixing.js": {
        "keepClear": domains.clear,
        "mixedLabel": domains.labels,
        "domainLoss": domains.losses,
        "mixtureLoss": domains.mixtures,
    },
    "interpolation.js": {
        "comparisonsOf": corners.comparisons,
        "cornersOf": corners.all_corners,
        "cornerCounts": corners.counts,
        "cornerValues": corners.values,
        "interpolateCorners": corners.interpolated,
    },
    "pixels.js": {
        "drawThings": pixels.things,
        "classShares": pixels.shares,
        "pixelWeights": pixels.weights,
    },
    "losses.js": {"lossOf": losses.loss_of},
    "pushes.js": {"numberHeard": losses.number_heard, "sharesOfPush": losses.shares},
    "vectors.js": {
        "dot": geometry.dot,
        "norm": geometry.norm,
        "unit": geometry.unit,
        "zerosLike": geometry.zeros,
        "products": geometry.products,
        "onCircle": geometry.circle,
        "degreesOf": geometry.degrees,
    },
    "arcs.js": {
        "arcClasses": geometry.arcs,
        "arcLosses": geometry.losses_of_arcs,
        "withinClassSimilarity": geometry.within_class,
    },
    "simix.js": {
        "mix": geometry.mix,
        "virtualExample": geometry.virtual,
        "sameClassPairs": geometry.pairs,
        "mixBatch": geometry.batch,
    },
    "solved_batch.js": {
        "partlySolved": solved.between,
        "lossAndPush": solved.pushes,
        "perfectRankings": solved.perfect,
    },
    "descent.js": {
        "alongSphere": descent.along,
        "lossOnSphere": descent.on_sphere,
        "learningRate": descent.learning_rate,
        "descendFurther": descent.further,
        "descend": descent.paths,
        "classesTogether": descent.together,
        "fastestMove": descent.fastest,
    },
    "step_memory.js": {"peakMemory": toys.peak},
    "toy_descent.js": {
        "expectedError": toys.error,
        "threeViews": toys.views,
        "bestLearningRate": toys.best_rate,
    },
    "loss_surface.js": {"lossAndPull": toys.one_cell, "lossSurface": toys.surface},
    "metrics.js": {
        "rankingOrder": metrics.order,
        "recallAny": metrics.any_positive,
        "recallShare": metrics.share,
        "precisionAtOne": metrics.precision_at_one,
        "averagePrecision": metrics.average_precision,
        "averagePrecisionAtR": metrics.average_precision_at_r,
        "listMetrics": metrics.of_list,
    },
    "revisited.js": {
        "cleanedRanks": metrics.cleaned,
        "trapezoidAveragePrecision": metrics.trapezoids,
        "precisionAtK": metrics.precision_at_k,
        "revisitedMetrics": metrics.revisited,
    },
}


@cache
def golden_cases(file: str, name: str) -> list[tuple[list, object]]:
    """The cases of a function, computed once: its arguments, and the right result."""
    return list(GOLDEN[file][name]())
