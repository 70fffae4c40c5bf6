// One ranked list of twelve items to reorder, and all metrics of retrieval of it at once.
import { explorable } from "./kit.js";
import { fixed, linear } from "./scales.js";
import { averagePrecision, averagePrecisionAtR, precisionAtOne, recallAny, recallShare } from "./maths/metrics.js";
import { trueRecall } from "./maths/recall.js";
import { revisitedMetrics } from "./maths/revisited.js";

const KINDS = ["easy", "easy", "hard", "hard", "junk", "junk", ...Array(6).fill("other")]; // of each item
const IN_THE_TEXT = [0, 6, 2, 4, 1, 7, 8, 3, 5, 9, 10, 11]; // items, nearest first
const ONE_IS_FIRST = [0, 6, 7, 8, 9, 10, 11, 4, 5, 1, 2, 3];
const ALL_BUT_FIRST = [6, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11];
const JUNK_IS_FIRST = [4, 5, 0, 1, 2, 3, 6, 7, 8, 9, 10, 11];
const WORDS = {
  title: "A ranked list to reorder, and its metrics",
  easy: "easy positive",
  hard: "hard positive",
  junk: "junk",
  other: "other class",
  mark: "value at the marked list",
  item: "{kind}, item {number}",
  rank: "rank {rank}",
  k: "k",
  order: "begin with",
  text: "the list of the text",
  one: "one at the top",
  next: "all, but not at the top",
  junk_first: "junk at the top",
  compare: "Mark this list",
  first_k: "first k = {k}",
  first_r: "R = {count}",
  precision: "precision at each positive",
  plain: "all against all: junk counts as wrong",
  revisited: "revisited sets: ignored images are removed",
  any: "R@{k}, any positive",
  share: "R@{k}, share of all R",
  fit: "R@{k}, share of min(k, R)",
  first: "P@1",
  ap: "AP",
  ap_at_r: "AP@R",
  easy_ap: "AP, setting Easy",
  medium_ap: "AP, setting Medium",
  hard_ap: "AP, setting Hard",
  none: "none",
  status: "Higher than at the marked list: {higher}. Lower: {lower}. The same: {same}.",
  help: "Drag an item, or focus it and press ← →.",
};

const ITEM_SIGNS = {
  easy: (pen, x, y) => pen.circle(x, y, 11, "rk-blue rk-fill"),
  hard: (pen, x, y) => pen.circle(x, y, 9.5, "rk-blue rk-open"),
  junk: (pen, x, y) => pen.diamond(x, y, 12, "rk-grey rk-fill"),
  other: (pen, x, y) => pen.square(x, y, 9, "rk-red rk-fill"),
};

const isPositive = (item) => KINDS[item] === "easy" || KINDS[item] === "hard";
const ranksIn = (order) => order.flatMap((item, i) => (isPositive(item) ? [i + 1] : []));

/** Name → value of each metric, in two groups. */
function metricsOf(order, k) {
  const ranks = ranksIn(order);
  const revisited = revisitedMetrics(order.map((item) => KINDS[item]), [k]);
  return {
    plain: {
      any: recallAny(ranks, k), share: recallShare(ranks, k), fit: trueRecall(ranks, k),
      first: precisionAtOne(ranks), ap: averagePrecision(ranks), ap_at_r: averagePrecisionAtR(ranks),
    },
    revisited: {
      easy_ap: revisited.easy.averagePrecision, medium_ap: revisited.medium.averagePrecision,
      hard_ap: revisited.hard.averagePrecision,
    },
  };
}

function layOutList(width, narrow) {
  const edge = narrow ? 0 : 4;
  const slot = (width - 2 * edge) / KINDS.length;
  const place = linear([0.5, KINDS.length + 0.5], [edge, width - edge]);
  const row = narrow ? 38 : 25;
  const bars = narrow ? [0, width] : [206, width - 116];
  return { edge, slot, place, row, bars, top: 42, items: 68, bottom: 96, rows: 170 };
}

/** The slots, the first k of them shaded, and the precision under each positive. */
function paintSlots({ pen, state, say }, { edge, slot, place, top, items, bottom }) {
  const ranks = ranksIn(state.order);
  pen.block(edge, top, slot * state.k, bottom - top, "rk-blue rk-wash");
  pen.line(edge + slot * state.k, top - 6, edge + slot * state.k, bottom, "rk-blue rk-line");
  pen.line(edge + slot * ranks.length, top, edge + slot * ranks.length, bottom + 42, "rk-ink rk-thin rk-dot");
  const late = state.k > KINDS.length / 2;
  pen.text(edge + slot * state.k + (late ? -6 : 6), 14, say("first_k", { k: state.k }), `rk-blue rk-tint rk-strong${late ? " rk-end" : ""}`);
  state.order.forEach((_, i) => pen.text(place(i + 1), top - 8, i + 1, "rk-tick rk-middle"));
  pen.line(edge, items, edge + slot * KINDS.length, items, "rk-axis");
  ranks.forEach((rank, i) => pen.text(place(rank), bottom + 22, `${i + 1}/${rank}`, "rk-small rk-strong rk-middle"));
  pen.text(edge + slot * ranks.length + 6, bottom + 42, say("first_r", { count: ranks.length }), "rk-small");
  pen.text(edge + slot * KINDS.length, bottom + 42, say("precision"), "rk-small rk-name rk-end");
}

function placeItems({ pen, state, say, set }, { place, items }) {
  const move = (item, rank) => {
    const rest = state.order.filter((other) => other !== item);
    return [...rest.slice(0, rank - 1), item, ...rest.slice(rank - 1)];
  };
  KINDS.forEach((kind, item) => {
    const rank = state.order.indexOf(item) + 1;
    ITEM_SIGNS[kind](pen, place(rank), items);
    pen.handle({
      x: place(rank), y: items, label: say("item", { kind: say(kind), number: item + 1 }), text: say("rank", { rank }),
      value: rank, min: 1, max: KINDS.length, step: 1, page: 3, at: (x) => place.invert(x),
      change: (to) => set({ order: move(item, to) }),
    });
  });
}

/** A bar for each metric, with a mark where the marked list has it. */
function paintBars({ pen, state, say, narrow, width }, { bars, row, rows }, now, marked) {
  const x = linear([0, 1], bars);
  let y = rows;
  for (const group of ["plain", "revisited"]) {
    pen.text(0, y, say(group), "rk-name");
    y += narrow ? 10 : 6;
    for (const name in now[group]) {
      paintBar(pen, { x, y, row, narrow, width }, say(name, state), now[group][name], marked[group][name]);
      y += row;
    }
    y += 24;
  }
  return y - 20;
}

function paintBar(pen, { x, y, row, narrow, width }, name, value, before) {
  const [top, thick] = narrow ? [y + 22, 10] : [y + 6, row - 10];
  const text = y + (narrow ? 16 : row / 2 + 6);
  pen.text(narrow ? 0 : 12, text, name);
  pen.block(x(0), top, x(1) - x(0), thick, "rk-grey rk-wash");
  pen.block(x(0), top, x(value) - x(0), thick, "rk-blue rk-fill");
  pen.line(x(before), top - 3, x(before), top + thick + 3, "rk-ink rk-line");
  const change = value - before;
  const shown = Math.abs(change) < 5e-4 ? "" : `${change > 0 ? "▲" : "▼"} ${fixed(Math.abs(change), 3)}`;
  pen.text(width - (narrow ? 70 : 66), text, fixed(value, 3), "rk-strong rk-end");
  pen.text(width, text, shown, `${change > 0 ? "rk-green" : "rk-red"} rk-tint rk-end rk-small rk-strong`);
}

function changesSentence(state, say, now, marked) {
  const names = { higher: [], lower: [], same: [] };
  for (const group in now) {
    for (const name in now[group]) {
      const change = now[group][name] - marked[group][name];
      names[Math.abs(change) < 5e-4 ? "same" : change > 0 ? "higher" : "lower"].push(say(name, state));
    }
  }
  const list = (some) => (some.length > 0 ? some.join("; ") : say("none"));
  return say("status", { higher: list(names.higher), lower: list(names.lower), same: list(names.same) });
}

/** All names in one list: the sentence has no longer one. */
function longestSentence({ state, say }) {
  const k = KINDS.length;
  const metrics = metricsOf(IN_THE_TEXT, k);
  return changesSentence({ ...state, k }, say, metrics, metrics);
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const place = layOutList(width, narrow);
  const [now, marked] = [metricsOf(state.order, state.k), metricsOf(state.compared, state.k)];
  paintSlots(given, place);
  placeItems(given, place);
  const height = paintBars(given, place, now, marked);
  return { height, status: changesSentence(state, say, now, marked), outputs: {} };
}

const PRESETS = [["text", IN_THE_TEXT], ["one", ONE_IS_FIRST], ["next", ALL_BUT_FIRST], ["junk_first", JUNK_IS_FIRST]];

export default explorable({
  words: WORDS,
  inputs: ["order", "compared", "k"],
  signs: [
    ["circle", "rk-blue rk-fill", "easy"], ["circle", "rk-blue rk-open", "hard"], ["diamond", "rk-grey rk-fill", "junk"],
    ["square", "rk-red rk-fill", "other"], ["bar", "rk-ink rk-line", "mark"],
  ],
  controls: [
    { name: "order", wide: true, options: PRESETS.map(([word, order]) => [order, (say) => say(word)]) },
    { name: "k", min: 1, max: KINDS.length, step: 1 },
    { name: "compare", act: ({ order }) => ({ compared: order }) },
  ],
  paint,
  room: longestSentence,
});
