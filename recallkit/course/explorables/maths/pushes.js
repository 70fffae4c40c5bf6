/**
 * How a gradient is spread over its pairs, in numbers that can be compared between losses.
 * Python: number_heard and share of notebook 02.
 */

/**
 * (Σ|g|)² / Σ g²: the number of equal entries with the same sum and the same sum of squares.
 * @param {number[]} gradient (N) dL/ds of some pairs.
 * @returns {number} from 1 to N; 0 if all entries are 0.
 */
export function numberHeard(gradient) {
  const squares = gradient.reduce((sum, value) => sum + value ** 2, 0);
  return squares > 0 ? totalPush(gradient) ** 2 / squares : 0;
}

/**
 * −g / Σ|g|: above 0 where a step of descent draws a pair together.
 * @param {number[]} gradient (N) dL/ds of some pairs.
 * @returns {number[]} (N), of sizes that add up to 1; all 0 if the gradient is.
 */
export function sharesOfPush(gradient) {
  const total = totalPush(gradient);
  return gradient.map((value) => (total > 0 ? -value / total : 0));
}

/** Σ|g|. */
function totalPush(gradient) {
  return gradient.reduce((sum, value) => sum + Math.abs(value), 0);
}
