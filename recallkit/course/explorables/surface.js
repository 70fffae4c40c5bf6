// The loss of one query over the places of its two positives; the point and the positives are dragged.
import { explorable } from "./kit.js";
import { drawAxes, px } from "./pen.js";
import { clamp, fixed, linear, short, spaced } from "./scales.js";
import { lossAndPull, lossSurface } from "./maths/loss_surface.js";
import { relaxedRanks, trueRanks } from "./maths/ranks.js";

const LOWEST = -0.2; // similarities
const HIGHEST = 1;
const GRID = spaced(LOWEST, HIGHEST, 37);
const FINER = 4; // dots of the image between two places of the grid
const LEVELS = 16;
const TINT = [40, 122, 190]; // seen on white and on black
const FIVE = [1, 2, 4, 8, 16];
const LONGEST = 74; // pixels of the arrow at the point
const WORDS = {
  title: "The loss over the similarities of two positives",
  first: "similarity of positive 1",
  second: "similarity of positive 2",
  point: "both positives",
  positive: "positive {number}",
  positive_sign: "positive on the line",
  pull: "pull, −dL/ds",
  negative: "negative",
  loss: "loss",
  ks: "cut-offs K",
  line: "the same on the line of similarities",
  similarity: "similarity",
  caption: "rank {truth}, relaxed {relaxed}",
  rank_temperature: "rank temperature τ₂",
  k_temperature: "k temperature τ₁",
  reading: "positive 1 at {first}, positive 2 at {second}, loss {loss}",
  status: "Loss {loss}. Positive 1 at {first} has rank {rank1} and a pull of {pull1}; positive 2 at {second} has rank {rank2} and a pull of {pull2}.",
  help: "Drag the point or a positive, or focus it and press ← → ↑ ↓.",
};

const settingsFrom = ({ ks, k_temperature, rank_temperature }) => ({ ks, kTemperature: k_temperature, rankTemperature: rank_temperature });

let kept = {}; // the surface and its image, which stay while the point moves
function surfaceOf(state) {
  const key = JSON.stringify([state.negatives, settingsFrom(state)]);
  if (kept.key !== key) {
    const surface = lossSurface(GRID, state.negatives, settingsFrom(state));
    kept = { key, ...surface, image: imageOf(surface.loss) };
  }
  return kept;
}

/** Levels of the loss as an image: the more of the tint, the higher; positive 1 upwards. */
function imageOf(loss) {
  const side = (GRID.length - 1) * FINER + 1;
  const canvas = document.createElement("canvas");
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext("2d");
  const dots = context.createImageData(side, side);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      dots.data.set([...TINT, opacityOf(between(loss, (side - 1 - y) / FINER, x / FINER))], 4 * (y * side + x));
    }
  }
  context.putImageData(dots, 0, 0);
  return canvas.toDataURL();
}

const opacityOf = (loss) => Math.round(240 * (Math.min(LEVELS - 1, Math.floor(loss * LEVELS)) + 0.5) / LEVELS);

/** The value between four neighbours of a table. */
function between(table, row, column) {
  const [top, left] = [Math.min(Math.floor(row), table.length - 2), Math.min(Math.floor(column), table.length - 2)];
  const [down, right] = [row - top, column - left];
  const across = (line) => line[left] * (1 - right) + line[left + 1] * right;
  return across(table[top]) * (1 - down) + across(table[top + 1]) * down;
}

function layOutSurface(width, narrow) {
  const side = narrow ? Math.min(width - 66, 320) : 330;
  const area = { left: 48, right: 48 + side, top: 30, bottom: 30 + side };
  const left = narrow ? 14 : area.right + 56;
  const scale = { left, right: width - 14, top: narrow ? area.bottom + 78 : 52 };
  const line = { ...scale, top: scale.top + (narrow ? 130 : 186) };
  return {
    area, scale, line, height: narrow ? line.top + 80 : area.bottom + 46,
    x: linear([LOWEST, HIGHEST], [area.left, area.right]), y: linear([LOWEST, HIGHEST], [area.bottom, area.top]),
    s: linear([LOWEST, HIGHEST], [line.left, line.right]),
  };
}

/** A slim arrow as a path; too short ones are left out. */
function slimArrow([x, y], [dx, dy]) {
  const length = Math.hypot(dx, dy);
  if (!(length > 3)) return "";
  const [ux, uy] = [dx / length, dy / length];
  const head = Math.min(7, length);
  const at = (along, aside) => `${px(x + ux * along - uy * aside)} ${px(y + uy * along + ux * aside)}`;
  const [from, neck, to] = [-length / 2, length / 2 - head, length / 2];
  return `M${at(from, -1)}L${at(neck, -1)}L${at(neck, -3.6)}L${at(to, 0)}L${at(neck, 3.6)}L${at(neck, 1)}L${at(from, 1)}Z`;
}

/** The loss, the axes, and the pull at some places; returns the largest of these. */
function paintField({ pen, say }, { x, y, area }, { pull, image }) {
  pen.image(area.left, area.top, area.right - area.left, area.bottom - area.top, image, "rk-ink rk-fill");
  const ticks = { xTicks: [0, 0.5, 1], yTicks: [0, 0.5, 1], xName: say("second"), yName: say("first") };
  drawAxes(pen, area, x, y, ticks);
  const shown = GRID.map((_, i) => i).filter((i) => i % 4 === 2);
  const largest = Math.max(...shown.flatMap((i) => shown.map((j) => Math.hypot(...pull[i][j]))));
  const arrows = shown.flatMap((i) => shown.map((j) => {
    const size = Math.hypot(...pull[i][j]);
    const scale = (22 * Math.sqrt(size / largest)) / (size || 1);
    return slimArrow([x(GRID[j]), y(GRID[i])], [scale * pull[i][j][1], -scale * pull[i][j][0]]);
  }));
  pen.path(arrows.join("") || "M0 0", "rk-ink rk-fill");
  return largest;
}

function paintPoint({ pen, state }, { x, y, area }, { pull }, largest) {
  const [px1, py1] = [x(state.second), y(state.first)];
  pen.line(px1, py1, px1, area.bottom, "rk-purple rk-thin rk-dot");
  pen.line(area.left, py1, px1, py1, "rk-purple rk-thin rk-dot");
  const size = Math.hypot(...pull);
  const scale = (LONGEST * Math.min(1, Math.sqrt(size / largest))) / (size || 1);
  if (scale * size > 4) pen.arrow([px1, py1], [px1 + scale * pull[1], py1 - scale * pull[0]], "rk-purple");
  pen.circle(px1, py1, 9, "rk-purple rk-fill rk-rim");
}

/** The levels from 0 to 1, and where the loss of the point is. */
function paintScale({ pen, say }, { left, right, top }, loss) {
  const x = linear([0, 1], [left, right]);
  const row = document.createElement("canvas");
  [row.width, row.height] = [LEVELS, 1];
  const context = row.getContext("2d");
  const dots = context.createImageData(LEVELS, 1);
  for (let i = 0; i < LEVELS; i += 1) dots.data.set([...TINT, opacityOf((i + 0.5) / LEVELS)], 4 * i);
  context.putImageData(dots, 0, 0);
  pen.image(left, top, right - left, 16, row.toDataURL(), "rk-ink rk-fill rk-dots");
  pen.text(left, top - 14, say("loss"), "rk-name");
  for (const tick of [0, 0.5, 1]) pen.text(x(tick), top + 34, tick, `rk-tick ${tick === 0 ? "" : tick === 1 ? "rk-end" : "rk-middle"}`);
  const at = x(clamp(loss, 0, 1));
  pen.line(at, top - 5, at, top + 21, "rk-purple rk-line");
  pen.text(clamp(at, left + 18, right - 18), top - 12, fixed(loss, 3), "rk-purple rk-tint rk-strong rk-middle");
}

function paintLine({ pen, state, say }, { line, s }, now, largest) {
  pen.text(line.left, line.top - 66, say("line"), "rk-name");
  pen.line(line.left, line.top, line.right, line.top, "rk-axis");
  for (const value of state.negatives) pen.line(s(value), line.top - 8, s(value), line.top + 8, "rk-red rk-thin");
  for (const tick of [0, 0.5, 1]) pen.text(s(tick), line.top + 58, tick, "rk-tick rk-middle");
  [state.first, state.second].forEach((value, i) => {
    const length = LONGEST * Math.sign(now.pull[i]) * Math.min(1, Math.sqrt(Math.abs(now.pull[i]) / largest));
    const to = clamp(s(value) + length, line.left - 10, line.right + 10);
    if (Math.abs(to - s(value)) > 4) pen.arrow([s(value), line.top + 18 + 13 * i], [to, line.top + 18 + 13 * i], "rk-blue");
    const text = `${i + 1}: ${say("caption", { truth: now.truth[i], relaxed: fixed(now.ranks[i], 1) })}`;
    const half = 72;
    pen.text(clamp(s(value), line.left + half, line.right - half), line.top - 22 - 20 * (1 - i), text, "rk-small rk-middle");
  });
  [state.first, state.second].forEach((value, i) => {
    pen.circle(s(value), line.top, 10, "rk-blue rk-fill rk-rim");
    pen.text(s(value), line.top + 4.5, i + 1, "rk-inside rk-middle");
  });
}

function placeHandles({ pen, state, say, set }, { x, y, line, s }, words) {
  const reach = { min: LOWEST, max: HIGHEST, step: 0.01 };
  pen.handle({
    ...reach, x: x(state.second), y: y(state.first), label: say("point"), text: say("reading", words), value: state.second,
    page: 0.1, at: (to) => x.invert(to), rise: { ...reach, value: state.first, at: (_, to) => y.invert(to) },
    change: (second, first) => set({ first, second }),
  });
  ["first", "second"].forEach((name, i) => pen.handle({
    ...reach, x: s(state[name]), y: line.top, label: say("positive", { number: i + 1 }), text: fixed(state[name], 2),
    value: state[name], page: 0.1, at: (to) => s.invert(to), change: (value) => set({ [name]: value }),
  }));
}

function paint(given) {
  const { pen, state, say, width, narrow } = given;
  const place = layOutSurface(width, narrow);
  const similarity = [state.first, state.second, ...state.negatives];
  const now = {
    ...lossAndPull(similarity, 2, settingsFrom(state)),
    ranks: relaxedRanks(similarity, [0, 1], state.rank_temperature), truth: trueRanks(similarity, [0, 1]),
  };
  const largest = paintField(given, place, surfaceOf(state));
  paintPoint(given, place, now, largest);
  paintScale(given, place.scale, now.loss);
  paintLine(given, place, now, largest);
  const words = {
    loss: fixed(now.loss, 3), first: fixed(state.first, 2), second: fixed(state.second, 2), pull1: short(now.pull[0]),
    pull2: short(now.pull[1]), rank1: now.truth[0], rank2: now.truth[1],
  };
  placeHandles(given, place, words);
  return { height: place.height, status: say("status", words), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["negatives", "first", "second", "ks", "rank_temperature", "k_temperature"],
  signs: [
    ["circle", "rk-purple rk-fill", "point"], ["circle", "rk-blue rk-fill", "positive_sign"], ["bar", "rk-red rk-thin", "negative"],
    ["arrow", "rk-ink rk-fill", "pull"],
  ],
  controls: [
    { name: "rank_temperature", base: 10, min: -3, max: 0, step: 0.05 },
    { name: "k_temperature", base: 10, min: -3, max: 1, step: 0.05 },
    { name: "ks", options: [[[1], () => "1"], [[16], () => "16"], [FIVE, () => FIVE.join(", ")]] },
  ],
  paint,
});
