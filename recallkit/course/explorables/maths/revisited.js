/**
 * The protocol of ROxford5k and RParis6k: one ranking, evaluated in three settings.
 * Python: recallkit.metrics.revisited.
 */

const SETTINGS = {
  easy: { positives: ["easy"], ignored: ["junk", "hard"] },
  medium: { positives: ["easy", "hard"], ignored: ["junk"] },
  hard: { positives: ["hard"], ignored: ["junk", "easy"] },
};

/**
 * The ranks of the positives of a list, after the ignored items are removed.
 * @param {string[]} kinds (N) of the items, nearest first: "easy", "hard", "junk", or another word
 *   for a negative.
 * @param {string} setting "easy", "medium" or "hard".
 * @returns {number[]} (R) ascending; empty without a positive in this setting.
 */
export function cleanedRanks(kinds, setting) {
  const { positives, ignored } = SETTINGS[setting];
  const left = kinds.filter((kind) => !ignored.includes(kind));
  return left.flatMap((kind, i) => (positives.includes(kind) ? [i + 1] : []));
}

/**
 * AP = 1/R Σ_i ((i − 1)/(r_i − 1) + i/r_i) / 2; the first fraction is 1 where r_i = 1. This is the
 * area of the trapezoids under the curve of precision against recall.
 * @param {number[]} ranks (R) ascending, at least one.
 * @returns {number} from 0 to 1.
 */
export function trapezoidAveragePrecision(ranks) {
  const area = (rank, i) => ((rank > 1 ? i / (rank - 1) : 1) + (i + 1) / rank) / 2;
  return ranks.reduce((sum, rank, i) => sum + area(rank, i), 0) / ranks.length;
}

/**
 * P@k = #{r_i ≤ k'} / k', k' = min(k, r_R): items behind the last positive do not count.
 * @param {number[]} ranks (R) ascending, at least one.
 * @param {number} k the cut-off, at least 1.
 * @returns {number} from 0 to 1.
 */
export function precisionAtK(ranks, k) {
  const reach = Math.min(k, ranks[ranks.length - 1]);
  return ranks.filter((rank) => rank <= reach).length / reach;
}

/**
 * AP and P@k of one list in the settings that have a positive.
 * @param {string[]} kinds (N) of the items, nearest first, as for cleanedRanks.
 * @param {number[]} ks (K) the cut-offs.
 * @returns {Object<string, {averagePrecision: number, precision: number[]}>} setting → AP, and (K).
 */
export function revisitedMetrics(kinds, ks) {
  const counted = Object.keys(SETTINGS).map((name) => [name, cleanedRanks(kinds, name)]);
  return Object.fromEntries(counted.filter(([, ranks]) => ranks.length > 0).map(([name, ranks]) => {
    const precision = ks.map((k) => precisionAtK(ranks, k));
    return [name, { averagePrecision: trapezoidAveragePrecision(ranks), precision }];
  }));
}
