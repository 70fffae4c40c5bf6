// A toy batch on its way from random to solved: loss and gradient without SiMix, and with it.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { clamp, fixed, linear, logarithmic, short } from "./scales.js";
import { lossFloor } from "./maths/recall.js";
import { lossAndPush, partlySolved, perfectRankings } from "./maths/solved_batch.js";

const STEPS = 40; // of the curves
const KS = [1, 2, 4, 8, 16];
const POSITIVES = { plain: 3, mixed: 9 }; // of a query in a class of four
const LEAST = 1e-7; // gradients below it are drawn at it
const WORDS = {
  title: "What is left to learn in a solved batch, without SiMix and with it",
  share: "how far the batch is solved",
  rank_temperature: "τ₂",
  up_loss: "loss RS@k",
  up_push: "mean gradient on an image",
  plain: "without SiMix: 3 positives a query",
  mixed: "with SiMix: 9 positives a query",
  floors: "its floor: all rankings perfect, positives well spaced",
  floor: "floor {loss}",
  reading: "{share} solved, {perfect} of {count} rankings perfect",
  percent: "{share} %",
  status: "{perfect} of {count} images have a perfect ranking. Without SiMix: loss {plain}, floor {plainFloor}, gradient {plainPush}. With SiMix: loss {mixed}, floor {mixedFloor}, gradient {mixedPush}. A toy of 16 points: no network, no training.",
  help: "Drag the diamond, or focus it and press ← →.",
};
const WAYS = { plain: ["rk-blue", ""], mixed: ["rk-red", " rk-dash"] };

const settingsOfToy = ({ rank_temperature: rankTemperature }) => ({ ks: KS, kTemperature: 1, rankTemperature });

function measured({ start, alphas, ...state }, share) {
  const { points, labels } = partlySolved(start, share);
  const settings = settingsOfToy(state);
  return {
    plain: lossAndPush(points, labels, null, settings), mixed: lossAndPush(points, labels, alphas, settings),
    perfect: perfectRankings(points, labels), count: labels.length,
  };
}

let drawn = {}; // the curves, which stay while the share moves
function curvesOf(state) {
  const key = JSON.stringify([state.start, state.alphas, state.rank_temperature]);
  if (drawn.key !== key) {
    const shares = Array.from({ length: STEPS + 1 }, (_, i) => i / STEPS);
    drawn = { key, curves: shares.map((share) => ({ share, ...measured(state, share) })) };
  }
  return drawn.curves;
}

const inTwoDigits = (value) => short(Number(value.toPrecision(2)));

function layOutSolved(width, narrow) {
  const high = narrow ? 190 : 250;
  const loss = { left: 48, right: narrow ? width - 22 : width / 2 - 16, top: 32, bottom: 32 + high };
  const top = narrow ? loss.bottom + 84 : 32;
  const push = { left: narrow ? 48 : width / 2 + 52, right: width - 22, top, bottom: top + high };
  return { loss, push, height: push.bottom + 46 };
}

function paintPanel({ pen, state, say }, area, y, yTicks, name, of) {
  const x = linear([0, 1], [area.left, area.right]);
  const xTicks = [0, 0.25, 0.5, 0.75, 1].map((share) => [share, say("percent", { share: 100 * share })]);
  drawAxes(pen, area, x, y, { xTicks, yTicks, xName: say("share"), yName: say(name) });
  pen.line(x(state.share), area.top, x(state.share), area.bottom, "rk-ink rk-thin");
  for (const way in WAYS) {
    const [colour, dash] = WAYS[way];
    pen.curve(curvesOf(state).map((one) => [x(one.share), y(of(one[way]))]), `${colour} rk-line${dash}`);
  }
  return x;
}

function paintMarks(pen, x, y, now) {
  pen.circle(x, y(now.plain), 6.5, "rk-blue rk-fill rk-rim");
  pen.square(x, y(now.mixed), 6, "rk-red rk-fill rk-rim");
}

function paintLosses(given, area, now, floors) {
  const { pen, state, say } = given;
  const most = Math.max(...curvesOf(state).flatMap(({ plain, mixed }) => [plain.loss, mixed.loss]), 0.2);
  const y = linear([0, Math.ceil(most * 10) / 10], [area.bottom, area.top]);
  const yTicks = Array.from({ length: Math.floor(y.domain[1] * 5 + 1e-9) + 1 }, (_, i) => fixed(i / 5, 1)).map((text) => [Number(text), text]);
  const x = paintPanel(given, area, y, yTicks, "up_loss", ({ loss }) => loss);
  for (const way in WAYS) {
    const level = y(floors[way]);
    pen.line(area.left, level, area.right, level, `${WAYS[way][0]} rk-trace rk-dot`);
    pen.text(area.left + 6, level + (way === "plain" ? -6 : 16), say("floor", { loss: fixed(floors[way], 3) }), `${WAYS[way][0]} rk-tint rk-small`);
  }
  paintMarks(pen, x(state.share), y, { plain: now.plain.loss, mixed: now.mixed.loss });
  return x;
}

function paintPushes(given, area, now) {
  const y = logarithmic([LEAST, 1], [area.bottom, area.top]);
  const of = ({ push }) => Math.max(push, LEAST);
  const yTicks = [-6, -4, -2, 0].map((power) => [10 ** power, power ? `10⁻${"⁰¹²³⁴⁵⁶"[-power]}` : "1"]);
  const x = paintPanel(given, area, y, yTicks, "up_push", of);
  paintMarks(given.pen, x(given.state.share), y, { plain: of(now.plain), mixed: of(now.mixed) });
}

function longestSentence({ state, say }) {
  const [all, loss, push] = [measured(state, 1), "0.000", short(1.1 * LEAST)];
  const words = { plain: loss, plainFloor: loss, plainPush: push, mixed: loss, mixedFloor: loss, mixedPush: push };
  return say("status", { perfect: all.count, count: all.count, ...words });
}

function paint(given) {
  const { pen, state, say, set, width, narrow } = given;
  const now = measured(state, state.share);
  const floors = { plain: lossFloor(POSITIVES.plain, KS, 1), mixed: lossFloor(POSITIVES.mixed, KS, 1) };
  const place = layOutSolved(width, narrow);
  const x = paintLosses(given, place.loss, now, floors);
  paintPushes(given, place.push, now);
  const words = { perfect: now.perfect, count: now.count };
  const here = x(state.share);
  pen.diamond(here, place.loss.bottom, 9, "rk-ink rk-fill");
  pen.handle({
    x: here, y: place.loss.bottom, label: say("share"), text: say("reading", { ...words, share: say("percent", { share: Math.round(100 * state.share) }) }),
    value: state.share, min: 0, max: 1, step: 0.025, page: 0.1, at: (to) => clamp(x.invert(to), 0, 1), change: (share) => set({ share }),
  });
  for (const way in WAYS) {
    Object.assign(words, { [way]: fixed(now[way].loss, 3), [`${way}Floor`]: fixed(floors[way], 3), [`${way}Push`]: inTwoDigits(now[way].push) });
  }
  return { height: place.height, status: say("status", words), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["start", "alphas", "share", "rank_temperature"],
  signs: [["circle", "rk-blue rk-fill", "plain"], ["square", "rk-red rk-fill", "mixed"], ["line", "rk-ink rk-line rk-dot", "floors"]],
  controls: [
    { name: "share", min: 0, max: 1, step: 0.025, text: (share, say) => say("percent", { share: short(100 * share) }) },
    { name: "rank_temperature", base: 10, min: -3, max: 0, step: 0.25 },
  ],
  paint,
  room: longestSentence,
});
