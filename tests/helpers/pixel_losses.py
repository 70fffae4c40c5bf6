"""The losses of segmentation as loops over pixels, classes and windows, in Python's floats.

Each takes nested lists of logits [b][c][i][j] and labels [b][i][j]. Weights that carry no gradient
can be fixed from outside, so that finite differences see the same constants.
"""

import math

IGNORED = 255


def pixels(labels):
    """The places (b, i, j) of labelled pixels."""
    for b, image in enumerate(labels):
        for i, row in enumerate(image):
            for j, label in enumerate(row):
                if label != IGNORED:
                    yield b, i, j


def probabilities(logits, b, i, j):
    values = [of_class[i][j] for of_class in logits[b]]
    most = max(values)
    exponents = [math.exp(value - most) for value in values]
    return [e / math.fsum(exponents) for e in exponents]


def entropies(logits, labels):
    return {
        (b, i, j): -math.log(probabilities(logits, b, i, j)[labels[b][i][j]])
        for b, i, j in pixels(labels)
    }


def recall_weights(logits, labels):
    classes = len(logits[0])
    missed, pixels_of = [0] * classes, [0] * classes
    for b, i, j in pixels(labels):
        values = [of_class[i][j] for of_class in logits[b]]
        label = labels[b][i][j]
        pixels_of[label] += 1
        missed[label] += values.index(max(values)) != label
    return [max(m, 1) / max(n, 1) for m, n in zip(missed, pixels_of, strict=True)]


def weighted(logits, labels, weights, divide):
    """Sum of weight of the class times CE, divided by the pixels or by the weights."""
    losses = entropies(logits, labels)
    chosen = {p: weights[labels[p[0]][p[1]][p[2]]] for p in losses}
    total = math.fsum(chosen[p] * losses[p] for p in losses)
    return total / (len(losses) if divide == "pixels" else math.fsum(chosen.values()))


def focal(logits, labels, gamma):
    losses = entropies(logits, labels).values()
    return math.fsum((1 - math.exp(-loss)) ** gamma * loss for loss in losses) / len(losses)


def structural_errors(logits, labels, window, sigma, constant):
    """The errors e of all labelled pixels and classes: {(b, c, i, j): e}."""
    true, predicted = {}, {}
    for b, i, j in pixels(labels):
        for c, p in enumerate(probabilities(logits, b, i, j)):
            true[b, c, i, j], predicted[b, c, i, j] = float(labels[b][i][j] == c), p
    first = standardised(true, window, sigma, constant)
    second = standardised(predicted, window, sigma, constant)
    return {place: abs(first[place] - second[place]) for place in first}


def standardised(values, window, sigma, constant):
    result, reach = {}, window // 2
    for (b, c, i, j), value in values.items():
        near = [
            (math.exp(-(di * di + dj * dj) / (2 * sigma**2)), values[b, c, i + di, j + dj])
            for di in range(-reach, reach + 1)
            for dj in range(-reach, reach + 1)
            if (b, c, i + di, j + dj) in values
        ]
        total = math.fsum(w for w, _ in near)
        mean = math.fsum(w * v for w, v in near) / total
        deviation = math.sqrt(math.fsum(w * (v - mean) ** 2 for w, v in near) / total)
        result[b, c, i, j] = (value - mean + constant) / (deviation + constant)
    return result


def structural(logits, labels, errors, threshold, share):
    """The loss for given errors e."""
    losses = entropies(logits, labels)
    limit = threshold * max(errors.values())
    kept = {place: e for place, e in errors.items() if e > limit}
    total = math.fsum(
        e * losses[b, i, j] for (b, c, i, j), e in kept.items() if labels[b][i][j] == c
    )
    plain = math.fsum(losses.values()) / len(losses)
    return share * plain + (1 - share) * total / max(len(kept), 1)


def gradient(function, logits, step=1e-3):
    """Differences of fourth order of a function of nested logits [b][c][i][j]."""
    result = []
    for b, image in enumerate(logits):
        for c, of_class in enumerate(image):
            for i, row in enumerate(of_class):
                for j, value in enumerate(row):
                    values = {}
                    for k in (-2, -1, 1, 2):
                        logits[b][c][i][j] = value + k * step
                        values[k] = function(logits)
                    logits[b][c][i][j] = value
                    near, far = values[1] - values[-1], values[2] - values[-2]
                    result.append((8 * near - far) / (12 * step))
    return result
