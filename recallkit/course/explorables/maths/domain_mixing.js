/**
 * A mixture between two domains, and what a domain classifier learns from its label.
 * Python: recallkit.related.draw_share, mixed_labels, domain_loss.
 */

import { sigmoid } from "./sigmoid.js";

/**
 * Keep a share at a distance from ½: a share in [½, ½ + c) becomes ½ + c, one in (½ − c, ½)
 * becomes ½ − c.
 * @param {number} share λ from 0 to 1.
 * @param {number} clearance c from 0 to ½.
 * @returns {number} from 0 to 1.
 */
export function keepClear(share, clearance) {
  if (share >= 0.5 && share < 0.5 + clearance) return 0.5 + clearance;
  return share < 0.5 && share > 0.5 - clearance ? 0.5 - clearance : share;
}

/**
 * The soft label of a mixture: λ for the class of the source, 1 − λ for the slot of the target.
 * @param {number} label the class, from 0 to K − 1.
 * @param {number} classes K.
 * @param {number} share λ.
 * @returns {number[]} (K + 1), of sum 1.
 */
export function mixedLabel(label, classes, share) {
  const slots = Array.from({ length: classes + 1 }, (_, k) => (k === label ? share : 0));
  slots[classes] = 1 - share;
  return slots;
}

/**
 * L = −y log σ(x) − (1 − y) log σ(−x), the cross-entropy of a domain label.
 * @param {number} logit x, above 0 for "source".
 * @param {number} label y from 0, target, to 1, source.
 * @returns {{loss: number, slope: number}} L, and dL/dx = σ(x) − y.
 */
export function domainLoss(logit, label) {
  const loss = Math.max(logit, 0) - logit * label + Math.log1p(Math.exp(-Math.abs(logit)));
  return { loss, slope: sigmoid(logit) - label };
}

/**
 * What the loss of a mixture asks of it and of its parents, for a domain classifier that is linear.
 * @param {number} source logit of the image of the source.
 * @param {number} target logit of the image of the target.
 * @param {number} share λ of the source.
 * @param {number} label of the mixture: λ, or 0 where it is cast to an integer.
 * @returns {{logit: number, loss: number, slope: number, parents: number[]}} of the mixture, and
 *   the slopes that reach source and target through it.
 */
export function mixtureLoss(source, target, share, label) {
  const logit = share * source + (1 - share) * target;
  const { loss, slope } = domainLoss(logit, label);
  return { logit, loss, slope, parents: [share * slope, (1 - share) * slope] };
}
