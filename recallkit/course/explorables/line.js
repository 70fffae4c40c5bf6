// One query's gallery on a line of similarities. Items are dragged; ranks, recall and the pull follow.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { fixed, linear, short, spaced, ticks } from "./scales.js";
import { relaxedRanks, similarityGradient, trueRanks } from "./maths/ranks.js";
import { recallLoss, recallLossGradient, softCounts, softRecall, trueRecall } from "./maths/recall.js";

const ROW = 24; // pixels of a row of captions
const ARROW = 60; // pixels of the longest arrow
const WORDS = {
  title: "One query's gallery, by similarity to the query",
  similarity: "similarity to the query",
  rank: "rank",
  counts: "counts as found",
  positive: "positive",
  other: "other class",
  truth: "true rank",
  hard: "rank ≤ k",
  soft: "relaxed",
  pull: "pull, −dL/ds",
  k: "k",
  rank_temperature: "rank temperature τ₂",
  k_temperature: "k temperature τ₁",
  caption: "true {truth}, relaxed {relaxed}",
  positive_item: "positive {letter}",
  other_item: "other class, item {number}",
  positive_reading: "{similarity}, true rank {truth}, relaxed rank {relaxed}",
  status: "{among} of {all} positives are among the first {k}. Recall@{k}: true {truth}, relaxed {relaxed}; loss {loss}. The longest arrow is a pull of {longest}.",
  help: "Drag an item, or focus it and press ← →.",
};

/** All that the picture shows, from the values. */
function computed({ similarity, positives, k, rank_temperature, k_temperature }) {
  const [ranks, exact] = [relaxedRanks(similarity, positives, rank_temperature), trueRanks(similarity, positives)];
  const ofRanks = recallLossGradient(ranks, [k], k_temperature);
  return {
    ranks, trueRanks: exact, trueRecall: trueRecall(exact, k),
    counted: softCounts(ranks, k, k_temperature), recall: softRecall(ranks, k, k_temperature),
    loss: recallLoss(ranks, [k], k_temperature),
    gradient: similarityGradient(similarity, positives, ofRanks, rank_temperature),
  };
}

const letterOf = (i) => String.fromCharCode(97 + i);

function layOutLine(state, width, narrow) {
  const [left, right] = [narrow ? 16 : 40, width - (narrow ? 16 : 24)];
  const axis = ROW * Math.min(4, state.positives.length) + 34;
  const top = axis + 128;
  const area = { left: narrow ? 30 : 40, right, top, bottom: top + 136 };
  const items = state.similarity.length;
  return {
    axis, area, left, right, height: area.bottom + 46,
    x: linear([state.lowest, 1], [left, right]),
    rankX: linear([0.5, items + 0.5], [area.left, right]),
    y: linear([0, 1], [area.bottom - 14, top + 12]),
  };
}

/** Rows for captions, so that none lies on another: one number each, 0 the lowest. */
function rowsFor(centres, half, most) {
  const ends = [];
  const order = centres.map((_, i) => i).sort((a, b) => centres[a] - centres[b]);
  const rows = [];
  for (const i of order) {
    const free = [...Array(most).keys()].find((row) => !(ends[row] > centres[i] - half));
    rows[i] = free ?? most - 1;
    ends[rows[i]] = centres[i] + half;
  }
  return rows;
}

function paintCaptions({ pen, state, say }, { x, axis, left, right }, now) {
  const half = 84;
  const centres = state.positives.map((p) => Math.min(right - half + 16, Math.max(left + half - 16, x(state.similarity[p]))));
  const rows = rowsFor(centres, half, Math.min(4, state.positives.length));
  state.positives.forEach((p, i) => {
    const bottom = axis - 26 - ROW * rows[i];
    pen.line(x(state.similarity[p]), axis, x(state.similarity[p]), bottom + 6, "rk-blue rk-thin");
  });
  state.positives.forEach((p, i) => {
    const text = say("caption", { truth: now.trueRanks[i], relaxed: fixed(now.ranks[i], 2) });
    pen.text(centres[i], axis - 24 - ROW * rows[i], `${letterOf(i)}: ${text}`, "rk-middle");
  });
}

function paintArrows({ pen, state }, { x, axis }, gradient) {
  const longest = Math.max(...gradient.map(Math.abs));
  if (longest < 1e-6) return;
  state.similarity.forEach((s, i) => {
    const own = state.positives.includes(i);
    const length = (-gradient[i] / longest) * ARROW;
    const y = axis + (own ? 28 : 42);
    if (Math.abs(length) >= 2) pen.arrow([x(s), y], [x(s) + length, y], own ? "rk-blue" : "rk-red");
  });
}

function paintItems(given, place, now) {
  const { pen, state } = given;
  const { x, axis, left, right } = place;
  for (const s of ticks(state.lowest, 1, 4)) {
    pen.line(x(s), axis - 5, x(s), axis + 56, "rk-grid");
    pen.text(x(s), axis + 72, String(s).replace("-", "−"), "rk-tick rk-middle");
  }
  pen.line(left, axis, right, axis, "rk-axis");
  pen.text((left + right) / 2, axis + 90, given.say("similarity"), "rk-name rk-middle");
  paintCaptions(given, place, now);
  paintArrows(given, place, now.gradient);
  state.similarity.forEach((s, i) => {
    if (!state.positives.includes(i)) pen.square(x(s), axis, 8, "rk-red rk-fill");
  });
  state.positives.forEach((p, i) => paintLetter(pen, x(state.similarity[p]), axis, i));
}

function paintLetter(pen, x, y, i) {
  pen.circle(x, y, 11, "rk-blue rk-fill rk-rim");
  pen.text(x, y + 4.5, letterOf(i), "rk-inside rk-middle");
}

function placeHandles({ pen, state, say, set }, { x, axis }, now) {
  const handle = (i, label, text) => pen.handle({
    x: x(state.similarity[i]), y: axis, label, text, value: state.similarity[i],
    min: state.lowest, max: 1, step: 0.005, page: 0.05, at: (px) => x.invert(px),
    change: (s) => set({ similarity: state.similarity.map((old, j) => (j === i ? s : old)) }),
  });
  state.similarity.forEach((s, i) => {
    if (!state.positives.includes(i)) handle(i, say("other_item", { number: i + 1 }), fixed(s, 3));
  });
  state.positives.forEach((p, i) => handle(p, say("positive_item", { letter: letterOf(i) }), say("positive_reading", {
    similarity: fixed(state.similarity[p], 3), truth: now.trueRanks[i], relaxed: fixed(now.ranks[i], 2),
  })));
}

function paintCountsAtK({ pen, state, say, narrow }, { rankX, y, area }, now) {
  const items = state.similarity.length;
  const shown = items <= (narrow ? 12 : 24) ? spaced(1, items, items) : ticks(1, items, 6);
  drawAxes(pen, area, rankX, y, { xTicks: shown, yTicks: [0, 1], xName: say("rank"), yName: say("counts") });
  const edge = rankX(state.k);
  pen.block(area.left, area.top, edge - area.left, area.bottom - area.top, "rk-grey rk-wash");
  pen.curve([[area.left, y(1)], [edge, y(1)], [edge, y(0)], [area.right, y(0)]], "rk-grey rk-wide");
  const drawn = ranksToDraw(state, items);
  const counts = softCounts(drawn, state.k, state.k_temperature);
  pen.curve(drawn.map((r, i) => [rankX(r), y(counts[i])]), "rk-blue rk-line");
  state.positives.forEach((_, i) => {
    const truth = [rankX(now.trueRanks[i]), y(now.trueRanks[i] <= state.k ? 1 : 0)];
    const relaxed = [rankX(now.ranks[i]), y(now.counted[i])];
    pen.line(...truth, ...relaxed, "rk-ink rk-thin rk-dot");
    pen.diamond(...truth, 8, "rk-ink rk-open");
  });
  const places = now.ranks.map(rankX);
  state.positives.forEach((_, i) => {
    const [px, py] = [places[i], y(now.counted[i])];
    paintLetter(pen, px, py, i);
    const crowded = places.some((other) => other > px && other < px + 50); // its number would lie on the next one
    const left = crowded || px > area.right - 60;
    pen.text(px + (left ? -17 : 17), py - 6, fixed(now.counted[i], 2), `rk-strong${left ? " rk-end" : ""}`);
  });
}

// Evenly spaced, and closer where the count falls.
function ranksToDraw({ k, k_temperature: tau }, items) {
  const near = spaced(-8, 8, 65).map((u) => k + u * tau).filter((r) => r > 0.5 && r < items + 0.5);
  return [...spaced(0.5, items + 0.5, 61), ...near].sort((a, b) => a - b);
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const now = computed(state);
  const place = layOutLine(state, width, narrow);
  paintItems(given, place, now);
  paintCountsAtK(given, place, now);
  placeHandles(given, place, now);
  return { height: place.height, status: sentence(state, say, now), outputs: outputsOf(now) };
}

function sentence({ k, positives }, say, now) {
  return say("status", {
    k, all: positives.length, among: now.trueRanks.filter((r) => r <= k).length, truth: fixed(now.trueRecall, 2),
    relaxed: fixed(now.recall, 3), loss: fixed(now.loss, 3), longest: short(Math.max(...now.gradient.map(Math.abs))),
  });
}

const outputsOf = ({ ranks, trueRanks, recall, loss, gradient }) =>
  ({ ranks, true_ranks: trueRanks, recall, loss, gradient });

export default explorable({
  words: WORDS,
  inputs: ["similarity", "positives", "lowest", "k", "rank_temperature", "k_temperature"],
  outputs: ["ranks", "true_ranks", "recall", "loss", "gradient"],
  signs: [
    ["circle", "rk-blue rk-fill", "positive"], ["square", "rk-red rk-fill", "other"], ["arrow", "rk-ink rk-fill", "pull"],
    ["diamond", "rk-ink rk-open", "truth"], ["line", "rk-grey rk-wide", "hard"], ["line", "rk-blue rk-line", "soft"],
  ],
  controls: [
    { name: "rank_temperature", base: 10, min: -3, max: 0, step: 0.05 },
    { name: "k_temperature", base: 10, min: -3, max: 1, step: 0.05 },
    { name: "k", min: 1, max: (state) => state.similarity.length, step: 1 },
  ],
  paint,
});
