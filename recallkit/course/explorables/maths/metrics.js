/**
 * The metrics of retrieval of one query, from the true ranks of its positives.
 * Python: recallkit.retrieval_metrics.
 */

import { trueRanks } from "./ranks.js";

/**
 * The items in the order of recallkit.search: nearest first; of similarities that are equal in
 * float32, the lower index first.
 * @param {number[]} similarity (N).
 * @returns {number[]} (N) indices.
 */
export function rankingOrder(similarity) {
  const rounded = similarity.map(Math.fround);
  return [...rounded.keys()].sort((a, b) => rounded[b] - rounded[a] || a - b);
}

/**
 * R@k of the benchmarks: is any positive among the first k?
 * @param {number[]} ranks (R), at least one.
 * @param {number} k the cut-off, at least 1.
 * @returns {number} 0 or 1.
 */
export function recallAny(ranks, k) {
  return ranks.some((rank) => rank <= k) ? 1 : 0;
}

/**
 * The share of all positives that are among the first k: #{i: r_i ≤ k} / R.
 * @param {number[]} ranks (R), at least one.
 * @param {number} k the cut-off, at least 1.
 * @returns {number} from 0 to 1; below 1 wherever k < R.
 */
export function recallShare(ranks, k) {
  return ranks.filter((rank) => rank <= k).length / ranks.length;
}

/**
 * P@1: is the first item a positive?
 * @param {number[]} ranks (R), at least one.
 * @returns {number} 0 or 1.
 */
export function precisionAtOne(ranks) {
  return recallAny(ranks, 1);
}

/**
 * AP = 1/R Σ_i i / r_i, with r_1 < r_2 < … < r_R.
 * @param {number[]} ranks (R) in any order, at least one.
 * @returns {number} from 0 to 1.
 */
export function averagePrecision(ranks) {
  return precisionSum(ranks, Infinity) / ranks.length;
}

/**
 * AP@R = 1/R Σ_{i: r_i ≤ R} i / r_i; its mean over queries is mAP@R.
 * @param {number[]} ranks (R) in any order, at least one.
 * @returns {number} from 0 to 1.
 */
export function averagePrecisionAtR(ranks) {
  return precisionSum(ranks, ranks.length) / ranks.length;
}

/** Σ_i i / r_i of the ranks up to a last one. */
function precisionSum(ranks, last) {
  const ascending = [...ranks].sort((a, b) => a - b).filter((rank) => rank <= last);
  return ascending.reduce((sum, rank, i) => sum + (i + 1) / rank, 0);
}

/**
 * All of these metrics for one query's similarities.
 * @param {number[]} similarity (N).
 * @param {number[]} positives (R) indices, at least one.
 * @param {number[]} ks (K) the cut-offs.
 * @returns {{ranks: number[], recallAny: number[], recallShare: number[], precisionAtOne: number,
 *   averagePrecision: number, averagePrecisionAtR: number}} true ranks (R), recalls (K), and the
 *   rest.
 */
export function listMetrics(similarity, positives, ks) {
  const ranks = trueRanks(similarity, positives);
  return {
    ranks,
    recallAny: ks.map((k) => recallAny(ranks, k)),
    recallShare: ks.map((k) => recallShare(ranks, k)),
    precisionAtOne: precisionAtOne(ranks),
    averagePrecision: averagePrecision(ranks),
    averagePrecisionAtR: averagePrecisionAtR(ranks),
  };
}
