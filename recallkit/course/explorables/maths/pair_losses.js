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
  const sum = noTerms(similarity);
  queries.forEach(({ positives, negatives }, q) => {
    const [row, push] = [similarity[q], sum.gradient[q]];
    for (const p of positives) {
      for (const n of negatives) {
        if (!addViolated(sum, row[n] - row[p] + margin)) continue;
        push[p] -= 1;
        push[n] += 1;
      }
    }
  });
  return meanOf(sum);
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
  if (isTooSmall(queries)) return meanOf(noTerms(similarity));
  return sumOfLosses(
    hinges(similarity, queries, "positives", -1, positiveMargin),
    hinges(similarity, queries, "negatives", 1, negativeMargin),
  );
}

/** The mean of the terms sign · (s − margin) above 0, of all pairs of a kind. */
function hinges(similarity, queries, kind, sign, margin) {
  const sum = noTerms(similarity);
  queries.forEach((query, q) => {
    for (const z of query[kind]) {
      if (addViolated(sum, sign * (similarity[q][z] - margin))) sum.gradient[q][z] += sign;
    }
  });
  return meanOf(sum);
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
  const sum = noTerms(similarity);
  if (isTooSmall(queries)) return meanOf(sum);
  queries.forEach((query, q) => addSoftmaxTerms(sum, q, similarity[q], query, temperature));
  return meanOf(sum);
}

/**
 * One query's positive pairs of NT-Xent: dL/ds_z = (softmax_z − 1 where z is p) / T.
 * The powers of the negatives are the same for all positives, up to a factor.
 */
function addSoftmaxTerms(sum, q, row, { positives, negatives }, temperature) {
  const push = sum.gradient[q];
  const highest = negatives.reduce((most, n) => Math.max(most, row[n] / temperature), -Infinity);
  const powers = negatives.map((n) => Math.exp(row[n] / temperature - highest));
  const others = powers.reduce((total, power) => total + power, 0);
  let weight = 0; // of the powers, from all positives
  for (const p of positives) {
    const top = Math.max(highest, row[p] / temperature); // no power is above 1
    const factor = Math.exp(highest - top);
    const own = Math.exp(row[p] / temperature - top);
    const total = factor * others + own;
    const share = own / total;
    const heard = share / (share + TINY) / temperature;
    weight += (heard * factor) / total;
    push[p] += heard * share - heard;
    addTerm(sum, -Math.log(share + TINY));
  }
  negatives.forEach((n, i) => { push[n] += weight * powers[i]; });
}

/** At most one positive and one negative pair. */
function isTooSmall(queries) {
  const count = (kind) => queries.reduce((sum, query) => sum + query[kind].length, 0);
  return count("positives") <= 1 && count("negatives") <= 1;
}

/** Terms of a mean, to be added up: their sum, their number, and the sum of their derivatives. */
function noTerms(similarity) {
  return { loss: 0, count: 0, gradient: zeros(similarity) };
}

function addTerm(sum, value) {
  sum.loss += value;
  sum.count += 1;
}

/** Only a term above 0 counts in the means of triplet and contrastive loss. */
function addViolated(sum, value) {
  if (!(value > 0)) return false;
  addTerm(sum, value);
  return true;
}

/** The mean of terms; 0 without any. */
function meanOf({ loss, count, gradient }) {
  const divisor = Math.max(1, count);
  for (const row of gradient) {
    for (let z = 0; z < row.length; z += 1) row[z] /= divisor;
  }
  return { loss: loss / divisor, gradient };
}

/** The sum of two losses of the same table. */
function sumOfLosses(first, second) {
  const add = (row, q) => row.map((value, z) => value + second.gradient[q][z]);
  return { loss: first.loss + second.loss, gradient: first.gradient.map(add) };
}
