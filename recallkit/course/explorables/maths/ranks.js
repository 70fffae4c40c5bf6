/**
 * Ranks of one query's positives: true, relaxed, among the positives alone; and the way back from
 * a gradient in the ranks to a gradient in the similarities.
 * Python: recallkit.ranks, recallkit.metrics.positive_ranks.
 */

import { sigmoid, sigmoidSlope } from "./sigmoid.js";

/**
 * r_p = 1 + Σ_{z ≠ p} σ((s_z − s_p) / τ₂). The other positives compete as well.
 * @param {number[]} similarity (N) of the query to the items of its gallery.
 * @param {number[]} positives (P) indices of the items of its class.
 * @param {number} rankTemperature τ₂ > 0, in units of similarity.
 * @param {number} leftOut index of the item that does not compete, such as the query itself;
 *   −1: every item competes.
 * @returns {number[]} (P) ranks, at least 1.
 */
export function relaxedRanks(similarity, positives, rankTemperature, leftOut = -1) {
  return positives.map((p) => {
    let rank = 1;
    similarity.forEach((s, z) => {
      if (z !== p && z !== leftOut) rank += sigmoid((s - similarity[p]) / rankTemperature);
    });
    return rank;
  });
}

/**
 * r⁺_p = 1 + Σ_{z ≠ p, z a positive} σ((s_z − s_p) / τ₂), the numerator of SmoothAP.
 * @param {number[]} similarity (N).
 * @param {number[]} positives (P) indices.
 * @param {number} rankTemperature τ₂ > 0, in units of similarity.
 * @returns {number[]} (P) ranks from 1 to P.
 */
export function ranksAmongPositives(similarity, positives, rankTemperature) {
  const own = positives.map((p) => similarity[p]);
  return relaxedRanks(own, [...own.keys()], rankTemperature);
}

/**
 * 1 + the number of items that come before p. Similarities are rounded to float32, and of equal
 * ones the lower index comes first: the order of recallkit.search.
 * @param {number[]} similarity (N).
 * @param {number[]} positives (P) indices.
 * @param {number} leftOut index of the item that does not compete; −1: every item competes.
 * @returns {number[]} (P) whole numbers from 1.
 */
export function trueRanks(similarity, positives, leftOut = -1) {
  const rounded = similarity.map(Math.fround);
  return positives.map((p) => {
    const before = (s, z) => s > rounded[p] || (s === rounded[p] && z < p);
    return 1 + rounded.filter((s, z) => z !== leftOut && before(s, z)).length;
  });
}

/**
 * dL/ds from dL/dr, by the chain rule:
 * dr_p/ds_z = σ'((s_z − s_p) / τ₂) / τ₂ for z ≠ p, and dr_p/ds_p = −Σ_z of the same.
 * @param {number[]} similarity (N).
 * @param {number[]} positives (P) indices.
 * @param {number[]} rankGradient (P) dL/dr of the relaxed ranks.
 * @param {number} rankTemperature τ₂ > 0, in units of similarity.
 * @param {number} leftOut index of the item that does not compete; −1: every item competes.
 * @returns {number[]} (N) dL/ds; it adds up to 0.
 */
export function similarityGradient(
  similarity, positives, rankGradient, rankTemperature, leftOut = -1,
) {
  const gradient = similarity.map(() => 0);
  positives.forEach((p, i) => {
    similarity.forEach((s, z) => {
      if (z === p || z === leftOut) return;
      const slope = sigmoidSlope((s - similarity[p]) / rankTemperature) / rankTemperature;
      gradient[z] += rankGradient[i] * slope;
      gradient[p] -= rankGradient[i] * slope;
    });
  });
  return gradient;
}
