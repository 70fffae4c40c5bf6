/**
 * Triplet, contrastive and NT-Xent loss of a table of similarities, with their gradient in each.
 * They follow pytorch-metric-learning on dot products: over which pairs each loss is a mean, and
 * that a table of at most one positive and one negative pair has contrastive and NT-Xent loss 0.
 * Python: recallkit.course.pair_gradients.losses_to_compare.
 */

import { zeros } from "./pairs.js";

const TINY = 2.2250738585072014e-308; // the smallest normal number; keeps the logarithm finite

/**
 * Triplet loss: the mean of max(0, s_n − s_p + margin) over the triplets (query, p, n) where it is
 * above 0; 0 if there are none.
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q).
 * @param {{margin: number}} settings in units of similarity.
 * @returns {{loss: number, gradient: number[][]}} L, and (Q × N) dL/ds.
 */
export function tripletLoss(similarity, queries, { margin }) {
  const terms = [];
  queries.forEach(({ positives, negatives }, q) => {
    for (const p of positives) {
      for (const n of negatives) {
        const value = similarity[q][n] - similarity[q][p] + margin;
        terms.push({ value, pushes: [[q, p, -1], [q, n, 1]] });
      }
    }
  });
  return meanOfTerms(similarity, terms.filter(isViolated));
}

/**
 * Contrastive loss: the mean of max(0, positiveMargin − s_p) over the positive pairs where it is
 * above 0, plus the mean of max(0, s_n − negativeMargin) over the negative pairs where it is.
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q).
 * @param {{positiveMargin: number, negativeMargin: number}} settings in units of similarity.
 * @returns {{loss: number, gradient: number[][]}} L, and (Q × N) dL/ds.
 */
export function contrastiveLoss(similarity, queries, { positiveMargin, negativeMargin }) {
  if (isTooSmall(queries)) return meanOfTerms(similarity, []);
  return sumOfLosses(
    meanOfTerms(similarity, hinges(similarity, queries, "positives", -1, positiveMargin)),
    meanOfTerms(similarity, hinges(similarity, queries, "negatives", 1, negativeMargin)),
  );
}

/** The terms sign · (s − margin) above 0, of all pairs of a kind. */
function hinges(similarity, queries, kind, sign, margin) {
  const terms = queries.flatMap((query, q) => query[kind].map((z) => {
    return { value: sign * (similarity[q][z] - margin), pushes: [[q, z, sign]] };
  }));
  return terms.filter(isViolated);
}

/**
 * NT-Xent: the mean of −log(e^{s_p/T} / (e^{s_p/T} + Σ_n e^{s_n/T})) over all positive pairs, with
 * the negatives n of the same query.
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q).
 * @param {{temperature: number}} settings T, in units of similarity.
 * @returns {{loss: number, gradient: number[][]}} L, and (Q × N) dL/ds.
 */
export function ntXentLoss(similarity, queries, { temperature }) {
  const terms = [];
  if (isTooSmall(queries)) return meanOfTerms(similarity, terms);
  queries.forEach(({ positives, negatives }, q) => {
    for (const p of positives) terms.push(softmaxTerm(similarity[q], q, p, negatives, temperature));
  });
  return meanOfTerms(similarity, terms);
}

/** One positive pair of NT-Xent: dL/ds_z = (softmax_z − 1 where z is p) / T. */
function softmaxTerm(row, q, p, negatives, temperature) {
  const columns = [...negatives, p];
  const highest = Math.max(...columns.map((z) => row[z] / temperature));
  const powers = columns.map((z) => Math.exp(row[z] / temperature - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const share = powers[negatives.length] / total;
  const heard = share / (share + TINY) / temperature;
  const pushes = columns.map((z, i) => [q, z, (heard * powers[i]) / total]);
  pushes.push([q, p, -heard]);
  return { value: -Math.log(share + TINY), pushes };
}

/** At most one positive and one negative pair. */
function isTooSmall(queries) {
  const count = (kind) => queries.reduce((sum, query) => sum + query[kind].length, 0);
  return count("positives") <= 1 && count("negatives") <= 1;
}

/** Only a term above 0 counts in the means of triplet and contrastive loss. */
function isViolated({ value }) {
  return value > 0;
}

/** The mean of terms, each with pushes [query, column, derivative]; 0 without any. */
function meanOfTerms(similarity, terms) {
  const gradient = zeros(similarity);
  const count = Math.max(1, terms.length);
  for (const { pushes } of terms) {
    for (const [q, z, push] of pushes) gradient[q][z] += push / count;
  }
  return { loss: terms.reduce((sum, { value }) => sum + value, 0) / count, gradient };
}

/** The sum of two losses of the same table. */
function sumOfLosses(first, second) {
  const add = (row, q) => row.map((value, z) => value + second.gradient[q][z]);
  return { loss: first.loss + second.loss, gradient: first.gradient.map(add) };
}
