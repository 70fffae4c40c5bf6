/**
 * Class collapse: classes on arcs of any width, and RS@k under both definitions of a database.
 * Python: recallkit.course.class_collapse.
 */

import { batchQueries } from "./pairs.js";
import { recallAtKLoss } from "./rank_losses.js";
import { dot, onCircle, products } from "./vectors.js";

const RULER = [0, 1, 4, 9, 15, 22, 32, 34]; // all distances differ (a Golomb ruler)

/**
 * Classes on arcs of circles, one circle for each class, all circles at right angles.
 * @param {number} width of an arc, in degrees.
 * @param {number} perClass items of a class, 2 to 8.
 * @param {number} classes C.
 * @returns {{points: number[][], labels: number[]}} (C·perClass × 2C) of unit length, (C·perClass).
 */
export function arcClasses(width, perClass, classes = 2) {
  const marks = RULER.slice(0, perClass);
  const labels = Array.from({ length: classes * perClass }, (_, i) => Math.floor(i / perClass));
  const points = labels.map((label, i) => {
    const point = Array(2 * classes).fill(0);
    const place = marks[i % perClass] / marks[perClass - 1];
    [point[2 * label], point[2 * label + 1]] = onCircle(width * place);
    return point;
  });
  return { points, labels };
}

/**
 * RS@k of arcClasses, with τ₁ = 1 and τ₂ = 0.01, under both definitions.
 * @param {number[]} widths (W) in degrees.
 * @param {number[]} ks (K) the cut-offs.
 * @param {number} perClass items of a class, 2 to 8.
 * @returns {number[][]} (2 × W): the query left out; the query in its database.
 */
export function arcLosses(widths, ks, perClass = 4) {
  const settings = { ks, kTemperature: 1, rankTemperature: 0.01 };
  return [false, true].map((queryInDatabase) => widths.map((width) => {
    const { points, labels } = arcClasses(width, perClass);
    const queries = batchQueries(labels, queryInDatabase);
    return recallAtKLoss(products(points, points), queries, settings).loss;
  }));
}

/**
 * The mean similarity of an item to the others of its class; 1 if every class is one point.
 * @param {number[][]} points (B × D) of unit length.
 * @param {number[]} labels (B); an item that is alone in its class is left out.
 * @returns {number} NaN if all are alone.
 */
export function withinClassSimilarity(points, labels) {
  const means = batchQueries(labels).flatMap(({ positives }, q) => {
    const sum = positives.reduce((total, p) => total + dot(points[q], points[p]), 0);
    return positives.length > 0 ? [sum / positives.length] : [];
  });
  return means.reduce((sum, mean) => sum + mean, 0) / means.length;
}
