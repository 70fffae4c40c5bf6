/**
 * The five losses that notebook 02 compares, by name, with its settings.
 * Python: recallkit.course.pair_gradients.losses_to_compare.
 */

import { contrastiveLoss, ntXentLoss, tripletLoss } from "./pair_losses.js";
import { recallAtKLoss, smoothAPLoss } from "./rank_losses.js";

const LOSSES = {
  "RS@k": [recallAtKLoss, { ks: [1, 2, 4, 8, 16], kTemperature: 1, rankTemperature: 0.01 }],
  SmoothAP: [smoothAPLoss, { rankTemperature: 0.01 }],
  triplet: [tripletLoss, { margin: 0.1 }],
  contrastive: [contrastiveLoss, { positiveMargin: 1, negativeMargin: 0.5 }],
  "NT-Xent": [ntXentLoss, { temperature: 0.07 }],
};

/**
 * The names of the losses.
 * @returns {string[]}
 */
export function lossNames() {
  return Object.keys(LOSSES);
}

/**
 * The settings that notebook 02 gives to a loss: margins chosen for dot products of unit vectors.
 * @param {string} name one of lossNames().
 * @returns {object} a copy.
 */
export function lossSettings(name) {
  return { ...LOSSES[name][1] };
}

/**
 * A loss of a table of similarities.
 * @param {string} name one of lossNames().
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q).
 * @param {object} settings in place of some of lossSettings(name); others are ignored.
 * @returns {{loss: number, gradient: number[][]}} L, and (Q × N) dL/ds.
 */
export function lossOf(name, similarity, queries, settings = {}) {
  const [loss, usual] = LOSSES[name];
  return loss(similarity, queries, { ...usual, ...settings });
}
