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
  let sum = 0;
  for (let d = 0; d < a.length; d += 1) sum += a[d] * b[d];
  return sum;
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
 * Zeros to add to. They are stored as a was, so that the first sum need not change the storage.
 * @param {number[]} a (D).
 * @returns {number[]} (D).
 */
export function zerosLike(a) {
  const zeros = a.slice();
  for (let d = 0; d < zeros.length; d += 1) zeros[d] = 0; // faster than fill
  return zeros;
}

/**
 * S = A Bᵀ.
 * @param {number[][]} a (Q × D).
 * @param {number[][]} b (N × D).
 * @returns {number[][]} (Q × N).
 */
export function products(a, b) {
  return a.map((row) => {
    const ofRow = []; // grows as numbers; b.map would keep each number as an object
    for (const other of b) ofRow.push(dot(row, other));
    return ofRow;
  });
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
