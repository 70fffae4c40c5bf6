/**
 * The five losses that notebook 02 compares, by name, with its settings.
 * Python: recallkit.course.pair_gradients.losses_to_compare.
 */

import { contrastiveLoss, ntXentLoss, tripletLoss } from "./pair_losses.js";
import { recallAtKLoss, smoothAPLoss } from "./rank_losses.js";

/** Name → settings of notebook 02. The margins are chosen for dot products of unit vectors. */
export const LOSS_SETTINGS = {
  "RS@k": { ks: [1, 2, 4, 8, 16], kTemperature: 1, rankTemperature: 0.01 },
  SmoothAP: { rankTemperature: 0.01 },
  triplet: { margin: 0.1 },
  contrastive: { positiveMargin: 1, negativeMargin: 0.5 },
  "NT-Xent": { temperature: 0.07 },
};

const LOSS_FUNCTIONS = {
  "RS@k": recallAtKLoss,
  SmoothAP: smoothAPLoss,
  triplet: tripletLoss,
  contrastive: contrastiveLoss,
  "NT-Xent": ntXentLoss,
};

/**
 * A loss of a table of similarities.
 * @param {string} name a key of LOSS_SETTINGS.
 * @param {number[][]} similarity (Q × N).
 * @param {import("./pairs.js").Query[]} queries (Q).
 * @param {object} settings in place of some of LOSS_SETTINGS[name]; others are ignored.
 * @returns {{loss: number, gradient: number[][]}} L, and (Q × N) dL/ds.
 */
export function lossOf(name, similarity, queries, settings = {}) {
  return LOSS_FUNCTIONS[name](similarity, queries, { ...LOSS_SETTINGS[name], ...settings });
}
