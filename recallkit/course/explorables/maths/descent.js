/**
 * Points on the unit sphere under a loss: where it sends each, and 300 steps of plain descent.
 * Python: recallkit.course.pair_gradients.sphere_gradient, descend.
 */

import { lossOf } from "./losses.js";
import { batchQueries } from "./pairs.js";
import { dot, norm, products, unit, zerosLike } from "./vectors.js";

/**
 * dL/dE along the sphere from dL/dS, S = E Eᵀ: (G + Gᵀ) E without its part along each point.
 * @param {number[][]} points (B × D) of unit length.
 * @param {number[][]} pairGradient G (B × B), dL/dS.
 * @returns {number[][]} (B × D), each row at a right angle to its point.
 */
export function alongSphere(points, pairGradient) {
  return points.map((point, i) => {
    const full = zerosLike(point);
    for (let j = 0; j < points.length; j += 1) {
      const weight = pairGradient[i][j] + pairGradient[j][i];
      for (let d = 0; d < point.length; d += 1) full[d] += weight * points[j][d];
    }
    const outward = dot(full, point);
    return full.map((value, d) => value - outward * point[d]);
  });
}

/**
 * A loss of points and its gradient along the sphere; a step of descent goes the other way.
 * @param {string} name a key of LOSS_SETTINGS.
 * @param {number[][]} points (B × D) of unit length.
 * @param {number[]} labels (B).
 * @param {object} settings of the loss, in place of the usual ones; and queryInDatabase.
 * @returns {{loss: number, gradient: number[][]}} L, and (B × D).
 */
export function lossOnSphere(name, points, labels, settings = {}) {
  return lossAt(name, points, batchQueries(labels, settings.queryInDatabase), settings);
}

/** The same, of queries that are known already: they stay while the points move. */
function lossAt(name, points, queries, settings) {
  const { loss, gradient } = lossOf(name, products(points, points), queries, settings);
  return { loss, gradient: alongSphere(points, gradient) };
}

/**
 * The learning rate with which the fastest point moves by firstStep in the first step.
 * @param {number[][]} gradient (B × D) at the start.
 * @param {number} firstStep in radians.
 * @returns {number} Infinity if nothing would move.
 */
export function learningRate(gradient, firstStep) {
  return firstStep / Math.max(...gradient.map(norm));
}

/**
 * Further steps of plain descent, each back to unit length.
 * @param {string} name a key of LOSS_SETTINGS.
 * @param {number[][][]} path (T × B × D) the points so far, of unit length; it is left as it is.
 * @param {number[]} labels (B).
 * @param {number} rate the learning rate.
 * @param {number} steps their number.
 * @param {object} settings as for lossOnSphere.
 * @returns {number[][][]} (T + steps × B × D).
 */
export function descendFurther(name, path, labels, rate, steps, settings = {}) {
  const queries = batchQueries(labels, settings.queryInDatabase);
  const longer = path.slice();
  for (let step = 0; step < steps; step += 1) {
    const points = longer[longer.length - 1];
    const { gradient } = lossAt(name, points, queries, settings);
    longer.push(points.map((point, i) => unit(point.map((value, d) => value - rate * gradient[i][d]))));
  }
  return longer;
}

/**
 * Plain gradient descent with a fixed learning rate.
 *
 * RS@k at τ₂ = 0.01 and contrastive loss are steps almost everywhere. They double the last digit's
 * error every few steps. So two programs agree step by step, and no longer after a hundred.
 * @param {string} name a key of LOSS_SETTINGS.
 * @param {number[][]} start (B × D) of unit length.
 * @param {number[]} labels (B).
 * @param {number} steps their number, such as 300.
 * @param {number} firstStep the largest length of the first step, in radians.
 * @param {object} settings as for lossOnSphere.
 * @returns {number[][][]} (steps + 1 × B × D), the start first.
 * @throws {RangeError} if the loss has no gradient at the start.
 */
export function descend(name, start, labels, steps, firstStep = 0.05, settings = {}) {
  const rate = learningRate(lossOnSphere(name, start, labels, settings).gradient, firstStep);
  if (rate === Infinity) throw new RangeError("the loss has no gradient at the start");
  return descendFurther(name, [start], labels, rate, steps, settings);
}

/**
 * How many classes have come together: every two of their points are within an angle.
 * @param {number[][]} points (B × D) of unit length.
 * @param {number[]} labels (B).
 * @param {number} degrees the angle.
 * @returns {number} of the classes with two points at least.
 */
export function classesTogether(points, labels, degrees) {
  const least = Math.cos((degrees * Math.PI) / 180);
  const members = [...new Set(labels)].map((label) => points.filter((_, i) => labels[i] === label));
  const near = (group) => group.every((one, i) => {
    return group.every((other, j) => i === j || dot(one, other) >= least);
  });
  return members.filter((group) => group.length > 1 && near(group)).length;
}

/**
 * How far the fastest point has moved.
 * @param {number[][]} before (B × D).
 * @param {number[][]} after (B × D).
 * @returns {number} the largest distance.
 */
export function fastestMove(before, after) {
  return Math.max(...before.map((point, i) => norm(point.map((value, d) => after[i][d] - value))));
}
