/**
 * Vectors as arrays of numbers: products, lengths, points on the unit circle.
 */

/**
 * ⟨a, b⟩ = Σ_d a_d b_d.
 * @param {number[]} a (D).
 * @param {number[]} b (D).
 * @returns {number}
 */
export function dot(a, b) {
  return a.reduce((sum, value, d) => sum + value * b[d], 0);
}

/**
 * √⟨a, a⟩.
 * @param {number[]} a (D).
 * @returns {number}
 */
export function norm(a) {
  return Math.sqrt(dot(a, a));
}

/**
 * a divided by its length, or by `least` if that is larger, as torch's normalize does.
 * @param {number[]} a (D).
 * @param {number} least guards against a division by 0.
 * @returns {number[]} (D).
 */
export function unit(a, least = 1e-12) {
  const scale = Math.max(norm(a), least);
  return a.map((value) => value / scale);
}

/**
 * S = A Bᵀ.
 * @param {number[][]} a (Q × D).
 * @param {number[][]} b (N × D).
 * @returns {number[][]} (Q × N).
 */
export function products(a, b) {
  return a.map((row) => b.map((other) => dot(row, other)));
}

/**
 * The point of the unit circle at an angle.
 * @param {number} degrees counter-clockwise from (1, 0).
 * @returns {number[]} (2).
 */
export function onCircle(degrees) {
  const angle = degrees * (Math.PI / 180);
  return [Math.cos(angle), Math.sin(angle)];
}

/**
 * The angle of a point.
 * @param {number[]} point (2), not (0, 0).
 * @returns {number} degrees from −180 to 180, counter-clockwise from (1, 0).
 */
export function degreesOf([x, y]) {
  return Math.atan2(y, x) * (180 / Math.PI);
}
