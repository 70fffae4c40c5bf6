// Points of several classes on the unit circle, which can be turned.
import { fixed } from "./scales.js";
import { degreesOf, onCircle } from "./maths/vectors.js";

export const CIRCLE_WORDS = {
  point: "point {name}",
  turn: "{degrees}°",
};
const CLASS_KINDS = ["rk-green", "rk-purple", "rk-ink", "rk-grey"];
export const DISC = 10; // radius of a point, in pixels

export const classKind = (label) => CLASS_KINDS[label % CLASS_KINDS.length];
export const classLetter = (label) => String.fromCharCode(65 + (label % 26));

/** Letter and number of each point: A1, A2, …, B1, … */
export function pointNames(labels) {
  const seen = {};
  return labels.map((label) => {
    seen[label] = (seen[label] ?? 0) + 1;
    return `${classLetter(label)}${seen[label]}`;
  });
}

/** From vectors to pixels, and from pixels to degrees. */
export function circlePlane([left, top], radius) {
  return {
    at: ([x, y]) => [left + radius * x, top - radius * y],
    degrees: (x, y) => degreesOf([x - left, top - y]),
    middle: [left, top], radius,
  };
}

/** A disc with the letter of its class. */
export function paintPoint(pen, [x, y], label) {
  pen.circle(x, y, DISC, `${classKind(label)} rk-fill rk-rim`);
  pen.text(x, y + 4.5, classLetter(label), "rk-inside rk-middle");
}

/** Arrows from points, from vectors; the longest takes `length` pixels. */
export function paintMoves(pen, { at }, points, vectors, length, kind) {
  const longest = Math.max(...vectors.map(([x, y]) => Math.hypot(x, y)));
  points.forEach((point, i) => {
    const [x, y] = at(point);
    const [dx, dy] = vectors[i].map((value) => value / longest);
    const share = Math.hypot(dx, dy);
    if (!(share > 0.03)) return;
    const far = DISC + 1 + share * length;
    const near = [x + ((DISC - 2) * dx) / share, y - ((DISC - 2) * dy) / share];
    pen.arrow(near, [x + (far * dx) / share, y - (far * dy) / share], kind);
  });
}

/** A handle on each point; change(degrees, i) is called with the new angle of point i. */
export function placeTurns({ pen, say }, plane, degrees, labels, change) {
  const names = pointNames(labels);
  degrees.forEach((value, i) => {
    const [x, y] = plane.at(onCircle(value));
    pen.handle({
      x, y, label: say("point", { name: names[i] }), text: say("turn", { degrees: fixed(value, 0) }),
      value, min: -180, max: 180, step: 1, page: 15, at: plane.degrees, change: (to) => change(to, i),
    });
  });
}
