// A metric interpolated between the outcomes of two comparisons; the positive is dragged past two negatives.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { fixed, linear, spaced } from "./scales.js";
import { comparisonsOf, cornerCounts, cornersOf, cornerValues, interpolateCorners } from "./maths/interpolation.js";
import { relaxedRanks } from "./maths/ranks.js";
import { softRecall } from "./maths/recall.js";

const LOWEST = -0.2; // similarities
const HIGHEST = 1;
const LONGEST = 62; // pixels of an arrow
const LARGEST = 22; // pixels: radius of an anchor that has all of the weight
const CORNERS = cornersOf(2);
const WORDS = {
  title: "A metric between the outcomes of two comparisons",
  similarity: "similarity to the query",
  positive: "the positive",
  negative: "negative {number}",
  known: "known outcome; its size is its weight",
  here: "the comparisons now",
  way: "their way",
  right: "gradient",
  released: "gradient of the release",
  truth: "the metric",
  value: "interpolated, ĝ",
  relaxed: "relaxed by hand",
  first: "b₁, against negative 1",
  second: "b₂, against negative 2",
  place: "similarity of the positive",
  temperature: "temperature τ",
  anchors: "anchors",
  drawn: "49, as drawn",
  corners: "one at each corner",
  metric: "metric",
  recall: "recall@1",
  precision: "average precision",
  outcome: "{value}, weight {share} %",
  status: "Comparisons {b1} and {b2}. The metric is {truth}; interpolated it is {value}; relaxed by hand, {relaxed}. The gradient is ({g1}, {g2}); that of the release ({r1}, {r2}).",
  help: "Drag an item of the list, or focus it and press ← →.",
};

/** The metric at a place of the positive: true, interpolated with its parts, and relaxed by hand. */
function measuredAt(positive, { negatives, temperature, anchors, metric }) {
  const comparisons = comparisonsOf(positive, negatives, temperature);
  const counts = anchors === "drawn" ? cornerCounts(comparisons) : CORNERS.map(() => 1);
  const values = cornerValues(CORNERS, metric);
  const [rank] = relaxedRanks([positive, ...negatives], [0], temperature);
  const [truth] = cornerValues([comparisons.map((b) => (b > 0 ? 1 : -1))], metric);
  return {
    comparisons, values, truth, relaxed: metric === "recall" ? softRecall([rank], 1, 1) : 1 / rank,
    ...interpolateCorners(values, counts, comparisons, CORNERS),
  };
}

function layOutInterpolation(width, narrow) {
  const side = narrow ? Math.min(width - 90, 260) : 250;
  const left = narrow ? (width - side) / 2 : 62;
  const area = { left, right: left + side, top: 164, bottom: 164 + side };
  const chart = narrow ? { left: 34, right: width - 12, top: area.bottom + 128 } : { left: area.right + 86, right: width - 12, top: area.top };
  chart.bottom = chart.top + (narrow ? 190 : side);
  return {
    area, chart, axis: 42, height: chart.bottom + (narrow ? 46 : 84),
    line: linear([LOWEST, HIGHEST], [20, width - 20]),
    x: linear([-1, 1], [area.left, area.right]), y: linear([-1, 1], [area.bottom, area.top]),
    chartX: linear([LOWEST, HIGHEST], [chart.left, chart.right]), chartY: linear([0, 1], [chart.bottom, chart.top]),
  };
}

function paintList({ pen, state, say, width }, { line, axis }) {
  for (const s of [0, 0.5, 1]) {
    pen.line(line(s), axis - 6, line(s), axis + 6, "rk-grid");
    pen.text(line(s), axis + 28, String(s), "rk-tick rk-middle");
  }
  pen.line(line(LOWEST), axis, line(HIGHEST), axis, "rk-axis");
  pen.text(width / 2, axis + 48, say("similarity"), "rk-name rk-middle");
  state.negatives.forEach((s, i) => {
    pen.square(line(s), axis, 10, "rk-red rk-fill rk-rim");
    pen.text(line(s), axis + 4.5, String(i + 1), "rk-inside rk-middle");
  });
  pen.circle(line(state.positive), axis, 11, "rk-blue rk-fill rk-rim");
}

/** The square of both comparisons: corners with their weights, the way of the comparisons, and where they are. */
function paintSquare({ pen, state, say }, { area, x, y }, now, way) {
  pen.path(`M${area.left} ${area.top}H${area.right}V${area.bottom}H${area.left}Z`, "rk-axis");
  pen.line(x(0), area.top, x(0), area.bottom, "rk-grid");
  pen.line(area.left, y(0), area.right, y(0), "rk-grid");
  pen.text((area.left + area.right) / 2, area.bottom + 62, say("first"), "rk-name rk-middle");
  pen.text((area.left + area.right) / 2, area.top - 46, say("second"), "rk-name rk-middle");
  CORNERS.forEach(([b1, b2], i) => {
    pen.circle(x(b1), y(b2), 3 + LARGEST * Math.sqrt(now.shares[i]), "rk-grey rk-fill rk-rim");
    const text = say("outcome", { value: fixed(now.values[i], 2), share: Math.round(100 * now.shares[i]) });
    const out = b1 > 0 ? area.right + 24 : area.left - 24;
    pen.text(out, y(b2) + (b2 > 0 ? -28 : 40), text, `rk-small${b1 > 0 ? " rk-end" : ""}`);
  });
  pen.curve(way.map(({ comparisons: [b1, b2] }) => [x(b1), y(b2)]), "rk-blue rk-thin rk-dot");
}

function paintGradients({ pen }, { x, y }, now) {
  const [left, top] = [x(now.comparisons[0]), y(now.comparisons[1])];
  const longest = Math.max(Math.hypot(...now.gradient), Math.hypot(...now.released));
  const arrow = ([g1, g2], kind, aside) => {
    const [right, up] = [(g1 / longest) * LONGEST, (g2 / longest) * LONGEST];
    const from = [left + aside, top + aside];
    if (Math.hypot(right, up) > 4) pen.arrow(from, [from[0] + right, from[1] - up], kind);
  };
  if (longest > 0) {
    arrow(now.released, "rk-red", 4);
    arrow(now.gradient, "rk-green", -4);
  }
  pen.circle(left, top, 8, "rk-blue rk-fill rk-rim");
}

function paintChart({ pen, state, say }, { chart, chartX, chartY }, now, way, places) {
  drawAxes(pen, chart, chartX, chartY, { xTicks: [0, 0.5, 1], yTicks: [0, 0.5, 1], xName: say("place"), yName: say(state.metric) });
  const curve = (name) => places.map((place, i) => [chartX(place), chartY(way[i][name])]);
  pen.curve(curve("truth"), "rk-grey rk-wide");
  pen.curve(curve("relaxed"), "rk-purple rk-line rk-dash");
  pen.curve(curve("value"), "rk-blue rk-line");
  pen.line(chartX(state.positive), chart.top, chartX(state.positive), chart.bottom, "rk-ink rk-thin rk-dot");
  pen.circle(chartX(state.positive), chartY(now.value), 6, "rk-blue rk-fill rk-rim");
}

function placeItems({ pen, state, say, set }, { line, axis }) {
  const handle = (value, label, change) => pen.handle({
    x: line(value), y: axis, label, text: fixed(value, 2), value, min: LOWEST, max: HIGHEST, step: 0.01, page: 0.1,
    at: (px) => line.invert(px), change,
  });
  state.negatives.forEach((s, i) => handle(s, say("negative", { number: i + 1 }), (to) =>
    set({ negatives: state.negatives.map((old, j) => (j === i ? to : old)) })));
  handle(state.positive, say("positive"), (positive) => set({ positive }));
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const place = layOutInterpolation(width, narrow);
  const places = [...spaced(LOWEST, HIGHEST, 121), ...state.negatives.flatMap((s) => [s - 1e-6, s + 1e-6])]
    .filter((s) => s >= LOWEST && s <= HIGHEST).sort((a, b) => a - b);
  const way = places.map((positive) => measuredAt(positive, state));
  const now = measuredAt(state.positive, state);
  paintList(given, place);
  paintSquare(given, place, now, way);
  paintGradients(given, place, now);
  paintChart(given, place, now, way, places);
  placeItems(given, place);
  const [b, g, r] = [now.comparisons, now.gradient, now.released].map((pair) => pair.map((value) => fixed(value, 2)));
  const status = say("status", {
    b1: b[0], b2: b[1], g1: g[0], g2: g[1], r1: r[0], r2: r[1],
    truth: fixed(now.truth, 2), value: fixed(now.value, 2), relaxed: fixed(now.relaxed, 2),
  });
  return { height: place.height, status, outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["positive", "negatives", "temperature", "anchors", "metric"],
  signs: [
    ["circle", "rk-blue rk-fill", "here"], ["circle", "rk-grey rk-fill", "known"], ["line", "rk-blue rk-thin rk-dot", "way"],
    ["arrow", "rk-green rk-fill", "right"], ["arrow", "rk-red rk-fill", "released"],
    ["line", "rk-grey rk-wide", "truth"], ["line", "rk-blue rk-line", "value"], ["line", "rk-purple rk-line rk-dash", "relaxed"],
  ],
  controls: [
    { name: "temperature", base: 10, min: -2, max: 0.3, step: 0.05 },
    { name: "anchors", options: [["drawn", (say) => say("drawn")], ["corners", (say) => say("corners")]] },
    { name: "metric", options: [["recall", (say) => say("recall")], ["precision", (say) => say("precision")]] },
  ],
  paint,
});
