// Points of four classes on a circle, set free under a loss; their start can be dragged.
//
// A drag never waits for the 300 steps. Each frame computes steps for PATIENCE milliseconds, and draws
// the dragged point and the path so far. On a slow machine the path is complete a few frames later.
import { CIRCLE_WORDS, circlePlane, classKind, paintPoint, placeTurns } from "./circle.js";
import { KNOBS_OF_CHOICE, LOSS_CHOICE, LOSS_WORDS, settingsOf } from "./compared_losses.js";
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { linear, spaced } from "./scales.js";
import { classesTogether, descendFurther, fastestMove, learningRate, lossOnSphere } from "./maths/descent.js";
import { degreesOf, onCircle } from "./maths/vectors.js";

const STEPS = 300;
const PATIENCE = 6; // milliseconds of a frame for new steps; painting takes about as long
const SLICE = 20; // steps between two glances at the clock
const FIRST_STEP = 0.1; // radians, of the fastest point
const NEAR = 10; // degrees: a class whose points are no farther apart has come together
const RESTS = 1e-4; // radians in a step
const OUTSIDE = 1.2; // radius of the ring of starts
const DASHES = ["", " rk-dash", " rk-dot", ""];
const DRAWN_STEPS = [...new Set([...spaced(0, 20, 21), ...spaced(0, 1, 60).map((u) => Math.round(STEPS ** u)), STEPS])].sort((a, b) => a - b);
const WORDS = {
  title: "Points set free: descent of a loss on a circle",
  step: "step of descent",
  angle: "angle",
  start: "outer ring: the start",
  now: "circle: the points at this step",
  reading: "step {step}",
  moves: "the points still move",
  rests: "the points have stopped",
  stuck: "{loss} has no gradient at this start: nothing moves.",
  status: "{loss}, step {step}: {together} of {classes} classes have come together to within {near}°; {moves}.",
  help: "Drag a point of the outer ring, or focus it and press ← →.",
};

const stepAcross = (step) => Math.log1p(step);

const walks = new WeakMap(); // pen of a figure → its path so far, which stays while the step moves

/** The path so far, (steps + 1 × B × 2); a path of the start alone has no gradient there. */
function pathOf({ pen, state, again }) {
  const settings = settingsOf(state);
  const key = JSON.stringify([state.degrees, state.labels, state.loss, settings]);
  if (walks.get(pen)?.key !== key) walks.set(pen, { key, ...beginning(state, settings) });
  const walk = walks.get(pen);
  if (walk.rate < Infinity) goOn(walk, state, settings);
  if (walk.rate < Infinity && walk.path.length <= STEPS) again();
  return walk.path;
}

function beginning({ degrees, labels, loss }, settings) {
  const start = degrees.map(onCircle);
  const { gradient } = lossOnSphere(loss, start, labels, settings);
  return { path: [start], rate: learningRate(gradient, FIRST_STEP) };
}

/** Add steps, as many as fit into a frame. */
function goOn(walk, { loss, labels }, settings) {
  const end = performance.now() + PATIENCE;
  while (walk.path.length <= STEPS && performance.now() < end) {
    const steps = Math.min(SLICE, STEPS + 1 - walk.path.length);
    walk.path = descendFurther(loss, walk.path, labels, walk.rate, steps, settings);
  }
}

function layOutDescent(width, narrow) {
  const round = narrow ? Math.min(width, 340) : 320;
  const plane = circlePlane([narrow ? width / 2 : round / 2, round / 2], round / 2 / OUTSIDE - 15);
  const left = narrow ? 48 : round + 66;
  const top = narrow ? round + 40 : 32;
  const area = { left, right: width - 14, top, bottom: top + (narrow ? 230 : 248) };
  return { plane, area, height: area.bottom + 46 };
}

/** Angles as a curve, broken where −180° becomes 180°. */
function brokenCurve(pen, points, kind, jump) {
  let part = [points[0]];
  for (const point of points.slice(1)) {
    if (Math.abs(point[1] - part[part.length - 1][1]) > jump) {
      if (part.length > 1) pen.curve(part, kind);
      part = [];
    }
    part.push(point);
  }
  if (part.length > 1) pen.curve(part, kind);
}

function paintRing({ pen, state }, { at, middle, radius }, path, step) {
  pen.circle(...middle, radius * OUTSIDE, "rk-grey rk-thin rk-dot");
  pen.circle(...middle, radius, "rk-grey rk-thin");
  state.labels.forEach((label, i) => {
    const shown = DRAWN_STEPS.filter((one) => one < step).concat(step);
    const trail = shown.map((one) => {
      const share = step > 0 ? stepAcross(one) / stepAcross(step) : 1;
      const reach = OUTSIDE - (OUTSIDE - 1) * share;
      return at(path[one][i].map((value) => value * reach));
    });
    pen.curve([at(path[0][i].map((value) => value * OUTSIDE)), ...trail], `${classKind(label)} rk-thin`);
    pen.circle(...at(path[0][i].map((value) => value * OUTSIDE)), 6, `${classKind(label)} rk-open`);
  });
  path[step].forEach((point, i) => paintPoint(pen, at(point), state.labels[i]));
}

function paintAngles({ pen, state, say }, area, path, step) {
  const x = linear([0, stepAcross(STEPS)], [area.left, area.right]);
  const y = linear([-180, 180], [area.bottom, area.top]);
  const xTicks = [0, 1, 3, 10, 30, 100, 300].map((tick) => [stepAcross(tick), String(tick)]);
  drawAxes(pen, area, x, y, { xTicks, yTicks: [-180, -90, 0, 90, 180].map((tick) => [tick, `${tick}°`.replace("-", "−")]), xName: say("step"), yName: say("angle") });
  const here = x(stepAcross(step));
  pen.line(here, area.top, here, area.bottom, "rk-ink rk-line");
  state.labels.forEach((label, i) => {
    const points = DRAWN_STEPS.filter((one) => one < path.length).map((one) => [x(stepAcross(one)), y(degreesOf(path[one][i]))]);
    const jump = (area.bottom - area.top) / 2;
    if (points.length > 1) brokenCurve(pen, points, `${classKind(label)} rk-trace${DASHES[label % 4]}`, jump);
    pen.circle(here, y(degreesOf(path[step][i])), 4.5, `${classKind(label)} rk-fill rk-rim`);
  });
  return { here, stepAt: (px) => Math.expm1(x.invert(px)) };
}

function descentSentence({ loss, labels }, say, path, step) {
  if (path.length === 1) return say("stuck", { loss });
  const last = Math.min(step, path.length - 2);
  const [before, after] = [path[last], path[last + 1]];
  return say("status", {
    loss, step, classes: new Set(labels).size, near: NEAR, together: classesTogether(path[step], labels, NEAR),
    moves: say(fastestMove(before, after) < RESTS ? "rests" : "moves"),
  });
}

function longestSentence({ state: { loss, labels }, say }) {
  const classes = new Set(labels).size;
  const [moves, rests] = [say("moves"), say("rests")];
  const longer = rests.length > moves.length ? rests : moves;
  return say("status", { loss, step: STEPS, classes, near: NEAR, together: classes, moves: longer });
}

function paint(given) {
  const { pen, state, say, set, width, narrow } = given;
  const path = pathOf(given);
  const step = Math.min(state.step, path.length - 1);
  const place = layOutDescent(width, narrow);
  paintRing(given, place.plane, path, step);
  const { here, stepAt } = paintAngles(given, place.area, path, step);
  const ring = { ...place.plane, at: (point) => place.plane.at(point.map((value) => value * OUTSIDE)) };
  placeTurns(given, ring, state.degrees, state.labels, (to, i) => {
    set({ degrees: state.degrees.map((old, j) => (j === i ? to : old)) });
  });
  pen.handle({
    x: here, y: place.area.bottom, label: say("step"), text: say("reading", { step: state.step }),
    value: state.step, min: 0, max: STEPS, step: 1, page: 25, at: stepAt, change: (to) => set({ step: to }),
  });
  pen.diamond(here, place.area.bottom, 9, "rk-ink rk-fill");
  return { height: place.height, status: descentSentence(state, say, path, step), outputs: {} };
}

export default explorable({
  words: { ...CIRCLE_WORDS, ...LOSS_WORDS, ...WORDS },
  inputs: [
    "degrees", "labels", "loss", "step", "rank_temperature", "triplet_margin", "positive_margin", "negative_margin",
    "softmax_temperature"
  ],
  signs: [["circle", "rk-ink rk-open", "start"], ["circle", "rk-ink rk-fill", "now"]],
  controls: [LOSS_CHOICE, { name: "step", min: 0, max: STEPS, step: 1 }, { name: "step", play: STEPS }, ...KNOBS_OF_CHOICE],
  paint,
  room: longestSentence,
});
