// A virtual example on the chord of its parents, and its similarity to a query.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { clamp, fixed, linear, spaced } from "./scales.js";
import { virtualExample } from "./maths/simix.js";
import { degreesOf, dot, onCircle } from "./maths/vectors.js";

const WORDS = {
  title: "A virtual example on the chord of its parents",
  alpha: "α, the weight of x",
  apart: "angle between the parents",
  query: "angle of the query w",
  similarity: "similarity to w",
  parent: "parents x and z",
  asked: "query w",
  virtual: "virtual example v",
  chord: "s(w, v), v on the chord",
  unit: "if v were of unit length",
  degrees: "{degrees}°",
  reading: "{alpha}, length {length}, similarity to w {similarity}",
  status: "|v| = {length}. s(w, v) = {alpha} × {ofX} + {rest} × {ofZ} = {similarity}. At unit length it would be {ofUnit}.",
  help: "Drag x, w or the diamond, or focus one and press ← →.",
};

function layOut(width, narrow) {
  const half = narrow ? Math.min(width, 360) / 2 : 152;
  const middle = narrow ? [width / 2, half + 2] : [half + 4, half + 2];
  const top = narrow ? 2 * half + 40 : 40;
  const area = { left: narrow ? 40 : 2 * half + 74, right: width - 18, top, bottom: top + (narrow ? 190 : 218) };
  return { middle, radius: half - 30, area, height: narrow ? area.bottom + 44 : 2 * half + 4 };
}

/** From vectors to pixels, and back to an angle. */
function plane({ middle: [left, top], radius }) {
  const at = ([x, y]) => [left + radius * x, top - radius * y];
  return { at, degrees: (x, y) => degreesOf([x - left, top - y]) };
}

function paintShadows({ pen }, { at }, w, points) {
  pen.line(...at(w.map((value) => -value)), ...at(w), "rk-blue rk-thin");
  for (const point of points) {
    const far = dot(point, w);
    pen.line(...at(point), ...at(w.map((value) => far * value)), "rk-grey rk-line rk-dot");
  }
  const far = dot(points[0], w);
  pen.line(...at([0, 0]), ...at(w.map((value) => far * value)), "rk-blue rk-bold");
  pen.circle(...at([0, 0]), 3.5, "rk-blue rk-fill");
}

function paintCircle({ pen, say }, place, { x, z, w, now }) {
  const { at } = place;
  pen.circle(...at([0, 0]), place.radius, "rk-grey rk-thin");
  paintShadows({ pen }, place, w, [now.point, x, z]);
  pen.line(...at(x), ...at(z), "rk-green rk-line");
  for (const [point, letter] of [[z, "z"], [x, "x"]]) {
    pen.circle(...at(point), 11, "rk-green rk-fill rk-rim");
    pen.text(at(point)[0], at(point)[1] + 4.5, letter, "rk-inside rk-middle");
  }
  pen.square(...at(w), 10, "rk-blue rk-fill rk-rim");
  pen.text(at(w)[0], at(w)[1] + 4.5, "w", "rk-inside rk-middle");
  pen.diamond(...at(now.point), 9, "rk-green rk-open");
  const [px, py] = at(now.point.map((value) => value * (1 - 0.2 / Math.max(now.length, 0.2))));
  if (now.length > 0.35) pen.text(px, py + 4, "v", "rk-strong rk-middle");
  else pen.text(at(now.point)[0] - 20, at(now.point)[1] + 4, "v", "rk-strong rk-middle");
}

function paintSimilarity({ pen, state, say }, area, { x, z, w, now }) {
  const across = linear([0, 1], [area.left, area.right]);
  const up = linear([-1, 1], [area.bottom, area.top]);
  drawAxes(pen, area, across, up, { xTicks: [0, 0.5, 1], yTicks: [-1, 0, 1], xName: say("alpha"), yName: say("similarity") });
  const drawn = spaced(0, 1, 61).map((alpha) => [alpha, virtualExample(x, z, w, alpha)]);
  pen.curve(drawn.map(([alpha, { ofUnit }]) => [across(alpha), up(ofUnit)]), "rk-purple rk-line rk-dash");
  pen.curve(drawn.map(([alpha, { similarity }]) => [across(alpha), up(similarity)]), "rk-green rk-line");
  const here = [across(state.alpha), up(now.similarity)];
  pen.line(here[0], up(0), ...here, "rk-blue rk-bold");
  pen.diamond(...here, 9, "rk-green rk-open");
  const left = state.alpha > 0.75;
  pen.text(here[0] + (left ? -15 : 15), here[1] + (now.similarity > now.ofUnit ? -10 : 20), fixed(now.similarity, 2), `rk-strong${left ? " rk-end" : ""}`);
}

function placeHandles({ pen, state, say, set }, { at, degrees }, { x, z, w, now, words }) {
  const turned = (name, point, min, max) => pen.handle({
    x: at(point)[0], y: at(point)[1], label: say(name), text: say("degrees", { degrees: state[name] }),
    value: state[name], min, max, step: 5, page: 15,
    at: (px, py) => { const angle = degrees(px, py); return angle < -90 ? angle + 360 : angle; },
    change: (value) => set({ [name]: value }),
  });
  turned("query", w, 0, 180);
  turned("apart", x, 10, 170);
  const [from, to] = [at(z), at(x)];
  const chord = [to[0] - from[0], to[1] - from[1]];
  pen.handle({
    x: at(now.point)[0], y: at(now.point)[1], label: say("alpha"), text: say("reading", words),
    value: state.alpha, min: 0, max: 1, step: 0.05, page: 0.25,
    at: (px, py) => dot([px - from[0], py - from[1]], chord) / dot(chord, chord),
    change: (alpha) => set({ alpha }),
  });
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const [x, z, w] = [onCircle(state.apart), onCircle(0), onCircle(state.query)];
  const now = virtualExample(x, z, w, state.alpha);
  const two = (value) => fixed(value, 2);
  const words = {
    alpha: two(state.alpha), rest: two(1 - state.alpha), length: two(now.length), ofX: two(dot(w, x)), ofZ: two(dot(w, z)),
    similarity: two(now.similarity), ofUnit: two(clamp(now.ofUnit, -1, 1)),
  };
  const place = layOut(width, narrow);
  const drawing = { ...place, ...plane(place) };
  const scene = { x, z, w, now, words };
  paintCircle(given, drawing, scene);
  paintSimilarity(given, place.area, scene);
  placeHandles(given, drawing, scene);
  return { height: place.height, status: say("status", words), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["alpha", "apart", "query"],
  signs: [
    ["circle", "rk-green rk-fill", "parent"], ["square", "rk-blue rk-fill", "asked"], ["diamond", "rk-green rk-open", "virtual"],
    ["line", "rk-green rk-line", "chord"], ["line", "rk-purple rk-line rk-dash", "unit"],
  ],
  controls: [
    { name: "alpha", min: 0, max: 1, step: 0.05 },
    { name: "apart", min: 10, max: 170, step: 5, text: (value) => `${value}°` },
    { name: "query", min: 0, max: 180, step: 5, text: (value) => `${value}°` },
  ],
  paint,
});
