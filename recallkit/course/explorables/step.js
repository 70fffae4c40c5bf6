// The step and the sigmoid that stands in for it; its slope; a comparison that can be dragged.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { fixed, linear, short, spaced, ticks } from "./scales.js";
import { sigmoid, sigmoidSlope, step } from "./maths/sigmoid.js";

const REACH = 0.5; // differences from −REACH to REACH are drawn
const WORDS = {
  title: "The step, and the sigmoid that replaces it",
  temperature: "temperature τ",
  difference: "difference s(z) − s(p)",
  counts: "z before p counts as",
  slope: "slope, per unit of similarity",
  soft: "sigmoid σ(u / τ)",
  hard: "step",
  one: "this comparison",
  reading: "{difference}, counts {soft}, slope {slope}",
  status: "τ = {tau}. At the difference {difference} the sigmoid counts {soft} and has slope {slope}. The step counts {hard} and has slope 0.",
  help: "Drag the diamond, or focus it and press ← →.",
};

// Close to 0, where all happens, in steps of the temperature.
function curvePlaces(tau) {
  const near = spaced(-12, 12, 121).map((u) => u * tau).filter((u) => Math.abs(u) < REACH);
  return [-REACH, ...near, REACH];
}

function layOut(width, narrow) {
  const panel = narrow ? width : (width - 44) / 2;
  const frameAt = (left, top) => ({ left: left + 42, right: left + panel - 14, top, bottom: top + 190 });
  const frames = narrow ? [frameAt(0, 28), frameAt(0, 304)] : [frameAt(0, 28), frameAt(panel + 44, 28)];
  return { frames, height: narrow ? 540 : 264 };
}

const across = ({ left, right }) => linear([-REACH, REACH], [left, right]);
const AXIS = [[-0.5, "−0.5"], [-0.25, "−0.25"], 0, 0.25, 0.5];

function paintCounts({ pen, state, say }, area) {
  const x = across(area);
  const y = linear([0, 1], [area.bottom, area.top]);
  drawAxes(pen, area, x, y, { xTicks: AXIS, yTicks: [0, 0.5, 1], xName: say("difference"), yName: say("counts") });
  pen.curve([[area.left, y(0)], [x(0), y(0)], [x(0), y(1)], [area.right, y(1)]], "rk-grey rk-wide");
  pen.curve(curvePlaces(state.temperature).map((u) => [x(u), y(sigmoid(u / state.temperature))]), "rk-blue rk-line");
  return { x, y };
}

function paintSlopes({ pen, state, say }, area) {
  const x = across(area);
  const tau = state.temperature;
  const highest = sigmoidSlope(0) / tau;
  const y = linear([0, highest * 1.12], [area.bottom, area.top]);
  drawAxes(pen, area, x, y, { xTicks: AXIS, yTicks: ticks(0, highest * 1.12), xName: say("difference"), yName: say("slope") });
  pen.line(area.left, y(0), area.right, y(0), "rk-grey rk-wide");
  pen.curve(curvePlaces(tau).map((u) => [x(u), y(sigmoidSlope(u / tau) / tau)]), "rk-blue rk-line");
  return { x, y };
}

function paint(given) {
  const { pen, state, say, set, width, narrow } = given;
  const { temperature: tau, difference: u } = state;
  const { frames, height } = layOut(width, narrow);
  const counts = paintCounts(given, frames[0]);
  const slopes = paintSlopes(given, frames[1]);
  const soft = sigmoid(u / tau);
  const slope = sigmoidSlope(u / tau) / tau;
  const words = { tau: short(tau), difference: fixed(u, 3), soft: fixed(soft, 3), slope: short(slope), hard: step(u) };
  const [px, py] = [counts.x(u), counts.y(soft)];
  pen.line(px, frames[0].bottom, px, py, "rk-red rk-thin rk-dot");
  for (const [x, y, text] of [[px, py, words.soft], [slopes.x(u), slopes.y(slope), words.slope]]) {
    pen.diamond(x, y, 9, "rk-red rk-fill");
    const left = u > 0.25;
    pen.text(x + (left ? -16 : 16), y + (y === py && u > 0 ? 22 : -12), text, `rk-red rk-tint rk-strong${left ? " rk-end" : ""}`);
  }
  pen.handle({
    x: px, y: py, label: say("difference"), text: say("reading", words),
    value: u, min: -REACH, max: REACH, step: 0.005, page: 0.05,
    at: (x) => counts.x.invert(x), change: (difference) => set({ difference }),
  });
  return { height, status: say("status", words), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["temperature", "difference"],
  signs: [["line", "rk-grey rk-wide", "hard"], ["line", "rk-blue rk-line", "soft"], ["diamond", "rk-red rk-fill", "one"]],
  controls: [{ name: "temperature", base: 10, min: -3, max: 0, step: 0.05 }],
  paint,
});
