/**
 * Circle loss of one positive and one negative, with its weights and its gradient.
 * Python: recallkit.related.CircleLoss.
 */

import { sigmoid } from "./sigmoid.js";

/**
 * L = log(1 + e^z) with z = γ α_n (s_n − m) − γ α_p (s_p − 1 + m). The weights α_p = [1 + m − s_p]₊
 * and α_n = [s_n + m]₊ have no gradient.
 * @param {number} positive s_p.
 * @param {number} negative s_n.
 * @param {{margin: number, gamma: number}} settings m and γ.
 * @returns {{loss: number, weights: number[], gradient: number[]}} L; α_p, α_n; dL/ds_p, dL/ds_n.
 */
export function circlePair(positive, negative, { margin, gamma }) {
  const weights = [Math.max(0, 1 + margin - positive), Math.max(0, negative + margin)];
  const z = gamma * (weights[1] * (negative - margin) - weights[0] * (positive - 1 + margin));
  const heard = sigmoid(z) * gamma;
  return {
    loss: Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))),
    weights,
    gradient: [-heard * weights[0], heard * weights[1]],
  };
}

/**
 * Where circle loss balances a positive and a negative: the part of s_n² + (s_p − 1)² = 2 m² with
 * s_n ≥ −m on its lower side, where both have a weight, and s_p ≤ 1.
 * Python: recallkit.course.pair_plane.circle_boundary.
 * @param {number} margin m, at least 0.
 * @param {number} count of points, at least 2.
 * @returns {number[][]} (count × 2) s_p and s_n, from (1 − m, −m) to (1, m √2).
 */
export function circleBoundary(margin, count = 61) {
  return Array.from({ length: count }, (_, i) => {
    const angle = 0.75 * Math.PI * (i / (count - 1) - 1);
    return [1 + margin * Math.SQRT2 * Math.sin(angle), margin * Math.SQRT2 * Math.cos(angle)];
  });
}
