/**
 * The step, the sigmoid that stands in for it, and the slope of the sigmoid.
 * Python: torch.sigmoid.
 */

/**
 * Does one item come before another? 1 if u > 0, else 0.
 * @param {number} u difference of two similarities.
 * @returns {number} 0 or 1.
 */
export function step(u) {
  return u > 0 ? 1 : 0;
}

/**
 * σ(u) = 1 / (1 + e^−u). Only e^−|u| is computed, which cannot overflow.
 * @param {number} u any number, ±Infinity included.
 * @returns {number} from 0 to 1.
 */
export function sigmoid(u) {
  const small = Math.exp(-Math.abs(u));
  return (u >= 0 ? 1 : small) / (1 + small);
}

/**
 * σ'(u) = σ(u) σ(−u) = e^−|u| / (1 + e^−|u|)², right far from 0 too, where 1 − σ(u) would lose its
 * digits.
 * @param {number} u any number.
 * @returns {number} from 0 to ¼.
 */
export function sigmoidSlope(u) {
  const small = Math.exp(-Math.abs(u));
  return small / (1 + small) ** 2;
}
