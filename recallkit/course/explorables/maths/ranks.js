/**
 * Ranks of one query's positives: true, relaxed, among the positives alone; and the way back from
 * a gradient in the ranks to a gradient in the similarities.
 * Python: recallkit.ranks, recallkit.metrics.positive_ranks.
 */

import { sigmoid } from "./sigmoid.js";
import { zerosLike } from "./vectors.js";

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
    for (let z = 0; z < similarity.length; z += 1) {
      if (z === p || z === leftOut) continue;
      rank += sigmoid((similarity[z] - similarity[p]) / rankTemperature);
    }
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
  return relaxedRanks(own, own.map((_, i) => i), rankTemperature);
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
 * The relaxed ranks, and their slopes dr_p/ds_z = σ'((s_z − s_p) / τ₂) / τ₂ for z ≠ p. Sigmoid and
 * slope of a comparison come from one exponential; a gradient needs both.
 * @param {number[]} similarity (N).
 * @param {number[]} positives (P) indices.
 * @param {number} rankTemperature τ₂ > 0, in units of similarity.
 * @param {number} leftOut index of the item that does not compete; −1: every item competes.
 * @returns {{ranks: number[], slopes: number[][]}} (P), and (P × N) with 0 where nothing competes.
 */
export function ranksAndSlopes(similarity, positives, rankTemperature, leftOut = -1) {
  const ranks = [];
  const slopes = [];
  for (const p of positives) {
    const slope = zerosLike(similarity);
    ranks.push(rankAndSlope(similarity, p, rankTemperature, leftOut, slope));
    slopes.push(slope);
  }
  return { ranks, slopes };
}

/** The rank of p; its slopes go into `slope`. */
function rankAndSlope(similarity, p, rankTemperature, leftOut, slope) {
  const own = similarity[p];
  let rank = 1; // and its slopes, of the same comparisons
  for (let z = 0; z < similarity.length; z += 1) {
    if (z === p || z === leftOut) continue;
    const u = (similarity[z] - own) / rankTemperature;
    const small = Math.exp(-Math.abs(u)); // as in sigmoid.js
    rank += (u >= 0 ? 1 : small) / (1 + small);
    slope[z] = small / ((1 + small) * (1 + small)) / rankTemperature;
  }
  return rank;
}

/**
 * dL/ds from dL/dr, by the chain rule: Σ_p dL/dr_p dr_p/ds_z, and dr_p/ds_p = −Σ_z of the others.
 * @param {number[][]} slopes (P × N) dr_p/ds_z for z ≠ p, 0 at p.
 * @param {number[]} positives (P) indices.
 * @param {number[]} rankGradient (P) dL/dr of the relaxed ranks.
 * @param {number} columns how many of the first items compete; all by default.
 * @returns {number[]} (columns) dL/ds; it adds up to 0.
 */
export function throughRanks(slopes, positives, rankGradient, columns = slopes[0].length) {
  const gradient = zerosLike(slopes[0]).slice(0, columns);
  for (let i = 0; i < positives.length; i += 1) {
    let own = 0;
    for (let z = 0; z < columns; z += 1) {
      const push = rankGradient[i] * slopes[i][z];
      gradient[z] += push;
      own += push;
    }
    gradient[positives[i]] -= own;
  }
  return gradient;
}

/**
 * dL/ds from dL/dr, of similarities:
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
  const { slopes } = ranksAndSlopes(similarity, positives, rankTemperature, leftOut);
  return throughRanks(slopes, positives, rankGradient);
}
