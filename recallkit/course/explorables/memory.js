// The peak memory of a training step against its batch size, plain and in chunks.
import { explorable } from "./kit.js";
import { drawAxes } from "./pen.js";
import { logarithmic, longer, short } from "./scales.js";
import { peakMemory } from "./maths/step_memory.js";

const BATCHES = [3, 14]; // powers of two on the axis: 8 to 16,384
const CHUNKS = [3, 11];
const GB = 1e9;
const WORDS = {
  title: "The peak memory of a training step",
  batch_size: "batch size",
  chunk_size: "images in a chunk",
  across: "batch size (images)",
  up: "peak of a step (GB)",
  plain: "plain step",
  chunked: "three steps",
  gpu: "a GPU with {size} GB",
  level: "memory of the GPU",
  images: "{images} images, {size} GB",
  status: "A batch of {batch} needs {plain} GB in a plain step, and {chunked} GB in three steps with chunks of {chunk}. A GPU with {size} GB has room for {room}.",
  both: "both",
  one: "the three steps only",
  none: "neither",
  help: "Drag the square (batch) or the diamond (chunk), or focus one and press ← →.",
};

const whole = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
const gigabytes = (bytes) => (bytes < 1000 * GB ? short(bytes / GB) : whole(Math.round(bytes / GB)));
const powers = ([low, high], by = 1) => Array.from({ length: Math.floor((high - low) / by) + 1 }, (_, i) => 2 ** (low + i * by));

function layOut(state, width, narrow) {
  const area = { left: narrow ? 52 : 60, right: width - 24, top: 32, bottom: narrow ? 292 : 312 };
  const least = Math.min(peakMemory(state, 8), state.gpu_memory) / GB;
  const most = Math.max(peakMemory(state, 2 ** BATCHES[1]), state.gpu_memory) / GB;
  const decades = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  return {
    area, decades, height: area.bottom + 44,
    x: logarithmic(BATCHES.map((power) => 2 ** power), [area.left, area.right]),
    y: logarithmic(decades.map((power) => 10 ** power), [area.bottom, area.top]),
  };
}

function paintAxes({ pen, state, say, narrow }, { area, decades, x, y }) {
  const sizes = Array.from({ length: decades[1] - decades[0] + 1 }, (_, i) => 10 ** (decades[0] + i));
  drawAxes(pen, area, x, y, {
    xTicks: powers(BATCHES, narrow ? 3 : 1).map((size) => [size, whole(size)]),
    yTicks: sizes.map((size) => [size, whole(short(size))]), xName: say("across"), yName: say("up"),
  });
  const level = y(state.gpu_memory / GB);
  pen.line(area.left, level, area.right, level, "rk-ink rk-line rk-dot");
  pen.text(area.left + 8, level - 8, say("gpu", { size: gigabytes(state.gpu_memory) }));
}

function paintCurves({ pen, state }, { area, x, y }) {
  const sizes = powers(BATCHES, 0.25);
  const curve = (chunk) => sizes.map((size) => [x(size), y(peakMemory(state, size, chunk) / GB)]);
  pen.curve(curve(), "rk-blue rk-line");
  pen.curve(curve(state.chunk_size), "rk-red rk-line rk-dash");
  pen.line(x(state.batch_size), area.top, x(state.batch_size), area.bottom, "rk-grey rk-thin");
}

function paintBatch({ pen, state }, { area, x, y }) {
  const at = (chunk) => [x(state.batch_size), y(peakMemory(state, state.batch_size, chunk) / GB)];
  const left = at()[0] > area.right - 90;
  const label = ([px, py], bytes, kind, down) => pen.text(px + (left ? -13 : 13), py + down, `${gigabytes(bytes)} GB`, `${kind} rk-tint rk-strong${left ? " rk-end" : ""}`);
  pen.circle(...at(), 8, "rk-blue rk-fill rk-rim");
  label(at(), peakMemory(state, state.batch_size), "rk-blue", left ? -8 : 16);
  pen.square(...at(state.chunk_size), 8, "rk-red rk-fill rk-rim");
  if (state.batch_size > state.chunk_size) label(at(state.chunk_size), peakMemory(state, state.batch_size, state.chunk_size), "rk-red", 22);
  return at(state.chunk_size);
}

function placeHandles({ pen, state, say, set }, { x, y }, atBatch) {
  const handle = (name, [px, py], [min, max], size, bytes) => pen.handle({
    x: px, y: py, label: say(name), text: say("images", { images: whole(size), size: gigabytes(bytes) }),
    value: Math.log2(size), min, max, step: 1, page: 3, at: (to) => Math.log2(x.invert(to)),
    change: (power) => set({ [name]: 2 ** power }),
  });
  const { batch_size: batch, chunk_size: chunk } = state;
  const ofChunk = peakMemory(state, chunk);
  pen.diamond(x(chunk), y(ofChunk / GB), 10, "rk-red rk-open");
  handle("chunk_size", [x(chunk), y(ofChunk / GB)], CHUNKS, chunk, ofChunk);
  handle("batch_size", atBatch, BATCHES, batch, peakMemory(state, batch, chunk));
}

function sentence({ batch_size: batch, chunk_size: chunk, ...state }, say) {
  const [plain, chunked] = [peakMemory(state, batch), peakMemory(state, batch, chunk)];
  const room = plain <= state.gpu_memory ? "both" : chunked <= state.gpu_memory ? "one" : "none";
  return say("status", {
    batch: whole(batch), chunk: whole(chunk), plain: gigabytes(plain), chunked: gigabytes(chunked),
    size: gigabytes(state.gpu_memory), room: say(room),
  });
}

/** The largest batch with its most digits, and the longest of the three ends. */
function longestSentence({ state, say }) {
  const [batch, chunk] = [2 ** BATCHES[1], 2 ** CHUNKS[1]];
  return say("status", {
    batch: whole(batch), chunk: whole(chunk), plain: gigabytes(peakMemory(state, batch)), chunked: "0.000",
    size: gigabytes(state.gpu_memory), room: ["both", "one", "none"].map((name) => say(name)).reduce(longer),
  });
}

function paint(given) {
  const { state, say, width, narrow } = given;
  const place = layOut(state, width, narrow);
  paintAxes(given, place);
  paintCurves(given, place);
  const atBatch = paintBatch(given, place);
  placeHandles(given, place, atBatch);
  return { height: place.height, status: sentence(state, say), outputs: {} };
}

export default explorable({
  words: WORDS,
  inputs: ["fixed", "graph", "image", "gpu_memory", "batch_size", "chunk_size"],
  signs: [["line", "rk-blue rk-line", "plain"], ["line", "rk-red rk-line rk-dash", "chunked"], ["line", "rk-ink rk-line rk-dot", "level"]],
  controls: [
    { name: "batch_size", base: 2, min: BATCHES[0], max: BATCHES[1], step: 1, text: whole },
    { name: "chunk_size", base: 2, min: CHUNKS[0], max: CHUNKS[1], step: 1, text: whole },
  ],
  paint,
  room: longestSentence,
});
