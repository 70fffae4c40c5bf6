/**
 * Which pairs of a batch, or of one query's list, are positives and which negatives.
 * All losses of a table of similarities take the same form: for each query (row) its positives and
 * its negatives, as columns of the table. A column in neither takes no part.
 * Python: recallkit.ranks.find_positives, pytorch_metric_learning's get_all_pairs_indices.
 */

import { zerosLike } from "./vectors.js";

/**
 * One query's columns.
 * @typedef {{positives: number[], negatives: number[]}} Query
 */

/**
 * A batch against itself. No item is its own positive.
 * @param {number[]} labels (B) of any kind that === compares.
 * @param {boolean} queryInDatabase false: an item takes no part in its own ranking. True: it
 *   competes there, so it stands among its own negatives.
 * @returns {Query[]} (B).
 */
export function batchQueries(labels, queryInDatabase = false) {
  const items = [...labels.keys()];
  return items.map((q) => ({
    positives: items.filter((z) => z !== q && labels[z] === labels[q]),
    negatives: items.filter((z) => (z === q ? queryInDatabase : labels[z] !== labels[q])),
  }));
}

/**
 * One query against a list that does not hold it.
 * @param {number[]} positives (P) indices.
 * @param {number} size N, the length of the list.
 * @returns {Query[]} (1).
 */
export function listQueries(positives, size) {
  const negatives = [...Array(size).keys()].filter((z) => !positives.includes(z));
  return [{ positives, negatives }];
}

/**
 * A table of zeros.
 * @param {number[][]} like (Q × N).
 * @returns {number[][]} (Q × N).
 */
export function zeros(like) {
  return like.map(zerosLike);
}
