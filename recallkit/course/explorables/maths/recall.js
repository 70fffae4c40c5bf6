/**
 * Recall@k of one query's ranks, as a step and relaxed, and the loss RS@k of the ranks.
 * Python: recallkit.losses.soft_recall_at_k, recallkit.course.loss_surface.rank_pull.
 */

import { sigmoid } from "./sigmoid.js";
import { zerosLike } from "./vectors.js";

/**
 * min(k, P): as many of the positives as fit among the first k.
 * @param {number} k the cut-off, at least 1.
 * @param {number} positives P, at least 1.
 * @returns {number}
 */
export function recallDivisor(k, positives) {
  return Math.min(k, positives);
}

/**
 * The share of the positives among the first k: #{p: r_p ≤ k} / min(k, P).
 * @param {number[]} ranks (P) true ranks.
 * @param {number} k the cut-off, at least 1.
 * @returns {number} from 0 to 1.
 */
export function trueRecall(ranks, k) {
  return ranks.filter((rank) => rank <= k).length / recallDivisor(k, ranks.length);
}

/**
 * By how much each positive counts as found: σ((k − r_p) / τ₁).
 * @param {number[]} ranks (P) relaxed ranks.
 * @param {number} k the cut-off, at least 1.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {number[]} (P) from 0 to 1.
 */
export function softCounts(ranks, k, kTemperature) {
  return ranks.map((rank) => sigmoid((k - rank) / kTemperature));
}

/**
 * min(Σ_p σ((k − r_p) / τ₁), k): no more than k items can be among the first k.
 * @param {number[]} ranks (P) relaxed ranks.
 * @param {number} k the cut-off, at least 1.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {number} from 0 to k.
 */
export function cappedCount(ranks, k, kTemperature) {
  return Math.min(softCounts(ranks, k, kTemperature).reduce((sum, count) => sum + count, 0), k);
}

/**
 * Relaxed recall: min(Σ_p σ((k − r_p) / τ₁), k) / min(k, P).
 * @param {number[]} ranks (P) relaxed ranks.
 * @param {number} k the cut-off, at least 1.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {number} from 0 to 1.
 */
export function softRecall(ranks, k, kTemperature) {
  return cappedCount(ranks, k, kTemperature) / recallDivisor(k, ranks.length);
}

/**
 * RS@k of one query: 1 − the mean over K of the relaxed recall.
 * @param {number[]} ranks (P) relaxed ranks.
 * @param {number[]} ks (K) the cut-offs.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {number} from 0 to 1.
 */
export function recallLoss(ranks, ks, kTemperature) {
  return 1 - ks.reduce((sum, k) => sum + softRecall(ranks, k, kTemperature), 0) / ks.length;
}

/**
 * dL/dr_p of recallLoss: the mean over K of σ'((k − r_p) / τ₁) / (τ₁ min(k, P)).
 * Where the cap holds, a k adds nothing; where the count is exactly k, half (as in PyTorch).
 * @param {number[]} ranks (P) relaxed ranks.
 * @param {number[]} ks (K) the cut-offs.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {number[]} (P) the fall of the loss for each place that a positive moves up.
 */
export function recallLossGradient(ranks, ks, kTemperature) {
  return recallLossAndGradient(ranks, ks, kTemperature).gradient;
}

/**
 * recallLoss and recallLossGradient of the same ranks, at half the price.
 * @param {number[]} ranks (P) relaxed ranks.
 * @param {number[]} ks (K) the cut-offs.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {{loss: number, gradient: number[]}} from 0 to 1, and (P).
 */
export function recallLossAndGradient(ranks, ks, kTemperature) {
  const [gradient, slopes] = [zerosLike(ranks), zerosLike(ranks)];
  let recall = 0;
  for (const k of ks) {
    const count = countAndSlopes(ranks, k, kTemperature, slopes);
    const divisor = recallDivisor(k, ranks.length) * ks.length;
    recall += Math.min(count, k) / divisor;
    const scale = belowCap(count, k) / divisor;
    for (let p = 0; p < ranks.length; p += 1) gradient[p] += scale * slopes[p];
  }
  return { loss: 1 - recall, gradient };
}

/** Σ_p σ((k − r_p) / τ₁), and into slopes σ'((k − r_p) / τ₁) / τ₁, of one exponential each. */
function countAndSlopes(ranks, k, kTemperature, slopes) {
  let count = 0;
  for (let p = 0; p < ranks.length; p += 1) {
    const u = (k - ranks[p]) / kTemperature;
    const small = Math.exp(-Math.abs(u)); // as in sigmoid.js
    count += (u >= 0 ? 1 : small) / (1 + small);
    slopes[p] = small / ((1 + small) * (1 + small)) / kTemperature;
  }
  return count;
}

/** The slope of min(count, k) in the count: 1 below k, ½ at k, 0 above. */
function belowCap(count, k) {
  return (count < k ? 0.5 : 0) + (count <= k ? 0.5 : 0);
}

/**
 * The pull on a positive that is the only one of its query, for each rank that it may have: dL/dr.
 * @param {number[]} ranks (M) relaxed ranks, each of a query of its own.
 * @param {number[]} ks (K) the cut-offs.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {number[]} (M).
 */
export function rankPull(ranks, ks, kTemperature) {
  return ranks.map((rank) => recallLossGradient([rank], ks, kTemperature)[0]);
}

/**
 * The loss of a perfect ranking, r = 1, 2, …, P. It is not 0: at rank k a positive counts ½.
 * @param {number} positives P, at least 1.
 * @param {number[]} ks (K) the cut-offs.
 * @param {number} kTemperature τ₁ > 0, in ranks.
 * @returns {number} from 0 to 1.
 */
export function lossFloor(positives, ks, kTemperature) {
  return recallLoss(Array.from({ length: positives }, (_, i) => i + 1), ks, kTemperature);
}
