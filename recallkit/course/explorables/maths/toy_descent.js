/**
 * A task in which a batch is worth its images and nothing more: guessing 0 from noisy readings.
 * Python: recallkit.course.toy_descent.
 */

/** 10^−3 … 10^0: the learning rates that each batch size may try. */
export const LEARNING_RATES = Array.from({ length: 61 }, (_, i) => 10 ** (-3 + i / 20));

/**
 * E[w²] = (1 − η)^2U start² + (1 − (1 − η)^2U) / (1 − (1 − η)²) η² noise / B.
 * @param {number} batchSize B, images.
 * @param {number} updates U.
 * @param {number} learningRate η, above 0, at most 1.
 * @param {number} noise the variance of a reading.
 * @param {number} start the distance of the first guess.
 * @returns {number} the mean squared error of the guess.
 */
export function expectedError(batchSize, updates, learningRate, noise = 4, start = 1) {
  const kept = (1 - learningRate) ** 2; // share of the squared error that an update leaves
  const left = kept ** updates;
  const ofBatches = ((1 - left) / (1 - kept)) * learningRate ** 2 * (noise / batchSize);
  return left * start ** 2 + ofBatches;
}

/**
 * The same comparison of batch sizes made in three ways, which hold different things equal.
 * @param {number[]} batchSizes (B), each at most `images`.
 * @param {number} learningRate the common one of the first two ways.
 * @param {number} images seen by each batch size, in the last two ways.
 * @param {number} updates of each batch size, in the first way.
 * @returns {{equalUpdates: number[], equalImages: number[], tuned: number[]}} (B) errors; "tuned"
 *   has the best of 61 learning rates for each batch size.
 */
export function threeViews(batchSizes, learningRate, images, updates = 64) {
  const equalImages = (batch, rate) => expectedError(batch, Math.floor(images / batch), rate);
  return {
    equalUpdates: batchSizes.map((batch) => expectedError(batch, updates, learningRate)),
    equalImages: batchSizes.map((batch) => equalImages(batch, learningRate)),
    tuned: batchSizes.map((batch) => equalImages(batch, bestLearningRate(batch, images))),
  };
}

/**
 * The best of LEARNING_RATES for a batch size.
 * @param {number} batchSize B, at most `images`.
 * @param {number} images seen; the updates are ⌊images / B⌋.
 * @returns {number} the learning rate with the smallest expected error.
 */
export function bestLearningRate(batchSize, images) {
  const updates = Math.floor(images / batchSize);
  const errors = LEARNING_RATES.map((rate) => expectedError(batchSize, updates, rate));
  return LEARNING_RATES[errors.indexOf(Math.min(...errors))];
}
