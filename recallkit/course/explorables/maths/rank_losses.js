/**
 * RS@k and SmoothAP of a table of similarities, with their gradient in each similarity.
 * Python: recallkit.RecallAtKLoss, recallkit.SmoothAPLoss, recallkit.course.pair_gradients.
 */

import { zeros } from "./pairs.js";
import { ranksAmongPositives, ranksAndSlopes, relaxedRanks, throughRanks } from "./ranks.js";
import { recallLossAndGradient } from "./recall.js";

/**
 * The relaxed ranks of every query's positives among its positives and negatives.
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q).
 * @param {number} rankTemperature τ₂ > 0, in units of similarity.
 * @returns {number[][]} for each query (P) ranks; none for a query without a positive.
 */
export function tableRanks(similarity, queries, rankTemperature) {
  return queries.map((query, q) => {
    const { row, positives } = competitors(similarity[q], query);
    return relaxedRanks(row, positives, rankTemperature);
  });
}

/**
 * RS@k: the mean, over the queries with a positive, of recallLoss.
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q); one at least has a positive.
 * @param {{ks: number[], kTemperature: number, rankTemperature: number}} settings K, τ₁, τ₂.
 * @returns {{loss: number, gradient: number[][]}} L, and (Q × N) dL/ds.
 */
export function recallAtKLoss(similarity, queries, { ks, kTemperature, rankTemperature }) {
  return meanOverQueries(similarity, queries, (row, positives) => {
    const { ranks, slopes } = ranksAndSlopes(row, positives, rankTemperature);
    const { loss, gradient } = recallLossAndGradient(ranks, ks, kTemperature);
    return { loss, gradient: throughRanks(slopes, positives, gradient) };
  });
}

/**
 * SmoothAP: the mean, over the queries with a positive, of 1 − 1/P Σ_p r⁺_p / r_p.
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q); one at least has a positive.
 * @param {{rankTemperature: number}} settings τ₂.
 * @returns {{loss: number, gradient: number[][]}} L, and (Q × N) dL/ds.
 */
export function smoothAPLoss(similarity, queries, { rankTemperature }) {
  return meanOverQueries(similarity, queries, (row, positives) => {
    const { ranks, slopes } = ranksAndSlopes(row, positives, rankTemperature);
    const among = ranksAmongPositives(row, positives, rankTemperature);
    const precision = ranks.map((rank, i) => among[i] / rank);
    const gradient = smoothAPGradient(slopes, ranks, precision);
    return { loss: 1 - precision.reduce((sum, one) => sum + one, 0) / ranks.length, gradient };
  });
}

/** dL/ds of a row with the positives first: what comes through r, and through r⁺. */
function smoothAPGradient(slopes, ranks, precision) {
  const count = ranks.length;
  const positives = ranks.map((_, i) => i);
  const ofRanks = ranks.map((rank, i) => precision[i] / rank / count);
  const ofAmong = ranks.map((rank) => -1 / rank / count);
  const all = throughRanks(slopes, positives, ofRanks);
  const own = throughRanks(slopes, positives, ofAmong, count);
  return all.map((value, z) => (z < count ? value + own[z] : value));
}

/** The part of a query's row that competes, positives first, and where it stands in the row. */
function competitors(row, { positives, negatives }) {
  const columns = positives.concat(negatives);
  const competing = [];
  for (const z of columns) competing.push(row[z]);
  return { columns, row: competing, positives: positives.map((_, i) => i) };
}

/** The mean of a loss of one query over those that have a positive. */
function meanOverQueries(similarity, queries, lossOfQuery) {
  const counted = queries.filter((query) => query.positives.length > 0).length;
  if (counted === 0) throw new RangeError("no query has a positive");
  const gradient = zeros(similarity);
  let sum = 0;
  queries.forEach((query, q) => {
    if (query.positives.length === 0) return;
    const { columns, row, positives } = competitors(similarity[q], query);
    const one = lossOfQuery(row, positives);
    sum += one.loss;
    for (let i = 0; i < columns.length; i += 1) gradient[q][columns[i]] = one.gradient[i] / counted;
  });
  return { loss: sum / counted, gradient };
}
