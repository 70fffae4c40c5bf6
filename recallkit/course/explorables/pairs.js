// Points on a circle, and how hard each of five losses pushes each pair of them.
import { CIRCLE_WORDS, DISC, circlePlane, classKind, paintMoves, paintPoint, placeTurns, pointNames } from "./circle.js";
import { LOSS_CHOICE, LOSS_KNOBS, LOSS_NAMES, LOSS_WORDS, settingsOf } from "./compared_losses.js";
import { explorable } from "./kit.js";
import { px } from "./pen.js";
import { fixed } from "./scales.js";
import { lossOnSphere } from "./maths/descent.js";
import { lossOf } from "./maths/losses.js";
import { batchQueries } from "./maths/pairs.js";
import { numberHeard, sharesOfPush } from "./maths/pushes.js";
import { onCircle, products } from "./maths/vectors.js";

const LONGEST_MOVE = 34; // pixels
const WIDEST_WEDGE = 14;
const WORDS = {
  title: "The push of five losses on each pair of points",
  loss: "loss of the arrows and wedges on the circle",
  together: "drawn together",
  apart: "driven apart",
  move: "where descent sends a point",
  alike: "as {heard} of {pairs}",
  table: "row: the query · column: an item of its gallery",
  status: "{loss} pushes as if {heard} of {pairs} pairs were pushed alike. As a query, {query} has {share} of the push: {together} together, {apart} apart.",
  help: "Drag a point, or focus it and press ← →. The moved point becomes the query of the wedges.",
};

/** The gradient of each loss on each pair, and how many pairs are heard. */
function computedPairs(state) {
  const points = state.degrees.map(onCircle);
  const similarity = products(points, points);
  const queries = batchQueries(state.labels);
  const tables = LOSS_NAMES.map((name) => {
    const { gradient } = lossOf(name, similarity, queries, settingsOf(state));
    return { name, gradient, heard: numberHeard(gradient.flat()) };
  });
  const { gradient } = lossOnSphere(state.loss, points, state.labels, settingsOf(state));
  return { points, tables, moves: gradient.map((row) => row.map((value) => -value)) };
}

function layOutPairs(width, narrow) {
  const [columns, gap] = narrow ? [2, 18] : [3, 26];
  const side = (width - (columns - 1) * gap) / columns;
  const round = narrow ? Math.min(width, 330) : side;
  const first = narrow ? [0, round + 20] : [1, 0];
  const places = LOSS_NAMES.map((_, i) => {
    const cell = i + first[0];
    return [(cell % columns) * (side + gap), first[1] + 26 + Math.floor(cell / columns) * (side + 40)];
  });
  const bottom = places[places.length - 1][1] + side;
  return { side, places, middle: [narrow ? width / 2 : side / 2, round / 2 + (narrow ? 0 : 26)], radius: round / 2 - 24, height: bottom + 28 };
}

const disc = (x, y, r) => {
  const [radius, across] = [px(r), px(2 * r)];
  return `M${px(x - r)} ${px(y)}a${radius} ${radius} 0 1 0 ${across} 0a${radius} ${radius} 0 1 0 ${-across} 0`;
};
const block = (x, y, half) => `M${px(x - half)} ${px(y - half)}h${px(2 * half)}v${px(2 * half)}h${px(-2 * half)}z`;

/** A square for each pair driven apart, a disc for each drawn together; areas are the push. */
function paintTable({ pen, state, say }, { name, gradient, heard }, [left, top], side) {
  const count = gradient.length;
  const cell = side / count;
  const largest = Math.max(...gradient.flat().map(Math.abs));
  const drawn = { together: [], apart: [] };
  gradient.forEach((row, q) => row.forEach((value, z) => {
    const r = (Math.sqrt(Math.abs(value) / largest) * cell) / 2;
    if (!(r > 0.6)) return;
    const at = [left + (z + 0.5) * cell, top + (q + 0.5) * cell];
    if (value < 0) drawn.together.push(disc(...at, r));
    else drawn.apart.push(block(...at, r * 0.89));
  }));
  const chosen = name === state.loss;
  pen.block(left, top + state.query * cell, side, cell, "rk-ink rk-wash");
  paintClasses(pen, state.labels, [left, top], cell);
  pen.block(left, top, side, side, chosen ? "rk-ink rk-line" : "rk-grey rk-thin");
  pen.path(drawn.apart.join("") || "M0 0", "rk-red rk-fill");
  pen.path(drawn.together.join("") || "M0 0", "rk-blue rk-fill");
  pen.text(left, top - 9, name, "rk-strong");
  pen.text(left + side, top - 9, say("alike", { heard: fixed(heard, 0), pairs: count * (count - 1) }), "rk-small rk-end");
}

/** A frame around the pairs of each class. */
function paintClasses(pen, labels, [left, top], cell) {
  for (const label of new Set(labels)) {
    const from = labels.indexOf(label);
    const size = labels.filter((other) => other === label).length * cell;
    pen.block(left + from * cell, top + from * cell, size, size, "rk-grey rk-thin");
  }
}

/** The pushes of one query as wedges to the other points: the wider, the harder. */
function paintWedges({ pen, state }, { at }, { points, tables }) {
  const row = tables.find(({ name }) => name === state.loss).gradient[state.query];
  const largest = Math.max(...row.map(Math.abs));
  const from = at(points[state.query]);
  row.forEach((value, z) => {
    const half = (Math.abs(value) / largest) * (WIDEST_WEDGE / 2);
    if (!(half > 0.2)) return;
    const [x, y] = at(points[z]);
    const length = Math.hypot(x - from[0], y - from[1]) || 1;
    const [dx, dy] = [(half * (from[1] - y)) / length, (half * (x - from[0])) / length];
    pen.area([from, [x + dx, y + dy], [x - dx, y - dy]], `${value < 0 ? "rk-blue" : "rk-red"} rk-fill`);
  });
}

function paintCircle(given, plane, now) {
  const { pen, state } = given;
  pen.circle(...plane.middle, plane.radius, "rk-grey rk-thin");
  paintWedges(given, plane, now);
  paintMoves(pen, plane, now.points, now.moves, LONGEST_MOVE, "rk-ink");
  now.points.forEach((point, i) => paintPoint(pen, plane.at(point), state.labels[i]));
  const [x, y] = plane.at(now.points[state.query]);
  pen.circle(x, y, DISC + 4, `${classKind(state.labels[state.query])} rk-ring`);
}

function pairSentence({ loss, labels, query }, say, { tables }) {
  const { gradient, heard } = tables.find(({ name }) => name === loss);
  const size = labels.length;
  const shares = sharesOfPush(gradient.flat()).slice(query * size, (query + 1) * size);
  const sum = (values) => values.reduce((total, value) => total + Math.abs(value), 0);
  const percent = (value) => `${fixed(100 * value, 1)} %`;
  return say("status", {
    loss, heard: fixed(heard, 0), pairs: size * (size - 1), query: pointNames(labels)[query], share: percent(sum(shares)),
    together: percent(sum(shares.filter((value) => value > 0))), apart: percent(sum(shares.filter((value) => value < 0))),
  });
}

function paint(given) {
  const { pen, state, say, set, width, narrow } = given;
  const now = computedPairs(state);
  const place = layOutPairs(width, narrow);
  const plane = circlePlane(place.middle, place.radius);
  paintCircle(given, plane, now);
  now.tables.forEach((table, i) => paintTable(given, table, place.places[i], place.side));
  pen.text(width / 2, place.height - 8, say("table"), "rk-small rk-name rk-middle");
  placeTurns(given, plane, state.degrees, state.labels, (to, i) => {
    set({ degrees: state.degrees.map((old, j) => (j === i ? to : old)), query: i });
  });
  return { height: place.height, status: pairSentence(state, say, now), outputs: {} };
}

export default explorable({
  words: { ...CIRCLE_WORDS, ...LOSS_WORDS, ...WORDS },
  inputs: [
    "degrees", "labels", "query", "loss", "rank_temperature", "triplet_margin", "positive_margin", "negative_margin",
    "softmax_temperature"
  ],
  signs: [["circle", "rk-blue rk-fill", "together"], ["square", "rk-red rk-fill", "apart"], ["arrow", "rk-ink rk-fill", "move"]],
  controls: [LOSS_CHOICE, ...LOSS_KNOBS],
  paint,
});
