/**
 * A toy batch between random and solved: its loss and gradient without SiMix, and with it.
 * Python: recallkit.course.solved_batch.
 */

import { arcClasses } from "./arcs.js";
import { batchQueries } from "./pairs.js";
import { recallAtKLoss } from "./rank_losses.js";
import { mixBatch, sameClassPairs } from "./simix.js";
import { dot, norm, products, unit } from "./vectors.js";

const SOLVED_WIDTH = 72; // degrees
const SAME = 1e-9; // similarities that differ by less are the same, rounded in another order

/**
 * Points on their way to classes that are ranked perfectly, with positives well spaced.
 * @param {number[][]} start (16 × 8), of any length but 0.
 * @param {number} share 0 at the start, 1 where all is solved.
 * @returns {{points: number[][], labels: number[]}} (16 × 8) unit vectors, (16).
 */
export function partlySolved(start, share) {
  const { points, labels } = arcClasses(SOLVED_WIDTH, 4, 4);
  const between = start.map((row, i) => {
    return unit(unit(row).map((value, d) => (1 - share) * value + share * points[i][d]));
  });
  return { points: between, labels };
}

/**
 * RS@k of a batch, and how strongly it moves the points along the sphere.
 * @param {number[][]} points (B × D) unit vectors.
 * @param {number[]} labels (B).
 * @param {number[] | null} alphas (M) α of each pair of sameClassPairs; null: no virtual examples.
 * @param {{ks: number[], kTemperature: number, rankTemperature: number}} settings K, τ₁, τ₂.
 * @returns {{loss: number, push: number}} L, and the mean length of dL/dx along the sphere.
 */
export function lossAndPush(points, labels, alphas, settings) {
  const batch = alphas ? mixBatch(points, labels, alphas) : { points, labels };
  const similarity = products(batch.points, batch.points);
  const { loss, gradient } = recallAtKLoss(similarity, batchQueries(batch.labels), settings);
  const pulls = ofPoints(batch.points, gradient);
  const own = alphas ? passedOn(pulls, labels, alphas) : pulls;
  const lengths = own.map((pull, i) => norm(along(pull, points[i])));
  return { loss, push: lengths.reduce((sum, length) => sum + length, 0) / points.length };
}

/**
 * How many points have all their positives before any other point.
 * @param {number[][]} points (B × D).
 * @param {number[]} labels (B); points without a positive do not count.
 * @returns {number}
 */
export function perfectRankings(points, labels) {
  const similarity = products(points, points);
  return batchQueries(labels).filter(({ positives, negatives }, q) => {
    const of = (items) => items.map((z) => similarity[q][z]);
    return positives.length > 0 && Math.min(...of(positives)) > Math.max(...of(negatives)) + SAME;
  }).length;
}

/** dL/dE = (G + Gᵀ) E of S = E Eᵀ. */
function ofPoints(points, gradient) {
  return points.map((point, i) => {
    return point.map((_, d) => points.reduce((sum, other, j) => {
      return sum + (gradient[i][j] + gradient[j][i]) * other[d];
    }, 0));
  });
}

/** The gradient of a batch with that of each virtual example added to its parents: α, and 1 − α. */
function passedOn(pulls, labels, alphas) {
  const own = pulls.slice(0, labels.length).map((pull) => [...pull]);
  sameClassPairs(labels).forEach(([first, second], i) => {
    pulls[labels.length + i].forEach((value, d) => {
      own[first][d] += alphas[i] * value;
      own[second][d] += (1 - alphas[i]) * value;
    });
  });
  return own;
}

/** A vector without its part along a point of unit length. */
function along(pull, point) {
  const outward = dot(pull, point);
  return pull.map((value, d) => value - outward * point[d]);
}
