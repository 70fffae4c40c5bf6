// One query's ranked list under five losses: whom does each pull, and whom does it push back?
import { LOSS_KNOBS, LOSS_NAMES, LOSS_WORDS, settingsOf } from "./compared_losses.js";
import { explorable } from "./kit.js";
import { px } from "./pen.js";
import { fixed, linear } from "./scales.js";
import { lossOf } from "./maths/losses.js";
import { listQueries } from "./maths/pairs.js";
import { numberHeard, sharesOfPush } from "./maths/pushes.js";

const UP = 34; // pixels of the longest bar, above its line and below
const WORDS = {
  title: "The push of five losses along one query's list",
  positive: "positive: up is a pull to the query",
  other: "other class: down is a push away",
  item: "positive {number}",
  reading: "rank {rank}",
  heard: "as if {heard} of {count} were pushed alike",
  short_heard: "as {heard} of {count}",
  rank: "rank of the item",
  part: "{loss} {share}",
  status: "Of all push on positives, the one at rank {rank} has: {parts}.",
  help: "Drag a positive, or focus it and press ← →.",
};

/** The push of each loss on each item: + is a pull. */
function pushesOf(state) {
  const places = state.ranks.map((rank) => rank - 1);
  const queries = listQueries(places, state.similarity.length);
  return LOSS_NAMES.map((name) => {
    const [gradient] = lossOf(name, [state.similarity], queries, settingsOf(state)).gradient;
    const ofPositives = sharesOfPush(places.map((place) => gradient[place]));
    return { name, shares: sharesOfPush(gradient), heard: numberHeard(gradient), ofPositives };
  });
}

function layOutRows(count, width, narrow) {
  const x = linear([0.5, count + 0.5], [4, width - 4]);
  const row = 2 * UP + 34;
  const top = 58;
  return { x, row, top, slot: x(2) - x(1), list: 26, height: top + LOSS_NAMES.length * row + 40 };
}

const bar = (x, y, width, height) => `M${px(x - width / 2)} ${px(y)}h${px(width)}v${px(-height)}h${px(-width)}z`;

/** A bar for each item; the longest of a loss has the full length. */
function paintRow({ pen, state, say, narrow, width }, { x, slot }, { name, shares, heard }, middle) {
  const longest = Math.max(...shares.map(Math.abs));
  const bars = { positive: "", other: "" };
  shares.forEach((share, i) => {
    const height = (share / longest) * UP;
    const kind = state.ranks.includes(i + 1) ? "positive" : "other";
    if (Math.abs(height) > 0.2) bars[kind] += bar(x(i + 1), middle, Math.max(0.72 * slot, 3), height);
  });
  pen.line(x(0.5), middle, x(shares.length + 0.5), middle, "rk-axis");
  pen.path(bars.other || "M0 0", "rk-red rk-fill");
  pen.path(bars.positive || "M0 0", "rk-blue rk-fill");
  const text = say(narrow ? "short_heard" : "heard", { heard: fixed(heard, 1), count: shares.length });
  pen.text(width - 4, middle - UP - 8, text, "rk-small rk-name rk-end");
  pen.text(4, middle - UP - 8, name, "rk-strong");
}

function paintList({ pen, state }, { x, slot, list }, bottom) {
  state.similarity.forEach((_, i) => {
    if (!state.ranks.includes(i + 1)) pen.square(x(i + 1), list, Math.min(4.5, 0.36 * slot), "rk-red rk-fill");
  });
  for (const rank of state.ranks) pen.line(x(rank), list, x(rank), bottom, "rk-blue rk-thin rk-dot");
  for (const rank of state.ranks) pen.circle(x(rank), list, 9, "rk-blue rk-fill rk-rim");
}

/** The ranks after one positive has been moved; those between give way. */
function movedRanks(ranks, moved, to) {
  const from = ranks[moved];
  return ranks.map((rank, i) => {
    if (i === moved) return to;
    if (from < rank && rank <= to) return rank - 1;
    return to <= rank && rank < from ? rank + 1 : rank;
  });
}

function placeHandles({ pen, state, say, set }, { x, list }) {
  state.ranks.forEach((rank, i) => pen.handle({
    x: x(rank), y: list, label: say("item", { number: i + 1 }), text: say("reading", { rank }),
    value: rank, min: 1, max: state.similarity.length, step: 1, page: 10, at: (to) => x.invert(to),
    change: (to) => set({ ranks: movedRanks(state.ranks, i, to) }),
  }));
}

function paint(given) {
  const { pen, state, say, width, narrow } = given;
  const pushes = pushesOf(state);
  const count = state.similarity.length;
  const place = layOutRows(count, width, narrow);
  const bottom = place.height - 34;
  paintList(given, place, bottom);
  pushes.forEach((push, i) => paintRow(given, place, push, place.top + i * place.row + UP + 18));
  for (const rank of [1, 10, 20, 30, 40, 50, 60].filter((tick) => tick <= count)) {
    pen.text(place.x(rank), bottom + 12, rank, "rk-tick rk-middle");
  }
  pen.text(width / 2, bottom + 30, say("rank"), "rk-small rk-name rk-middle");
  placeHandles(given, place);
  const rank = Math.min(...state.ranks);
  const parts = pushes.map(({ name, ofPositives }) => {
    return say("part", { loss: name, share: `${fixed(100 * ofPositives[state.ranks.indexOf(rank)], 0)} %` });
  });
  return { height: place.height, status: say("status", { rank, parts: parts.join(", ") }), outputs: {} };
}

export default explorable({
  words: { ...LOSS_WORDS, ...WORDS },
  inputs: [
    "similarity", "ranks", "rank_temperature", "triplet_margin", "positive_margin", "negative_margin",
    "softmax_temperature"
  ],
  signs: [["circle", "rk-blue rk-fill", "positive"], ["square", "rk-red rk-fill", "other"]],
  controls: LOSS_KNOBS,
  paint,
});
