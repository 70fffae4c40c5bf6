/**
 * The peak memory of a training step, as a sum of three parts.
 * Python: recallkit.bench.memory.StepMemory.
 */

/**
 * fixed + graph · min(batch, chunk) + image · batch.
 * @param {{fixed: number, graph: number, image: number}} memory bytes: whatever the sizes; for each
 *   image with a graph; for each image of the batch.
 * @param {number} batchSize images.
 * @param {number} chunkSize images with a graph at once; as it is left out: a plain step.
 * @returns {number} bytes.
 */
export function peakMemory(memory, batchSize, chunkSize = batchSize) {
  const withGraph = Math.min(batchSize, chunkSize);
  return memory.fixed + memory.graph * withGraph + memory.image * batchSize;
}
