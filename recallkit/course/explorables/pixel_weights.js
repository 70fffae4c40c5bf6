// A predicted mask beside its true one: what is found, and how hard each loss pushes each pixel.
import { explorable } from "./kit.js";
import { px } from "./pen.js";
import { fixed, linear } from "./scales.js";
import { classShares, drawThings, pixelWeights } from "./maths/pixels.js";

const SIDE = 12; // pixels of the scene
const KINDS = ["rk-grey", "rk-blue", "rk-red"]; // of the ground, the bus, the lemon
const NAMES = ["ground", "bus", "lemon"];
const LOSSES = ["cross-entropy", "inverse frequency", "focal", "recall", "structure"];
const SIZES = { bus: { label: 1, height: 5, width: 7 }, lemon: { label: 2, height: 3, width: 3 } };
const TRUE = { bus_row: 4, bus_column: 4, bus_growth: 0, lemon_row: 9, lemon_column: 8, lemon_growth: 0 };
const WORDS = {
  title: "A prediction of twelve by twelve pixels, and what five losses make of it",
  scene: "prediction",
  weights: "pixel weights, relative to the largest of the map",
  truth: "true outline",
  handle: "to drag",
  ground: "ground",
  bus: "bus",
  lemon: "lemon",
  recall: "recall",
  precision: "precision",
  iou: "IoU",
  "cross-entropy": "cross-entropy",
  "inverse frequency": "inverse frequency",
  focal: "focal",
  "recall loss": "recall loss",
  structure: "structure",
  of_lemon: "lemon {share} %",
  bus_growth: "growth of the bus",
  lemon_growth: "growth of the lemon",
  certainty: "certainty of the network",
  gamma: "γ (focal)",
  place: "row {row}, column {column}",
  status: "Lemon: recall {recall}, precision {precision}, IoU {iou}. Its share of all weights: cross-entropy {s0} %, inverse frequency {s1} %, focal {s2} %, recall loss {s3} %, structure {s4} %.",
  help: "Drag the bus or the lemon, or focus one and press ← → ↑ ↓.",
};

const titleOf = (loss) => (loss === "recall" ? "recall loss" : loss);
const per100 = (share) => fixed(100 * share, share < 0.0995 ? 1 : 0);

function thingsOf(state) {
  return ["bus", "lemon"].map((name) => {
    const { label, height, width } = SIZES[name];
    const grown = 2 * state[`${name}_growth`];
    const [row, column] = [state[`${name}_row`], state[`${name}_column`]];
    return {
      label, height: height + grown, width: width + grown,
      top: row - (height + grown - 1) / 2, left: column - (width + grown - 1) / 2,
    };
  });
}

/** Share of each class in the sum of the weights. */
function sharesOf(weights, labels) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return NAMES.map((_, c) => weights.reduce((sum, weight, i) => sum + (labels[i] === c ? weight : 0), 0) / total);
}

/** A square as a part of a path: one mark for all squares of a colour is drawn fast. */
const squareAt = (x, y, half) => `M${px(x - half)} ${px(y - half)}h${px(2 * half)}v${px(2 * half)}h${px(-2 * half)}Z`;

/** Lines between neighbouring pixels of different classes, as one path. */
function outline(labels, [left, top], cell) {
  const at = (i, j) => labels[i * SIDE + j];
  const parts = [];
  for (let i = 0; i < SIDE; i += 1) {
    for (let j = 0; j < SIDE; j += 1) {
      const [x, y] = [left + cell * (j + 1), top + cell * (i + 1)];
      if (j + 1 < SIDE && at(i, j) !== at(i, j + 1)) parts.push(`M${x} ${y - cell}V${y}`);
      if (i + 1 < SIDE && at(i, j) !== at(i + 1, j)) parts.push(`M${x - cell} ${y}H${x}`);
    }
  }
  return parts.join("");
}

function layOut(width, narrow) {
  const cell = 20;
  const scene = { corner: [narrow ? Math.max(8, (width - SIDE * cell) / 2) : 8, 30], cell };
  const foot = scene.corner[1] + SIDE * cell;
  const table = narrow ? { left: 8, right: width - 8, top: foot + 44 } : { left: 292, right: width - 16, top: 60 };
  const top = narrow ? table.top + 4 * 30 + 40 : foot + 66;
  const columns = narrow ? 2 : LOSSES.length;
  const step = (width - 8) / columns;
  const small = Math.floor((step - (narrow ? 20 : 16)) / SIDE);
  const rise = small * SIDE + 78;
  const corners = LOSSES.map((_, i) => [8 + step * (i % columns), top + rise * Math.floor(i / columns)]);
  return { scene, table, corners, small, height: corners.at(-1)[1] + rise - 30 };
}

function paintScene({ pen, say }, { corner, cell }, labels, predicted) {
  const [left, top] = corner;
  pen.text(left, top - 10, say("scene"), "rk-name");
  KINDS.slice(1).forEach((kind, c) => {
    const square = (label, i) => {
      if (label !== c + 1) return "";
      return squareAt(left + cell * ((i % SIDE) + 0.5), top + cell * (Math.floor(i / SIDE) + 0.5), cell / 2 - 0.5);
    };
    pen.path(predicted.map(square).join(""), `${kind} rk-fill`);
  });
  pen.path(`M${left} ${top}h${SIDE * cell}v${SIDE * cell}h${-SIDE * cell}Z`, "rk-axis");
  pen.path(outline(labels, corner, cell), "rk-ink rk-line");
}

function paintTable({ pen, say }, { left, right, top }, shares) {
  const columns = ["recall", "precision", "iou"];
  const step = (right - left - 60) / columns.length;
  columns.forEach((name, k) => pen.text(left + 60 + step * k, top - 16, say(name), "rk-name"));
  NAMES.forEach((name, c) => {
    const middle = top + 30 * c + 12;
    pen.text(left, middle + 4, say(name), `rk-strong ${c ? `${KINDS[c]} rk-tint` : ""}`);
    columns.forEach((column, k) => {
      const x = linear([0, 1], [left + 60 + step * k, left + 60 + step * k + step - 54]);
      pen.block(x(0), middle - 7, x(1) - x(0), 14, `${KINDS[c]} rk-wash`);
      pen.block(x(0), middle - 7, x(shares[column][c]) - x(0), 14, `${KINDS[c]} rk-fill`);
      pen.text(x(1) + 6, middle + 4, fixed(shares[column][c], 2), "rk-small");
    });
  });
}

/** A square for each pixel: its area is the weight, relative to the largest of the map. */
function paintWeights({ pen, say }, [left, top], cell, loss, labels, weights) {
  const largest = Math.max(...weights);
  const shares = sharesOf(weights, labels);
  const width = SIDE * cell;
  pen.text(left, top - 8, say(titleOf(loss)), "rk-strong");
  KINDS.forEach((kind, c) => {
    const square = (weight, i) => {
      if (labels[i] !== c || !(weight > 0)) return "";
      const half = 0.47 * cell * Math.sqrt(weight / largest);
      return squareAt(left + cell * ((i % SIDE) + 0.5), top + cell * (Math.floor(i / SIDE) + 0.5), half);
    };
    pen.path(weights.map(square).join(""), `${kind} rk-fill`);
  });
  pen.path(`M${left} ${top}h${width}v${width}h${-width}Z`, "rk-axis");
  pen.path(outline(labels, [left, top], cell), "rk-ink rk-thin");
  let x = left;
  shares.forEach((share, c) => {
    pen.block(x, top + width + 8, share * width, 12, `${KINDS[c]} rk-fill`);
    x += share * width;
  });
  pen.text(left, top + width + 36, say("of_lemon", { share: per100(shares[2]) }), "rk-small");
  return shares;
}

function placeThing({ pen, state, say, set }, { corner: [left, top], cell }, name) {
  const [row, column] = [`${name}_row`, `${name}_column`];
  const x = linear([0, 1], [left + cell / 2, left + cell * 1.5]);
  const y = linear([0, 1], [top + cell / 2, top + cell * 1.5]);
  pen.circle(x(state[column]), y(state[row]), 8, `${KINDS[SIZES[name].label]} rk-open`);
  pen.handle({
    x: x(state[column]), y: y(state[row]), label: say(name),
    text: say("place", { row: state[row] + 1, column: state[column] + 1 }),
    value: state[column], min: 0, max: SIDE - 1, step: 1, page: 3, at: (to) => x.invert(to),
    rise: { value: -state[row], min: 1 - SIDE, max: 0, step: 1, at: (_, to) => -y.invert(to) },
    change: (across, up) => set({ [column]: across, [row]: 0 - up }),
  });
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const place = layOut(width, narrow);
  const labels = drawThings(thingsOf(TRUE), SIDE);
  const predicted = drawThings(thingsOf(state), SIDE);
  const shares = classShares(labels, predicted, NAMES.length);
  const settings = { classes: NAMES.length, certainty: state.certainty, gamma: state.gamma };
  paintScene(given, place.scene, labels, predicted);
  paintTable(given, place.table, shares);
  const [first, above] = place.corners[0];
  given.pen.text(first, above - 32, say("weights"), "rk-name");
  const ofLemon = LOSSES.map((loss, i) => {
    const weights = pixelWeights(loss, labels, predicted, settings);
    return paintWeights(given, place.corners[i], place.small, loss, labels, weights)[2];
  });
  for (const name of ["bus", "lemon"]) placeThing(given, place.scene, name);
  const [recall, precision, iou] = [shares.recall, shares.precision, shares.iou].map((of) => fixed(of[2], 2));
  const said = Object.fromEntries(ofLemon.map((share, i) => [`s${i}`, per100(share)]));
  return { height: place.height, status: say("status", { recall, precision, iou, ...said }), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["bus_row", "bus_column", "bus_growth", "lemon_row", "lemon_column", "lemon_growth", "certainty", "gamma"],
  signs: [
    ["square", "rk-grey rk-fill", "ground"], ["square", "rk-blue rk-fill", "bus"], ["square", "rk-red rk-fill", "lemon"],
    ["line", "rk-ink rk-line", "truth"], ["circle", "rk-ink rk-open", "handle"],
  ],
  controls: [
    { name: "lemon_growth", min: -2, max: 3, step: 1 },
    { name: "bus_growth", min: -2, max: 2, step: 1 },
    { name: "certainty", min: 0.4, max: 0.99, step: 0.01 },
    { name: "gamma", min: 0, max: 5, step: 0.5 },
  ],
  paint,
});
