// A mixture between two domains, its soft label and the label after a cast; SiMix beside it.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { clamp, fixed, linear, spaced } from "./scales.js";
import { domainLoss, keepClear, mixedLabel, mixtureLoss } from "./maths/domain_mixing.js";
import { virtualExample } from "./maths/simix.js";

const FURTHEST = 4; // logits
const LONGEST = 70; // pixels of an arrow of slope 1
const KINDS = { soft: "rk-green", cast: "rk-purple" };
const SIMILAR = { x: 0.9, z: 0.3 }; // of two images of one class to a query
const WORDS = {
  title: "A mixture between two domains, and its label",
  source: "image of the source, S",
  target: "image of the target, T",
  mixture: "mixture",
  drawn: "λ as drawn",
  share: "λ, the share of the source",
  clearance: "distance of λ from ½",
  logit: "says “target”   ←   logit   →   says “source”",
  loss: "loss of the mixture",
  soft: "soft label, λ",
  cast: "label cast to an integer, 0",
  labels: "labels of a mixture",
  of_soft: "domain mixup: soft",
  of_cast: "cast to an integer",
  of_class: "SiMix: the class, hard",
  of_source: "class",
  of_target: "target",
  within: "SiMix: similarity of v to a query",
  reading: "λ {share}, kept at {kept}",
  at: "logit {logit}",
  status: "λ = {share} is kept at {kept}. The classifier says “source” to the mixture with {said}. Soft label {kept}: loss {soft}, slope {softly}. Label 0: loss {cast}, slope {castly}. The features go the way of the slope: {ways}.",
  alike: "the same way with both labels",
  apart: "opposite ways with the two labels",
  none: "not at all with the soft label",
  help: "Drag S, T or the mixture, or focus one and press ← →.",
};

function layOut(width, narrow) {
  const right = narrow ? width - 16 : Math.round(width * 0.56);
  const area = { left: 44, right, top: 150, bottom: 330 };
  const left = narrow ? 16 : right + 44;
  const labels = { left, right: width - 10, top: narrow ? area.bottom + 76 : 34 };
  return {
    area, labels, line: 46, height: narrow ? labels.top + 310 : area.bottom + 48,
    x: linear([-FURTHEST, FURTHEST], [area.left, area.right]), y: linear([0, FURTHEST], [area.bottom, area.top]),
  };
}

/** All that the picture shows, from the values. */
function computed({ source, target, share, clearance }) {
  const kept = keepClear(share, clearance);
  const of = (label) => mixtureLoss(source, target, kept, label);
  return { kept, soft: of(kept), cast: of(0), drawn: mixtureLoss(source, target, share, share).logit };
}

/** The two images and their mixture on the line of the logit; where the features go is an arrow. */
function paintLine({ pen, state }, { x, line, area }, now) {
  pen.line(area.left, line, area.right, line, "rk-axis");
  pen.line(x(0), line - 24, x(0), line + 72, "rk-grid");
  pen.line(x(state.target), line, x(state.source), line, "rk-green rk-line");
  const middle = x(now.soft.logit);
  Object.keys(KINDS).forEach((name, i) => {
    const length = now[name].slope * LONGEST;
    const y = line + 32 + 18 * i;
    if (Math.abs(length) > 3) pen.arrow([middle, y], [middle + length, y], KINDS[name]);
    else pen.circle(middle, y, 3.5, `${KINDS[name]} rk-fill`);
  });
  pen.square(x(state.target), line, 11, "rk-red rk-fill rk-rim");
  pen.text(x(state.target), line + 4.5, "T", "rk-inside rk-middle");
  pen.circle(x(state.source), line, 12, "rk-blue rk-fill rk-rim");
  pen.text(x(state.source), line + 4.5, "S", "rk-inside rk-middle");
  pen.circle(x(now.drawn), line, 5, "rk-ink rk-open");
  pen.diamond(middle, line, 9, "rk-green rk-open");
}

function paintLosses({ pen, say }, { x, y, area }, now) {
  const across = [-4, -2, 0, 2, 4];
  drawAxes(pen, area, x, y, { xTicks: across, yTicks: [0, 2, 4], xName: say("logit"), yName: say("loss") });
  const logits = spaced(-FURTHEST, FURTHEST, 81);
  const curve = (label, kind) => pen.curve(logits.map((at) => [x(at), y(Math.min(FURTHEST, domainLoss(at, label).loss))]), kind);
  curve(now.kept, `${KINDS.soft} rk-line`);
  curve(0, `${KINDS.cast} rk-line rk-dash`);
  for (const name of ["cast", "soft"]) {
    pen.diamond(x(now[name].logit), y(Math.min(FURTHEST, now[name].loss)), 8, `${KINDS[name]} rk-open`);
  }
}

/** One bar of two parts of the sum 1, each with its number. */
function paintLabel({ pen, say }, { left, right }, top, name, [own, other]) {
  const edge = left + own * (right - left);
  pen.text(left, top, say(name), "rk-small");
  pen.block(left, top + 7, edge - left, 22, `${name === "of_class" ? "rk-ink" : "rk-blue"} rk-fill`);
  pen.block(edge, top + 7, right - edge, 22, "rk-red rk-fill");
  const part = (at, word, value, kind) => pen.text(at, top + 23, `${say(word)} ${fixed(value, 2)}`, `rk-inside rk-small ${kind}`);
  if (own > 0.25) part(left + 6, "of_source", own, "");
  if (other > 0.25) part(right - 6, "of_target", other, "rk-end");
}

function paintWithin({ pen, state, say }, { left, right }, top) {
  const x = linear([0, 1], [left + 10, right - 10]);
  const line = top + 30;
  pen.text(left, top - 8, say("within"), "rk-small");
  pen.line(x(0), line, x(1), line, "rk-axis");
  for (const tick of [0, 0.5, 1]) pen.text(x(tick), line + 30, String(tick), "rk-tick rk-middle");
  pen.line(x(SIMILAR.z), line, x(SIMILAR.x), line, "rk-ink rk-line");
  for (const letter of ["z", "x"]) {
    pen.circle(x(SIMILAR[letter]), line, 11, "rk-ink rk-fill rk-rim");
    pen.text(x(SIMILAR[letter]), line + 4.5, letter, "rk-inside rk-middle");
  }
  const { similarity } = virtualExample([SIMILAR.x], [SIMILAR.z], [1], state.share);
  pen.diamond(x(similarity), line, 9, "rk-ink rk-open");
  pen.text(x(similarity), line - 15, fixed(similarity, 2), "rk-small rk-middle");
}

function paintLabels(given, { labels }, now) {
  given.pen.text(labels.left, labels.top, given.say("labels"), "rk-strong");
  const [own, other] = mixedLabel(0, 1, now.kept);
  paintLabel(given, labels, labels.top + 28, "of_soft", [own, other]);
  paintLabel(given, labels, labels.top + 84, "of_cast", mixedLabel(0, 1, 0));
  paintLabel(given, labels, labels.top + 140, "of_class", [1, 0]);
  paintWithin(given, labels, labels.top + 214);
}

function placeHandles({ pen, state, say, set }, { x, line }, now) {
  const ofLogit = (name) => pen.handle({
    x: x(state[name]), y: line, label: say(name), text: say("at", { logit: fixed(state[name], 1) }), value: state[name],
    min: -FURTHEST, max: FURTHEST, step: 0.1, page: 1, at: (to) => x.invert(to), change: (value) => set({ [name]: value }),
  });
  ofLogit("target");
  ofLogit("source");
  const chord = state.source - state.target;
  const shareAt = (to) => (Math.abs(chord) < 1e-6 ? state.share : (x.invert(to) - state.target) / chord);
  pen.handle({
    x: x(now.drawn), y: line, label: say("mixture"), text: say("reading", { share: fixed(state.share, 2), kept: fixed(now.kept, 2) }),
    value: state.share, min: 0, max: 1, step: 0.01, page: 0.1, at: (to) => clamp(shareAt(to), 0, 1), change: (share) => set({ share }),
  });
}

function sentence({ share }, say, { kept, soft, cast }) {
  const two = (value) => fixed(value, 2);
  const ways = Math.abs(soft.slope) < 0.005 ? "none" : soft.slope * cast.slope > 0 ? "alike" : "apart";
  return say("status", {
    share: two(share), kept: two(kept), said: two(cast.slope), soft: two(soft.loss), softly: two(soft.slope),
    cast: two(cast.loss), castly: two(cast.slope), ways: say(ways),
  });
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const now = computed(state);
  const place = layOut(width, narrow);
  paintLosses(given, place, now);
  paintLine(given, place, now);
  paintLabels(given, place, now);
  placeHandles(given, place, now);
  return { height: place.height, status: sentence(state, say, now), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["source", "target", "share", "clearance"],
  signs: [
    ["circle", "rk-blue rk-fill", "source"], ["square", "rk-red rk-fill", "target"], ["diamond", "rk-green rk-open", "mixture"],
    ["circle", "rk-ink rk-open", "drawn"], ["line", "rk-green rk-line", "soft"], ["line", "rk-purple rk-line rk-dash", "cast"],
  ],
  controls: [
    { name: "share", min: 0, max: 1, step: 0.01 },
    { name: "clearance", min: 0, max: 0.5, step: 0.05 },
  ],
  paint,
});
