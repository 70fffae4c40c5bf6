// Three ways to compare batch sizes where batch size cannot matter, and why two of them mislead.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { clamp, fixed, logarithmic, short } from "./scales.js";
import { LEARNING_RATES, bestLearningRate, expectedError, threeViews } from "./maths/toy_descent.js";

const SMALL_ERROR = 1e-4; // the ends of the axis of errors: no view is below, whatever the sliders say
const LARGE_ERROR = 3;
const WORDS = {
  title: "One experiment, three plots of it",
  learning_rate: "the common learning rate",
  images: "images seen",
  rate: "learning rate",
  batch: "batch size",
  updates_view: "equal updates, one learning rate",
  images_view: "equal images, one learning rate",
  tuned_view: "equal images, each tuned",
  why: "squared error, at equal images",
  one_size: "one batch size, any learning rate",
  common: "at the common learning rate",
  best: "at the best learning rate of each size",
  reading: "learning rate {rate}",
  status: "The best batch size is {updates} at equal updates and {images} at equal images. With its own learning rate, the worst has {ratio} times the error of the best.",
  help: "Drag the line of the common learning rate, or focus it and press ← →.",
};

const errorTicks = [[0.0001, "0.0001"], [0.001, "0.001"], [0.01, "0.01"], [0.1, "0.1"], [1, "1"]];
const whole = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
const equalImages = ({ images }, batch, rate) => expectedError(batch, Math.floor(images / batch), rate);
const onScale = (error) => clamp(error, SMALL_ERROR, LARGE_ERROR);

function layOutViews(width, narrow) {
  const curves = { left: 50, right: width - 50, top: 34, bottom: 254 };
  const [columns, gap] = narrow ? [1, 0] : [3, 22];
  const side = (width - 50 - 14 - (columns - 1) * gap) / columns;
  const panels = [0, 1, 2].map((i) => {
    const left = 50 + (narrow ? 0 : i * (side + gap));
    const top = 340 + (narrow ? i * 216 : 0);
    return { left, right: left + side, top, bottom: top + (narrow ? 126 : 170) };
  });
  return { curves, panels, height: panels[2].bottom + 46 };
}

const upFor = ({ top, bottom }) => logarithmic([SMALL_ERROR, LARGE_ERROR], [bottom, top]);

/** The errors of each batch size over the learning rate; where the common one cuts them; their minima. */
function paintCurves({ pen, state, say }, area) {
  const x = logarithmic([LEARNING_RATES[0], 1], [area.left, area.right]);
  const y = upFor(area);
  const xTicks = [0.001, 0.01, 0.1, 1].map((rate) => [rate, String(rate)]);
  drawAxes(pen, area, x, y, { xTicks, yTicks: errorTicks, xName: say("rate"), yName: say("why") });
  const here = x(state.learning_rate);
  state.batch_sizes.forEach((batch) => {
    const curve = LEARNING_RATES.map((rate) => [x(rate), y(onScale(equalImages(state, batch, rate)))]);
    pen.curve(curve, "rk-grey rk-trace");
  });
  const ends = [state.batch_sizes[0], state.batch_sizes[state.batch_sizes.length - 1]];
  for (const batch of ends) {
    pen.text(area.right + 6, y(onScale(equalImages(state, batch, 1))) + 4, whole(batch), "rk-tick");
  }
  pen.line(here, area.top, here, area.bottom, "rk-blue rk-line");
  for (const batch of state.batch_sizes) {
    const rate = bestLearningRate(batch, state.images);
    pen.diamond(x(rate), y(onScale(equalImages(state, batch, rate))), 7, "rk-green rk-fill rk-rim");
    pen.circle(here, y(onScale(equalImages(state, batch, state.learning_rate))), 5.5, "rk-blue rk-fill rk-rim");
  }
  return { x, here };
}

/** One view: the error of each batch size; the best is marked with a ring. */
function paintView({ pen, state, say }, area, { errors, title, kind, mark }) {
  const sizes = state.batch_sizes;
  const x = logarithmic([sizes[0] / 1.3, sizes[sizes.length - 1] * 1.3], [area.left, area.right]);
  const y = upFor(area);
  const xTicks = sizes.filter((_, i) => i % 2 === 0).map((size) => [size, whole(size)]);
  drawAxes(pen, area, x, y, { xTicks, yTicks: area.left < 60 ? errorTicks : errorTicks.map(([tick]) => [tick, ""]), xName: say("batch") });
  pen.text(area.left, area.top - 14, say(title), `${kind} rk-tint rk-strong rk-small`);
  const points = errors.map((error, i) => [x(sizes[i]), y(onScale(error))]);
  pen.curve(points, `${kind} rk-line`);
  for (const point of points) pen[mark](...point, 6, `${kind} rk-fill rk-rim`);
  pen.circle(...points[errors.indexOf(Math.min(...errors))], 12, `${kind} rk-ring`);
}

function paint(given) {
  const { pen, state, say, set, width, narrow } = given;
  const place = layOutViews(width, narrow);
  const { batch_sizes: sizes, learning_rate: rate, images } = state;
  const { equalUpdates, equalImages: atImages, tuned } = threeViews(sizes, rate, images);
  const { x, here } = paintCurves(given, place.curves);
  const views = [
    { errors: equalUpdates, title: "updates_view", kind: "rk-purple", mark: "square" },
    { errors: atImages, title: "images_view", kind: "rk-blue", mark: "circle" },
    { errors: tuned, title: "tuned_view", kind: "rk-green", mark: "diamond" },
  ];
  views.forEach((view, i) => paintView(given, place.panels[i], view));
  pen.diamond(here, place.curves.bottom, 9, "rk-blue rk-fill");
  pen.handle({
    x: here, y: place.curves.bottom, label: say("learning_rate"), text: say("reading", { rate: short(rate) }),
    value: Math.log10(rate), min: -2, max: 0, step: 0.05, page: 0.25, at: (to) => Math.log10(x.invert(to)),
    change: (power) => set({ learning_rate: Number((10 ** power).toPrecision(12)) }),
  });
  const best = (errors) => whole(sizes[errors.indexOf(Math.min(...errors))]);
  const ratio = fixed(Math.max(...tuned) / Math.min(...tuned), 1);
  return { height: place.height, status: say("status", { updates: best(equalUpdates), images: best(atImages), ratio }), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["batch_sizes", "learning_rate", "images"],
  signs: [["line", "rk-grey rk-line", "one_size"], ["circle", "rk-blue rk-fill", "common"], ["diamond", "rk-green rk-fill", "best"]],
  controls: [
    { name: "learning_rate", base: 10, min: -2, max: 0, step: 0.05 },
    { name: "images", base: 2, min: 9, max: 14, step: 1, text: whole },
  ],
  paint,
});
