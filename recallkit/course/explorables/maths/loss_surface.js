/**
 * The loss of one query over the similarities of its two positives, and the pull on each.
 * Python: recallkit.course.loss_surface.loss_and_pull.
 */

import { relaxedRanks, similarityGradient } from "./ranks.js";
import { recallLoss, recallLossGradient } from "./recall.js";

/**
 * RS@k of one query whose first items are the positives, and −dL/ds of each of them.
 * @param {number[]} similarity (N).
 * @param {number} positives P: items 0 … P − 1.
 * @param {{ks: number[], kTemperature: number, rankTemperature: number}} settings K, τ₁, τ₂.
 * @returns {{loss: number, pull: number[]}} L, and (P).
 */
export function lossAndPull(similarity, positives, { ks, kTemperature, rankTemperature }) {
  const items = Array.from({ length: positives }, (_, i) => i);
  const ranks = relaxedRanks(similarity, items, rankTemperature);
  const ofRanks = recallLossGradient(ranks, ks, kTemperature);
  const gradient = similarityGradient(similarity, items, ofRanks, rankTemperature);
  return { loss: recallLoss(ranks, ks, kTemperature), pull: items.map((p) => -gradient[p]) };
}

/**
 * Loss and pull for all pairs of places of two positives, with the same negatives.
 * @param {number[]} grid (G) similarities, such as 37 of them.
 * @param {number[]} negatives (N) similarities.
 * @param {{ks: number[], kTemperature: number, rankTemperature: number}} settings K, τ₁, τ₂.
 * @returns {{loss: number[][], pull: number[][][]}} (G × G), the first positive along the rows; and
 *   (G × G × 2).
 */
export function lossSurface(grid, negatives, settings) {
  const cells = grid.map((first) => grid.map((second) => {
    return lossAndPull([first, second, ...negatives], 2, settings);
  }));
  return {
    loss: cells.map((row) => row.map((cell) => cell.loss)),
    pull: cells.map((row) => row.map((cell) => cell.pull)),
  };
}
