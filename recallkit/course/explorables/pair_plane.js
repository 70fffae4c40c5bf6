// One positive and one negative in the plane of their similarities: who is pushed by three losses.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { fixed, linear, short, spaced } from "./scales.js";
import { circleBoundary, circlePair } from "./maths/circle_pair.js";
import { lossOf } from "./maths/losses.js";

const LOWEST = -0.2; // similarities
const HIGHEST = 1;
const LONGEST = 96; // pixels of an arrow
const PAIR = [{ positives: [0], negatives: [1] }];
const KINDS = { circle: "rk-green", triplet: "rk-red", ranks: "rk-purple" };
const ASIDE = { circle: 0, triplet: 6, ranks: -6 }; // pixels: two of the arrows are always parallel
const WORDS = {
  title: "A positive and a negative in the plane of their similarities",
  point: "positive and negative",
  point_sign: "the pair",
  negative: "similarity of the negative, sₙ",
  positive: "similarity of the positive, sₚ",
  margin: "margin m (circle)",
  gamma: "scale γ (circle)",
  triplet_margin: "margin (triplet)",
  rank_temperature: "τ₂ (RS@k)",
  circle: "circle loss",
  triplet: "triplet loss",
  ranks: "RS@k",
  weights: "weights of circle loss",
  pull: "pull on positive",
  push: "push on negative",
  weight_p: "α of positive",
  weight_n: "α of negative",
  reading: "positive at {positive}, negative at {negative}",
  status: "Positive at {positive}, negative at {negative}. Circle loss weights the positive by {weight_p} and the negative by {weight_n}. It pulls by {circle_p} and pushes by {circle_n}; the triplet loss by {triplet}, RS@k by {ranks}, on both.",
  help: "Drag the pair, or focus it and press ← → ↑ ↓.",
};

const settingsOf = (state) => ({
  circle: { margin: state.margin, gamma: state.gamma }, triplet: { margin: state.triplet_margin },
  ranks: { rankTemperature: state.rank_temperature },
});

/** Pull on the positive and push on the negative, by each loss. */
function pushesAt(positive, negative, { circle, triplet, ranks }) {
  const upAndDown = ([p, n]) => [-p, n];
  const of = (name, settings) => upAndDown(lossOf(name, [[positive, negative]], PAIR, settings).gradient[0]);
  return {
    circle: upAndDown(circlePair(positive, negative, circle).gradient),
    triplet: of("triplet", triplet), ranks: of("RS@k", ranks),
  };
}

let kept = {}; // the largest pushes of the plane, which stay while the pair moves
function largestOf(state) {
  const settings = settingsOf(state);
  const key = JSON.stringify(settings);
  if (kept.key !== key) {
    const steepest = spaced(-0.5, 0.5, 101).map((gap) => pushesAt(0, 10 * gap * state.rank_temperature, settings).ranks[0]);
    const { circle, triplet } = pushesAt(LOWEST, HIGHEST, settings); // where both grow to
    kept = { key, circle: Math.max(...circle), triplet: Math.max(...triplet), ranks: Math.max(...steepest) };
  }
  return kept;
}

function layOutPlane(width, narrow) {
  const side = narrow ? Math.min(width - 66, 320) : 340;
  const area = { left: 48, right: 48 + side, top: 34, bottom: 34 + side };
  const left = narrow ? 14 : area.right + 50;
  const bars = { left, right: width - 8, top: narrow ? area.bottom + 74 : 34 };
  return {
    area, bars, height: narrow ? bars.top + 4 * 84 : area.bottom + 46,
    x: linear([LOWEST, HIGHEST], [area.left, area.right]), y: linear([LOWEST, HIGHEST], [area.bottom, area.top]),
  };
}

const inside = (value) => value >= LOWEST && value <= HIGHEST;

function paintBoundaries({ pen, state, say }, { x, y, area }) {
  const tickValues = [0, 0.5, 1];
  drawAxes(pen, area, x, y, { xTicks: tickValues, yTicks: tickValues, xName: say("negative"), yName: say("positive") });
  const curve = circleBoundary(state.margin).filter((both) => both.every(inside));
  if (curve.length > 1) pen.curve(curve.map(([p, n]) => [x(n), y(p)]), `${KINDS.circle} rk-line`);
  const line = (margin, kind) => pen.line(x(LOWEST), y(LOWEST + margin), x(HIGHEST - margin), y(HIGHEST), kind);
  line(state.triplet_margin, `${KINDS.triplet} rk-line rk-dash`);
  line(0, `${KINDS.ranks} rk-line rk-dot`);
}

/** Where a step of descent sends the pair: the negative down, to the left; the positive up. */
function paintArrows({ pen, state }, { x, y }, pushes, largest) {
  const [left, top] = [x(state.negative), y(state.positive)];
  for (const name in KINDS) {
    const [up, back] = pushes[name].map((push) => (push / largest[name]) * LONGEST);
    const shift = ASIDE[name] * Math.SQRT1_2;
    const from = [left + shift, top - shift];
    if (Math.hypot(up, back) > 4) pen.arrow(from, [from[0] - back, from[1] - up], KINDS[name]);
  }
  pen.circle(left, top, 9, "rk-ink rk-fill rk-rim");
}

/** Two bars under a name; each has its share of the longest, its name and its number. */
function paintTwo({ pen, say }, { left, right, top }, title, names, values, longest, kind) {
  const x = linear([0, longest], [left + 112, right - 62]);
  pen.text(left, top, say(title), `rk-strong ${kind} rk-tint`);
  values.forEach((value, i) => {
    const middle = top + 19 + 22 * i;
    pen.text(left, middle + 4, say(names[i]), "rk-small");
    pen.line(x(0), middle - 8, x(0), middle + 8, "rk-axis");
    pen.block(x(0), middle - 6, Math.max(0, x(value) - x(0)), 12, `${kind} rk-fill`);
    pen.text(right, middle + 4, short(value), "rk-small rk-end");
  });
}

function paintBars(given, { bars }, pushes, weights, largest) {
  const names = Object.keys(KINDS);
  const at = (row) => ({ ...bars, top: bars.top + 84 * row });
  paintTwo(given, at(0), "weights", ["weight_p", "weight_n"], weights, 1.2 + given.state.margin, "rk-ink");
  names.forEach((name, i) => {
    paintTwo(given, at(i + 1), name, ["pull", "push"], pushes[name], largest[name] * 1.001, KINDS[name]);
  });
}

function placePair({ pen, state, say, set }, { x, y }) {
  const reach = { min: LOWEST, max: HIGHEST, step: 0.01, page: 0.1 };
  const text = say("reading", { positive: fixed(state.positive, 2), negative: fixed(state.negative, 2) });
  pen.handle({
    ...reach, x: x(state.negative), y: y(state.positive), label: say("point"), text, value: state.negative,
    at: (to) => x.invert(to), rise: { ...reach, value: state.positive, at: (_, to) => y.invert(to) },
    change: (negative, positive) => set({ negative, positive }),
  });
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const place = layOutPlane(width, narrow);
  const settings = settingsOf(state);
  const pushes = pushesAt(state.positive, state.negative, settings);
  const { weights } = circlePair(state.positive, state.negative, settings.circle);
  const largest = largestOf(state);
  paintBoundaries(given, place);
  paintArrows(given, place, pushes, largest);
  paintBars(given, place, pushes, weights, largest);
  placePair(given, place);
  const status = say("status", {
    positive: fixed(state.positive, 2), negative: fixed(state.negative, 2), weight_p: fixed(weights[0], 2), weight_n: fixed(weights[1], 2),
    circle_p: short(pushes.circle[0]), circle_n: short(pushes.circle[1]), triplet: short(pushes.triplet[0]), ranks: short(pushes.ranks[0]),
  });
  return { height: place.height, status, outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["positive", "negative", "margin", "gamma", "triplet_margin", "rank_temperature"],
  signs: [
    ["circle", "rk-ink rk-fill", "point_sign"], ["line", "rk-green rk-line", "circle"], ["line", "rk-red rk-line rk-dash", "triplet"],
    ["line", "rk-purple rk-line rk-dot", "ranks"],
  ],
  controls: [
    { name: "margin", min: 0, max: 0.6, step: 0.05 },
    { name: "gamma", base: 2, min: 0, max: 8, step: 0.25 },
    { name: "triplet_margin", min: 0, max: 1, step: 0.05 },
    { name: "rank_temperature", base: 10, min: -3, max: 0, step: 0.05 },
  ],
  paint,
});
