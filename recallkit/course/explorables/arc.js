// Classes on arcs, from spread to collapsed, and their loss under both definitions of a database.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { fixed, linear, spaced, ticks } from "./scales.js";
import { arcClasses, arcLosses } from "./maths/arcs.js";
import { degreesOf, onCircle } from "./maths/vectors.js";

const WIDEST = 60; // degrees
const WIDTHS = spaced(0, WIDEST, 21);
const FIVE = [1, 2, 4, 8, 16];
const WORDS = {
  title: "A class on its arc, and the loss by either definition of the database",
  width: "width of each class",
  per_class: "items of a class",
  ks: "k of the loss",
  all: "all five",
  across: "width of each class (degrees)",
  loss: "loss",
  item: "items of one class",
  left_out: "query left out",
  inside: "query in its database",
  degrees: "{degrees}°",
  reading: "{width}°, loss {left} and {inside}",
  status: "At {width}° the loss is {left} with the query left out, and {inside} with the query in its database. Collapsed to one point: {left0} and {inside0}.",
  help: "Drag the last item of the arc, or focus it and press ← →.",
};

function layOut(width, narrow) {
  const radius = narrow ? Math.min(width - 110, 250) : 222;
  const corner = [narrow ? (width - radius) / 2 - 14 : 16, radius + 34];
  const top = narrow ? corner[1] + 74 : 40;
  const area = { left: narrow ? 44 : radius + 122, right: width - 16, top, bottom: top + 216 };
  return { radius, corner, area, height: area.bottom + 44 };
}

let kept = {}; // the curves, which stay while the width moves
function curvesOf({ ks, per_class: perClass }) {
  const key = JSON.stringify([ks, perClass]);
  if (kept.key !== key) kept = { key, curves: arcLosses(WIDTHS, ks, perClass) };
  return kept.curves;
}

function paintClass({ pen, state, say }, { radius, corner: [left, bottom] }) {
  const at = ([x, y]) => [left + radius * x, bottom - radius * y];
  pen.curve(spaced(0, 90, 61).map((degrees) => at(onCircle(degrees))), "rk-grey rk-thin");
  pen.line(left, bottom, left + radius + 12, bottom, "rk-axis");
  pen.line(left, bottom, left, bottom - radius - 12, "rk-axis");
  const { points } = arcClasses(state.width, state.per_class);
  const items = points.slice(0, state.per_class).map((point) => at(point.slice(0, 2)));
  for (const item of items) pen.line(left, bottom, ...item, "rk-green rk-thin");
  items.forEach((item, i) => pen.circle(...item, i === items.length - 1 ? 11 : 7, "rk-green rk-fill rk-rim"));
  const [x, y] = at(onCircle(state.width / 2).map((value) => value * 1.1));
  pen.text(x + 6, y, say("degrees", { degrees: state.width }), "rk-strong");
  return { at, degrees: (px, py) => degreesOf([px - left, bottom - py]) };
}

function paintLosses({ pen, state, say }, area, curves, here) {
  const highest = Math.max(...curves.flat(), 0.02) * 1.2;
  const x = linear([0, WIDEST], [area.left, area.right]);
  const y = linear([0, highest], [area.bottom, area.top]);
  drawAxes(pen, area, x, y, { xTicks: [0, 15, 30, 45, 60], yTicks: ticks(0, highest), xName: say("across"), yName: say("loss") });
  pen.line(x(state.width), area.top, x(state.width), area.bottom, "rk-ink rk-thin rk-dot");
  const kinds = ["rk-blue rk-line", "rk-red rk-line rk-dash"];
  curves.forEach((curve, i) => pen.curve(curve.map((loss, j) => [x(WIDTHS[j]), y(loss)]), kinds[i]));
  const points = here.map((loss) => [x(state.width), y(loss)]);
  pen.circle(...points[0], 8, "rk-blue rk-fill rk-rim");
  pen.square(...points[1], 7, "rk-red rk-fill rk-rim");
  const left = state.width > WIDEST - 12;
  points.forEach(([px, py], i) => {
    const above = here[i] >= here[1 - i] && (i === 1 || here[0] > here[1]);
    const tint = i === 0 ? "rk-blue" : "rk-red";
    const low = py + 20 > area.bottom ? Math.min(...points.map(([, top]) => top)) - 27 : py + 20; // not on the ticks
    pen.text(px + (left ? -12 : 12), above ? py - 10 : low, fixed(here[i], 3), `${tint} rk-tint rk-strong${left ? " rk-end" : ""}`);
  });
}

function paint(given) {
  const { pen, state, say, set, width, narrow } = given;
  const place = layOut(width, narrow);
  const curves = curvesOf(state);
  const here = arcLosses([state.width], state.ks, state.per_class).map(([loss]) => loss);
  const { at, degrees } = paintClass(given, place);
  paintLosses(given, place.area, curves, here);
  const [left, inside, left0, inside0] = [...here, curves[0][0], curves[1][0]].map((loss) => fixed(loss, 3));
  const words = { width: state.width, left, inside, left0, inside0 };
  const [x, y] = at(onCircle(state.width));
  pen.handle({
    x, y, label: say("width"), text: say("reading", words), value: state.width,
    min: 0, max: WIDEST, step: 1, page: 5, at: degrees, change: (value) => set({ width: value }),
  });
  return { height: place.height, status: say("status", words), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["width", "per_class", "ks"],
  signs: [["circle", "rk-green rk-fill", "item"], ["line", "rk-blue rk-line", "left_out"], ["line", "rk-red rk-line rk-dash", "inside"]],
  controls: [
    { name: "width", min: 0, max: WIDEST, step: 1, text: (value) => `${value}°` },
    { name: "per_class", min: 2, max: 8, step: 1 },
    { name: "ks", options: [[FIVE, (say) => say("all")], ...FIVE.map((k) => [[k], () => String(k)])] },
  ],
  paint,
});
