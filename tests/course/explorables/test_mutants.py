"""Each small mistake in the maths of the explorables is seen by the golden cases of its module."""

import shutil

import pytest
from helpers.golden import GOLDEN, golden_cases
from helpers.javascript import MATHS, Module, differences

MUTANTS = {  # module → what stands there → a mistake
    "sigmoid.js": [
        ("u > 0 ? 1 : 0", "u >= 0 ? 1 : 0"),
        ("(u >= 0 ? 1 : small)", "1"),
        ("(1 + small);", "(1 - small);"),
        ("(1 + small) ** 2", "(1 + small)"),
    ],
    "ranks.js": [
        ("let rank = 1;\n    for", "let rank = 0;\n    for"),
        ("leftOut) continue;\n      rank", "-2) continue;\n      rank"),
        ("z === p || z === leftOut) continue;\n      rank", "z === leftOut) continue;\n      rank"),
        ("sigmoid((similarity[z] - similarity[p]) /", "sigmoid((similarity[p] - similarity[z]) /"),
        ("- similarity[p]) / rankTemperature);", "- similarity[p]));"),
        ("- similarity[p]) / rankTemperature);", "- similarity[p]) / rankTemperature ** 2);"),
        ("(own, own.map((_, i) => i), ", "(similarity, positives, "),
        ("s > rounded[p] ||", "s >= rounded[p] ||"),
        ("&& z < p", "&& z > p"),
        ("&& z < p", "&& false"),
        ("similarity.map(Math.fround)", "similarity"),
        ("return 1 + rounded", "return rounded"),
        ("z !== leftOut && before", "before"),
        ("let rank = 1; // and its slopes", "let rank = 0; // and its slopes"),
        ("leftOut) continue;\n    const", "-2) continue;\n    const"),
        ("z === p || z === leftOut) continue;\n    const", "z === leftOut) continue;\n    const"),
        ("(similarity[z] - own) / rank", "(own - similarity[z]) / rank"),
        ("- own) / rankTemperature;", "- own);"),
        ("Math.exp(-Math.abs(u)); // as", "Math.exp(u); // as"),
        ("(u >= 0 ? 1 : small)", "(u >= 0 ? small : 1)"),
        ("((1 + small) * (1 + small))", "(1 + small)"),
        ("(1 + small)) / rankTemperature;", "(1 + small));"),
        ("gradient[positives[i]] -= own", "gradient[positives[i]] += own"),
        ("gradient[positives[i]] -= own", "gradient[i] -= own"),
        ("gradient[z] += push", "gradient[z] -= push"),
        ("rankGradient[i] * slopes[i][z]", "slopes[i][z]"),
        (".slice(0, columns)", ".slice(0)"),
    ],
    "recall.js": [
        ("return Math.min(k, positives)", "return positives"),
        ("return Math.min(k, positives)", "return k"),
        ("rank <= k", "rank < k"),
        ("sigmoid((k - rank) / kTemperature)", "sigmoid((k - 1 - rank) / kTemperature)"),
        ("sigmoid((k - rank) / kTemperature)", "sigmoid((k - rank) * kTemperature)"),
        ("sum + count, 0), k)", "sum + count, 0), Infinity)"),
        ("return 1 - ks", "return ks"),
        ("kTemperature), 0) / ks.length", "kTemperature), 0)"),
        ("let count = 0;", "let count = 0.1;"),
        ("let recall = 0;", "let recall = 0.1;"),
        ("recallDivisor(k, ranks.length) * ks.length", "recallDivisor(k, ranks.length)"),
        ("recall += Math.min(count, k)", "recall += count"),
        ("(k - ranks[p]) / kTemperature", "(ranks[p] - k) / kTemperature"),
        ("(u >= 0 ? 1 : small)", "(u >= 0 ? small : 1)"),
        ("((1 + small) * (1 + small))", "(1 + small)"),
        ("(1 + small)) / kTemperature", "(1 + small))"),
        ("belowCap(count, k) / divisor", "1 / divisor"),
        ("(count < k ?", "(count <= k ?"),
        ("(count <= k ? 0.5 : 0)", "0.5"),
        ("(_, i) => i + 1", "(_, i) => i"),
    ],
    "pairs.js": [
        ("z !== q && labels[z]", "labels[z]"),
        ("z === q ? queryInDatabase", "z === q ? !queryInDatabase"),
        ("!positives.includes", "positives.includes"),
    ],
    "rank_losses.js": [
        ("positives.concat(negatives)", "positives.concat()"),
        ("loss: sum / counted", "loss: sum / queries.length"),
        ("gradient[q][columns[i]]", "gradient[q][i]"),
        ("one.gradient[i] / counted", "one.gradient[i] / queries.length"),
        ("one.gradient[i] / counted", "one.gradient[i]"),
        ("precision[i] / rank / count", "precision[i] / count"),
        ("-1 / rank / count", "1 / rank / count"),
        ("value + own[z] : value", "own[z] : value"),
        ("ofAmong, count)", "ofAmong)"),
        ("loss: 1 - precision", "loss: precision"),
    ],
    "pair_losses.js": [
        ("row[p] + margin", "row[p] - margin"),
        ("push[p] -= 1", "push[p] += 1"),
        ("push[n] += 1", "push[n] -= 1"),
        ("value > 0", "value >= 0"),
        ('"positives", -1,', '"positives", 1,'),
        ('"negatives", 1, negativeMargin', '"negatives", 1, positiveMargin'),
        ("sign * (similarity[q][z] - margin)", "sign * similarity[q][z] - margin"),
        ("gradient[q][z] += sign", "gradient[q][z] -= sign"),
        ("row[z] /= divisor", "row[z] /= 1"),
        ("loss: loss / divisor", "loss"),
        ("sum.count += 1", "sum.count += 2"),
        ("sum.loss += value", "sum.loss -= value"),
        ('count("positives") <= 1', 'count("positives") <= 0'),
        ("if (isTooSmall(queries)) return meanOf(noTerms(similarity))", "if (false) return"),
        ("if (isTooSmall(queries)) return meanOf(sum)", "if (false) return"),
        ("factor * others + own", "factor * others + 2 * own"),
        ("factor * others + own", "others + own"),
        ("weight += (heard * factor)", "weight += heard"),
        ("weight * powers[i]", "powers[i]"),
        ("heard * share - heard", "-heard"),
        ("(share + TINY) / temperature", "(share + TINY)"),
        ("-Math.log(share + TINY)", "-Math.log(share)"),
        ("Math.max(highest, row[p] / temperature)", "highest"),
        ("row[p] / temperature - top", "row[p] - top"),
        ("row[n] / temperature - highest", "row[n] / temperature"),
        ("Math.max(most, row[n] / temperature), -Infinity", "row[n] / temperature, -Infinity"),
    ],
    "circle_pair.js": [
        ("1 + margin - positive", "1 - margin - positive"),
        ("negative + margin)]", "negative - margin)]"),
        ("Math.max(0, 1 +", "(1 +"),
        ("Math.max(0, negative", "(negative"),
        ("(negative - margin) -", "(negative + margin) -"),
        ("positive - 1 + margin)", "positive - 1 - margin)"),
        ("sigmoid(z) * gamma", "sigmoid(z)"),
        ("Math.max(z, 0)", "z"),
        ("-heard * weights[0]", "heard * weights[0]"),
        ("heard * weights[1]]", "heard * weights[0]]"),
        ("0.75 * Math.PI", "0.5 * Math.PI"),
        ("[1 + margin * Math.SQRT2", "[1 - margin * Math.SQRT2"),
        ("count = 61", "count = 60"),
    ],
    "losses.js": [
        ("SmoothAP: { rankTemperature: 0.01 }", "SmoothAP: { rankTemperature: 0.1 }"),
        ("margin: 0.1", "margin: 0.2"),
        ("{ ...LOSS_SETTINGS[name], ...settings }", "{ ...settings, ...LOSS_SETTINGS[name] }"),
    ],
    "pushes.js": [
        ("totalPush(gradient) ** 2", "totalPush(gradient)"),
        ("value ** 2", "Math.abs(value)"),
        ("squares > 0 ?", "true ?"),
        ("-value / total", "value / total"),
        ("total > 0 ?", "total > 1e-3 ?"),
        ("sum + Math.abs(value)", "sum + value"),
    ],
    "vectors.js": [
        ("Math.sqrt(dot(a, a))", "dot(a, a)"),
        ("Math.max(norm(a), least)", "norm(a)"),
        ("least = 1e-12", "least = 1"),
        ("zeros[d] = 0", "zeros[d] = 1"),
        ("Math.PI / 180", "Math.PI / 200"),
        ("Math.atan2(y, x)", "Math.atan(y / x)"),
    ],
    "arcs.js": [
        ("[0, 1, 4, 9, 15,", "[0, 1, 4, 9, 16,"),
        ("[false, true]", "[true, false]"),
        ("rankTemperature: 0.01", "rankTemperature: 0.1"),
        ("marks[perClass - 1]", "marks[1]"),
        ("/ positives.length]", "/ labels.length]"),
        ("mean, 0) / means.length", "mean, 0) / labels.length"),
    ],
    "simix.js": [
        ("alpha * value + (1 - alpha) * z[d]", "(1 - alpha) * value + alpha * z[d]"),
        ("unit(point, 1e-3)", "unit(point)"),
        ("slice(i + 1)", "slice(i)"),
        ("labels[a] - labels[b] || a - b", "a - b"),
    ],
    "solved_batch.js": [
        ("SOLVED_WIDTH = 72", "SOLVED_WIDTH = 71"),
        ("(1 - share) * value + share", "share * value + (1 - share)"),
        ("unit(unit(row)", "unit((row)"),
        ("return unit(unit", "return (unit"),
        ("batchQueries(batch.labels), ", "batchQueries(batch.labels, true), "),
        (
            "alphas ? passedOn(pulls, labels, alphas) : pulls",
            "alphas ? pulls.slice(0, points.length) : pulls",
        ),
        ("/ points.length", "/ batch.points.length"),
        ("norm(along(pull, points[i]))", "norm(pull)"),
        ("Math.min(...of(positives))", "Math.max(...of(positives))"),
        ("positives.length > 0 && ", ""),
        ("gradient[i][j] + gradient[j][i]", "gradient[i][j]"),
        ("own[first][d] += alphas[i]", "own[first][d] += (1 - alphas[i])"),
        ("own[second][d] += (1 - alphas[i])", "own[second][d] += alphas[i]"),
        ("value - outward", "value + outward"),
    ],
    "descent.js": [
        ("pairGradient[i][j] + pairGradient[j][i]", "pairGradient[i][j]"),
        ("value - outward", "value + outward"),
        ("value - rate", "value + rate"),
        ("firstStep / Math.max", "firstStep / Math.min"),
        ("step < steps", "step <= steps"),
        ("points, batchQueries(labels, settings.queryInDatabase)", "points, batchQueries(labels)"),
        ("= batchQueries(labels, settings.queryInDatabase)", "= batchQueries(labels)"),
        ("points, queries, settings);", "path[0], queries, settings);"),
        ("firstStep = 0.05", "firstStep = 0.1"),
        ("=> unit(point", "=> (point"),
        ("* Math.PI) / 180", "* Math.PI) / 200"),
        ("dot(one, other) >= least", "dot(one, other) <= least"),
        ("group.length > 1 && near", "near"),
        ("after[i][d] - value", "after[i][d]"),
        ("Math.max(...before", "Math.min(...before"),
    ],
    "step_memory.js": [
        ("Math.min(batchSize, chunkSize)", "chunkSize"),
        ("memory.image * batchSize", "memory.image * withGraph"),
    ],
    "toy_descent.js": [
        ("(1 - learningRate) ** 2", "(1 - learningRate)"),
        ("noise / batchSize", "noise"),
        ("Math.floor(images / batch)", "images / batch"),
        ("Math.floor(images / batchSize)", "images / batchSize"),
        ("indexOf(Math.min(...errors))", "indexOf(Math.max(...errors))"),
        ("length: 61", "length: 60"),
        ("updates = 64", "updates = 63"),
    ],
    "loss_surface.js": [
        ("-gradient[p]", "gradient[p]"),
        ("[first, second, ...negatives]", "[second, first, ...negatives]"),
    ],
    "metrics.js": [
        ("rounded[b] - rounded[a] || a - b", "rounded[b] - rounded[a] || b - a"),
        ("rank <= k) ? 1", "rank < k) ? 1"),
        ("rank <= k).length", "rank < k).length"),
        ("recallAny(ranks, 1)", "recallAny(ranks, 2)"),
        ("precisionSum(ranks, ranks.length)", "precisionSum(ranks, Infinity)"),
        ("rank <= last", "rank < last"),
        ("(i + 1) / rank", "i / rank"),
        (".sort((a, b) => a - b).filter", ".filter"),
    ],
    "revisited.js": [
        ('ignored: ["junk"]', "ignored: []"),
        ('positives: ["hard"]', 'positives: ["easy"]'),
        ("rank > 1 ? i / (rank - 1) : 1", "rank > 1 ? i / (rank - 1) : 0"),
        ("i / (rank - 1)", "(i + 1) / (rank - 1)"),
        ("Math.min(k, ranks[ranks.length - 1])", "k"),
        ("rank <= reach", "rank < reach"),
    ],
}  # fmt: skip


def _survives(module, file):
    return all(
        not differences(module(name, *arguments), expected)
        for name in GOLDEN[file]
        for arguments, expected in golden_cases(file, name)
    )


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [(file, *change) for file, changes in MUTANTS.items() for change in changes],
)
def test_a_mistake_is_seen(tmp_path, file, right, wrong):
    folder = shutil.copytree(MATHS, tmp_path / "maths")
    source = (folder / file).read_text(encoding="utf-8")
    assert source.count(right) == 1
    (folder / file).write_text(source.replace(right, wrong), encoding="utf-8")
    assert not _survives(Module(folder / file), file)


def test_no_module_is_without_mutants():
    assert MUTANTS.keys() == GOLDEN.keys()
