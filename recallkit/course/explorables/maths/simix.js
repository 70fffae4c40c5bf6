/**
 * SiMix: virtual examples between two images of a class.
 * Python: recallkit.SimilarityMixup, recallkit.simix.same_class_pairs.
 */

import { dot, norm, unit } from "./vectors.js";

/**
 * v = α x + (1 − α) z.
 * @param {number[]} x (D), weighted by α.
 * @param {number[]} z (D), weighted by 1 − α.
 * @param {number} alpha α from 0 to 1.
 * @returns {number[]} (D), on the chord, so shorter than a unit vector.
 */
export function mix(x, z, alpha) {
  return x.map((value, d) => alpha * value + (1 - alpha) * z[d]);
}

/**
 * A virtual example as a query w sees it.
 * @param {number[]} x (D).
 * @param {number[]} z (D).
 * @param {number[]} query w (D).
 * @param {number} alpha α from 0 to 1.
 * @returns {{point: number[], length: number, similarity: number, ofUnit: number}} v, |v|,
 *   s(w, v) = α s(w, x) + (1 − α) s(w, z), and the similarity if v were of unit length.
 */
export function virtualExample(x, z, query, alpha) {
  const point = mix(x, z, alpha);
  const similarity = dot(point, query);
  return { point, length: norm(point), similarity, ofUnit: dot(unit(point, 1e-3), query) };
}

/**
 * Every unordered pair of one class: classes in the order of their labels.
 * @param {number[]} labels (B).
 * @returns {number[][]} (M × 2) indices, M = Σ n (n − 1) / 2.
 */
export function sameClassPairs(labels) {
  const order = [...labels.keys()].sort((a, b) => labels[a] - labels[b] || a - b);
  return order.flatMap((first, i) => {
    const later = order.slice(i + 1).filter((second) => labels[second] === labels[first]);
    return later.map((second) => [first, second]);
  });
}

/**
 * A batch, and behind it a virtual example of every pair of one class.
 * @param {number[][]} points (B × D).
 * @param {number[]} labels (B).
 * @param {number[]} alphas (M) α of each pair, in the order of sameClassPairs.
 * @returns {{points: number[][], labels: number[]}} (B + M × D), (B + M).
 */
export function mixBatch(points, labels, alphas) {
  const pairs = sameClassPairs(labels);
  const virtual = pairs.map(([first, second], i) => mix(points[first], points[second], alphas[i]));
  return {
    points: [...points, ...virtual],
    labels: [...labels, ...pairs.map(([first]) => labels[first])],
  };
}
