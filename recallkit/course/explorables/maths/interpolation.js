/**
 * UniLoss of one positive and a few negatives: comparisons, the corners of their cube, and a metric
 * interpolated between the corners.
 * Python: recallkit.related.interpolate, recallkit.course.corners.
 */

import { zerosLike } from "./vectors.js";

/**
 * b = 2 σ((s_p − s_n) / τ) − 1 of each negative: near 1 where the positive is far ahead.
 * @param {number} positive s_p.
 * @param {number[]} negatives (C) s_n.
 * @param {number} temperature τ > 0.
 * @returns {number[]} (C) from −1 to 1.
 */
export function comparisonsOf(positive, negatives, temperature) {
  return negatives.map((negative) => Math.tanh((positive - negative) / (2 * temperature)));
}

/**
 * All corners of the cube of C comparisons. The first is the truth, where all are right.
 * @param {number} count C, at least 1.
 * @returns {number[][]} (2^C × C) of 1 and −1.
 */
export function cornersOf(count) {
  return Array.from({ length: 2 ** count }, (_, i) =>
    Array.from({ length: count }, (__, j) => (Math.floor(i / 2 ** j) % 2 ? -1 : 1)));
}

/**
 * How many of the 1 + 3 · count anchors of UniLoss lie at each corner, on average.
 * @param {number[]} comparisons (C) b; above 0 is right.
 * @param {number} count of the good, of the near and of the random anchors.
 * @returns {number[]} (2^C), in the order of cornersOf.
 */
export function cornerCounts(comparisons, count = 16) {
  const all = comparisons.length;
  const counts = Array(2 ** all).fill(count / 2 ** all);
  counts[0] += 1;
  for (let j = 0; j < all; j += 1) counts[2 ** j] += count / all;
  const wrong = [...comparisons.keys()].filter((j) => comparisons[j] <= 0);
  const here = wrong.reduce((sum, j) => sum + 2 ** j, 0);
  for (const j of wrong) counts[here - 2 ** j] += count / wrong.length;
  if (!wrong.length) for (let j = 0; j < all; j += 1) counts[2 ** j] += count / all;
  return counts;
}

/**
 * The metric of one positive at each corner: recall@1, or its average precision, 1 / rank.
 * @param {number[][]} corners (A × C).
 * @param {string} metric "recall" or "precision".
 * @returns {number[]} (A).
 */
export function cornerValues(corners, metric) {
  return corners.map((corner) => {
    const rank = 1 + corner.filter((sign) => sign < 0).length;
    return metric === "recall" ? Number(rank <= 1) : 1 / rank;
  });
}

/**
 * ĝ = Σ_i n_i g_i / d_i ÷ Σ_i n_i / d_i with d_i the distance to corner i, and two gradients in b:
 * the right one, −Σ_i n_i (g_i − ĝ) (b − b_i) / d_i³ ÷ Σ_i n_i / d_i, and that of the released code,
 * with g_i + ĝ. At a corner both are 0.
 * @param {number[]} values (A) g, of the metric.
 * @param {number[]} counts (A) n, of anchors at each corner.
 * @param {number[]} comparisons (C) b.
 * @param {number[][]} corners (A × C) b_i.
 * @returns {{value: number, shares: number[], gradient: number[], released: number[]}} ĝ; (A) the
 *   share of each corner in it; (C); (C).
 */
export function interpolateCorners(values, counts, comparisons, corners) {
  const distances = corners.map((corner) => Math.hypot(...corner.map((sign, j) => comparisons[j] - sign)));
  const at = distances.findIndex((distance, i) => distance === 0 && counts[i] > 0);
  const nothing = zerosLike(comparisons);
  if (at >= 0) return { value: values[at], shares: values.map((_, i) => Number(i === at)), gradient: nothing, released: nothing };
  const weights = counts.map((n, i) => (n > 0 ? n / distances[i] : 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => weight / total);
  const value = shares.reduce((sum, share, i) => sum + share * values[i], 0);
  const pull = (sign) => comparisons.map((b, j) => corners.reduce((sum, corner, i) =>
    (shares[i] > 0 ? sum - (shares[i] * (values[i] + sign * value) * (b - corner[j])) / distances[i] ** 2 : sum), 0));
  return { value, shares, gradient: pull(-1), released: pull(1) };
}
