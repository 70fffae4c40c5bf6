/**
 * A small segmentation: its labels, its metrics, and how hard each loss pushes each of its pixels.
 * Maps are flat, row by row; class 0 is the ground.
 * Python: recallkit.metrics.segmentation_metrics, recallkit.course.pixel_weights.
 */

const WINDOW = [0.8007374029168081, 1, 0.8007374029168081]; // exp(−i² / (2 · 1.5²)), up to a factor
const CONSTANT = 0.01; // C of the structural similarity loss; keeps flat regions from 0 / 0
const THRESHOLD = 0.1; // β: pixels with less than this share of the largest error have no weight
const SHARE = 0.5; // of the plain cross-entropy in that loss

/**
 * Draw rectangles on the ground, the later over the earlier.
 * @param {{label: number, top: number, left: number, height: number, width: number}[]} things
 *     A side below 1 leaves nothing. One with both sides of at least 3 has no corners.
 * @param {number} side of the square map.
 * @returns {number[]} (side²) labels; what lies outside of the map is cut.
 */
export function drawThings(things, side) {
  const map = new Array(side * side).fill(0);
  for (const { label, top, left, height, width } of things) {
    const round = height >= 3 && width >= 3;
    for (let i = 0; i < height; i += 1) {
      for (let j = 0; j < width; j += 1) {
        const corner = (i === 0 || i === height - 1) && (j === 0 || j === width - 1);
        const [row, column] = [top + i, left + j];
        const inside = row >= 0 && row < side && column >= 0 && column < side;
        if (inside && !(round && corner)) map[row * side + column] = label;
      }
    }
  }
  return map;
}

/**
 * Recall, precision and intersection over union of each class; 0 where nothing is divided by.
 * @param {number[]} labels (N).
 * @param {number[]} predicted (N).
 * @param {number} classes C.
 * @returns {{recall: number[], precision: number[], iou: number[]}} (C) each.
 */
export function classShares(labels, predicted, classes) {
  const wanted = countOf(labels, classes);
  const given = countOf(predicted, classes);
  const found = countOf(labels.filter((label, i) => predicted[i] === label), classes);
  const share = (divisors) => found.map((count, c) => count / Math.max(1, divisors[c]));
  const union = found.map((count, c) => wanted[c] + given[c] - count);
  return { recall: share(wanted), precision: share(given), iou: share(union) };
}

function countOf(map, classes) {
  const counts = new Array(classes).fill(0);
  for (const label of map) counts[label] += 1;
  return counts;
}

/**
 * How many times as hard as the mean cross-entropy a loss pushes each pixel: the weight, and what
 * passes through the weight where it has a gradient.
 * @param {string} loss "cross-entropy", "inverse frequency", "focal", "recall" or "structure".
 * @param {number[]} labels (N) of a square map.
 * @param {number[]} predicted (N) classes.
 * @param {{classes: number, certainty: number, gamma: number}} settings C; the probability of the
 *     predicted class, the same at each pixel, above 1 / C, the others share the rest; γ of focal.
 * @returns {number[]} (N).
 */
export function pixelWeights(loss, labels, predicted, settings) {
  const sure = (i) => probability(labels[i], predicted[i], settings);
  const of = {
    "cross-entropy": () => labels.map(() => 1),
    "inverse frequency": () => byFrequency(labels, settings.classes),
    focal: () => labels.map((_, i) => byDoubt(sure(i), settings.gamma)),
    recall: () => byRecall(labels, predicted, settings.classes),
    structure: () => byStructure(labels, predicted, settings),
  };
  return of[loss]();
}

const probability = (label, predicted, { classes, certainty }) =>
  label === predicted ? certainty : (1 - certainty) / (classes - 1);

function byFrequency(labels, classes) {
  const counts = countOf(labels, classes);
  const present = counts.filter((count) => count > 0).length;
  return labels.map((label) => labels.length / (present * counts[label]));
}

/** (1 − p)^γ, and the slope of this weight times the cross-entropy: −γ p (1 − p)^(γ − 1) log p. */
function byDoubt(p, gamma) {
  return (1 - p) ** gamma - gamma * p * (1 - p) ** (gamma - 1) * Math.log(p);
}

function byRecall(labels, predicted, classes) {
  const wanted = countOf(labels, classes);
  const missed = countOf(labels.filter((label, i) => predicted[i] !== label), classes);
  return labels.map((label) => Math.max(1, missed[label]) / wanted[label]);
}

function byStructure(labels, predicted, settings) {
  const errors = Array.from({ length: settings.classes }, (_, c) => {
    const wanted = standardised(labels.map((label) => Number(label === c)));
    const given = standardised(predicted.map((one) => probability(c, one, settings)));
    return wanted.map((value, i) => Math.abs(value - given[i]));
  });
  const limit = THRESHOLD * Math.max(...errors.flat());
  const counted = errors.flat().filter((error) => error > limit).length;
  return labels.map((label, i) => {
    const error = errors[label][i] > limit ? errors[label][i] : 0;
    return SHARE + ((1 - SHARE) * labels.length * error) / Math.max(1, counted);
  });
}

/** (value − mean + C) / (deviation + C), by the patch of 3 × 3 around each place. */
function standardised(map) {
  const near = patchesOf(Math.sqrt(map.length));
  return map.map((value, i) => {
    const total = near[i].reduce((sum, [, weight]) => sum + weight, 0);
    const mean = near[i].reduce((sum, [place, weight]) => sum + (weight / total) * map[place], 0);
    const spread = near[i].reduce((sum, [place, weight]) => sum + (weight / total) * (map[place] - mean) ** 2, 0);
    return (value - mean + CONSTANT) / (Math.sqrt(spread) + CONSTANT);
  });
}

let patches = []; // the patches of the last side: they stay while the maps change

function patchesOf(side) {
  if (patches.length !== side * side) {
    patches = Array.from({ length: side * side }, (_, i) => neighbours(Math.floor(i / side), i % side, side));
  }
  return patches;
}

/** The places of a patch that lie in the map, each with its weight. */
function neighbours(row, column, side) {
  const found = [];
  for (let i = -1; i <= 1; i += 1) {
    for (let j = -1; j <= 1; j += 1) {
      const [y, x] = [row + i, column + j];
      const inside = y >= 0 && y < side && x >= 0 && x < side;
      if (inside) found.push([y * side + x, WINDOW[i + 1] * WINDOW[j + 1]]);
    }
  }
  return found;
}
