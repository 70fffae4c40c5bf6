// A stored training, checkpoint by checkpoint: its loss, R@1, and what it finds for a query.
import { atLongestName, GALLERY_SIGNS, GALLERY_WORDS, nearestIn, paintImage, paintNearest, paintQueries, queriesOf, queryOf, rightAmong, sheetHeight, showSheet, sourceOf } from "./gallery.js";
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { fixed, linear, ticks } from "./scales.js";

const WORDS = {
  title: "A training, replayed",
  checkpoint: "images seen",
  reading: "{images} images seen, R@1 {recall} %",
  up_recall: "R@1 of these queries (%)",
  up_loss: "training loss",
  floor: "perfect ranking: {floor}",
  found: "nearest after {images} images: {right} of {count} right",
  status: "After {images} images the nearest image is right for {recall} % of the {count} queries. The training loss is {loss}; a perfect ranking has {floor}. Query: {name}, {right} of the {nearest} nearest are right. {source}",
  help: "Drag the diamond on the curve, or press Play; press an image to make it the query.",
};

const GAP = 8;
const PACE = 700; // milliseconds of a checkpoint
const ENOUGH = 1000; // images; the axis is linear below, and logarithmic above
const seenAcross = (images) => Math.log1p(images / ENOUGH);
const thousands = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

/** The mean loss of the steps before a checkpoint; of the first step at the start. */
function lossAt({ curve }, images) {
  return (curve.filter(([seen]) => seen <= images).pop() ?? curve[0])[1];
}

function layOutReplay(state, width, narrow) {
  const [high, across] = [narrow ? 120 : 150, 4];
  const panel = (left, right, top) => ({ left, right, top, bottom: top + high });
  const sheet = narrow ? width - 4 : 336;
  const left = narrow ? 2 : sheet + 34;
  const side = Math.min(76, (width - left - 2 - (across - 1) * GAP) / across);
  const place = { sheet, left, across, side };
  if (!narrow) {
    const recall = panel(44, width / 2 - 14, 30);
    const top = recall.bottom + 74;
    return { ...place, recall, loss: panel(width / 2 + 46, width - 12, 30), top, results: top };
  }
  const recall = panel(44, width - 12, 30);
  const results = recall.bottom + 52; // under the curve, so that a finger on it hides nothing
  const loss = panel(44, width - 12, results + 94 + 2 * (side + GAP) + 38);
  return { ...place, recall, results, loss, top: loss.bottom + 74 };
}

/** A panel with the axis of images seen, and the cursor at the checkpoint. */
function paintPanel({ pen, state, say, narrow }, area, y, yTicks, yName) {
  const { images_seen: seen, checkpoint } = state;
  const x = linear([0, seenAcross(seen[seen.length - 1])], [area.left, area.right]);
  const marks = (narrow ? [0, 1000, 10_000, 100_000] : [0, 1000, 5000, 20_000, 100_000]).filter((one) => one <= seen[seen.length - 1]);
  const onAxis = (images) => x(seenAcross(images));
  drawAxes(pen, area, onAxis, y, { xTicks: marks.map((one) => [one, thousands(one)]), yTicks, xName: say("checkpoint"), yName: say(yName) });
  pen.line(onAxis(seen[checkpoint]), area.top, onAxis(seen[checkpoint]), area.bottom, "rk-ink rk-line");
  return onAxis;
}

function paintRecall(given, area) {
  const { pen, state, say, set } = given;
  const y = linear([0, 1], [area.bottom, area.top]);
  const onAxis = paintPanel(given, area, y, [0, 0.5, 1].map((share) => [share, String(100 * share)]), "up_recall");
  const places = state.images_seen.map((images, i) => [onAxis(images), y(state.recall[i])]);
  pen.curve(places, "rk-blue rk-line");
  for (const place of places) pen.circle(...place, 3.5, "rk-blue rk-fill");
  const [px, py] = places[state.checkpoint];
  pen.diamond(px, py, 9, "rk-blue rk-fill rk-rim");
  const nearest = (to) => places.reduce((best, [one], i) => (Math.abs(one - to) < Math.abs(places[best][0] - to) ? i : best), 0);
  pen.handle({
    x: px, y: py, label: say("checkpoint"), text: say("reading", { images: thousands(state.images_seen[state.checkpoint]), recall: fixed(100 * state.recall[state.checkpoint], 0) }),
    value: state.checkpoint, min: 0, max: places.length - 1, step: 1, page: 3, at: nearest, change: (checkpoint) => set({ checkpoint }),
  });
}

function paintLoss(given, area) {
  const { pen, state, say } = given;
  const most = Math.max(...state.curve.map(([, loss]) => loss));
  const y = linear([0, most * 1.05], [area.bottom, area.top]);
  const onAxis = paintPanel(given, area, y, ticks(0, most, 3), "up_loss");
  pen.curve(state.curve.map(([images, loss]) => [onAxis(images), y(loss)]), "rk-red rk-trace");
  pen.line(area.left, y(state.floor), area.right, y(state.floor), "rk-ink rk-line rk-dot");
  pen.text(area.left + 6, y(state.floor) - 8, say("floor", { floor: fixed(state.floor, 3) }), "rk-small");
  const images = state.images_seen[state.checkpoint];
  pen.circle(onAxis(images), y(lossAt(state, images)), 5.5, "rk-red rk-fill rk-rim");
}

function paintFound(given, { left, results, side, across }, items) {
  const { pen, state, say } = given;
  const query = queryOf(state);
  paintImage(pen, query, left, results, 52);
  pen.block(left - 1.5, results - 1.5, 55, 55, "rk-purple rk-ring");
  pen.text(left + 64, results + 20, say("query"), "rk-name");
  pen.text(left + 64, results + 40, state.names[query], "rk-strong");
  const words = { images: thousands(state.images_seen[state.checkpoint]), right: rightAmong(state, query, items), count: items.length };
  pen.text(left, results + 84, say("found", words));
  paintNearest(given, items, [left, results + 94], side, GAP, across);
  return results + 94 + Math.ceil(items.length / across) * (side + GAP);
}

function paint(given) {
  const { pen, say, width, narrow } = given;
  const last = given.state.images_seen.length - 1;
  const state = { ...given.state, checkpoint: Math.min(given.state.checkpoint, last) };
  const whole = { ...given, state };
  const place = layOutReplay(state, width, narrow);
  const items = nearestIn(state.neighbours[state.checkpoint])[queryOf(state)];
  showSheet(whole);
  paintRecall(whole, place.recall);
  paintLoss(whole, place.loss);
  pen.text(2, place.top - 10, say("all_queries", { count: queriesOf(state) }), "rk-name");
  paintQueries(whole, [2, place.top], place.sheet);
  const bottom = paintFound(whole, place, items);
  return { height: Math.max(bottom, place.top + sheetHeight(state, place.sheet)) + 6, status: replaySentence(state, say, items), outputs: {} };
}

function replaySentence(state, say, items) {
  const images = state.images_seen[state.checkpoint];
  return say("status", {
    images: thousands(images), recall: fixed(100 * state.recall[state.checkpoint], 1), count: queriesOf(state),
    loss: fixed(lossAt(state, images), 3), floor: fixed(state.floor, 3), name: state.names[queryOf(state)],
    right: rightAmong(state, queryOf(state), items), nearest: items.length, source: sourceOf({ state, say }),
  });
}

function longestSentence({ state: { neighbours, ...state }, say }) {
  const last = atLongestName({ neighbours, ...state, checkpoint: neighbours.length - 1 });
  return replaySentence(last, say, nearestIn(neighbours[last.checkpoint])[last.query]);
}

export default explorable({
  words: { ...GALLERY_WORDS, ...WORDS },
  inputs: [
    "sprite", "names", "labels", "neighbours", "images_seen", "recall", "curve", "floor", "checkpoint", "query", "source", "stored_run"
  ],
  signs: GALLERY_SIGNS,
  controls: [
    { name: "checkpoint", min: 0, max: ({ images_seen: seen }) => seen.length - 1, step: 1, text: (at, say, state) => thousands(state.images_seen[at]) },
    { name: "checkpoint", play: ({ images_seen: seen }) => seen.length - 1, pace: PACE },
  ],
  paint,
  room: longestSentence,
});
