// Images of a sprite: one of them, all queries as a contact sheet, and a query's nearest ones, marked.
import { clamp, longer } from "./scales.js";

const SHEET_COLUMNS = 12; // of the sprite
const SHEET_SIDE = 40; // pixels of an image in it

export const GALLERY_WORDS = {
  all_queries: "the {count} queries: press one, or drag the ring",
  query: "query",
  neighbour: "{place}, {verdict}: {name}",
  next_query: "neighbour {neighbour}; make it the query",
  right: "right: of the query's class",
  wrong: "wrong: of another class",
  stored_run: "A stored run: emoji, preset emoji, seed 0; the gallery is these {count} drawings of {classes} test classes.",
};
export const GALLERY_SIGNS = [["circle", "rk-blue rk-fill", "right"], ["square", "rk-red rk-fill", "wrong"]];

/** Whose results these are, in a sentence. */
export function sourceOf({ state, say }) {
  const classes = new Set(state.labels).size;
  return state.stored_run ? say("stored_run", { count: state.labels.length, classes }) : state.source;
}

const tables = new Map(); // a text is read once

/** The nearest images of all queries, from their text: blanks between numbers, semicolons between queries. */
export function nearestIn(text) {
  if (!tables.has(text)) tables.set(text, text.split(";").map((row) => row.split(" ").map(Number)));
  return tables.get(text);
}

export const queriesOf = ({ neighbours }) => nearestIn(neighbours[0]).length;

/** The state with the query of the longest name. */
export function atLongestName(state) {
  const names = state.names.slice(0, queriesOf(state));
  return { ...state, query: names.indexOf(names.reduce(longer)) };
}

/** The query that can be shown: another gallery may have fewer. */
export const queryOf = (state) => Math.min(state.query, queriesOf(state) - 1);

/** How many of some images are of the query's class. */
export const rightAmong = ({ labels }, query, items) => items.filter((item) => labels[item] === labels[query]).length;

export function showSheet({ pen, state }) {
  const rows = Math.ceil(state.labels.length / SHEET_COLUMNS);
  pen.sheet(state.sprite, SHEET_COLUMNS * SHEET_SIDE, rows * SHEET_SIDE);
}

function partOf(item, across = 1, down = 1) {
  const [column, row] = [item % SHEET_COLUMNS, Math.floor(item / SHEET_COLUMNS)];
  return [column, row, across, down].map((value) => value * SHEET_SIDE);
}

export function paintImage(pen, item, x, y, side) {
  pen.tile([x, y, side, side], partOf(item), "rk-ink rk-fill");
}

/** How high a contact sheet of all queries is. */
export const sheetHeight = (state, side) => Math.ceil(queriesOf(state) / SHEET_COLUMNS) * (side / SHEET_COLUMNS);

/** All queries; a press or the ring chooses one. */
export function paintQueries({ pen, state, say, set }, [left, top], side) {
  const [count, cell] = [queriesOf(state), side / SHEET_COLUMNS];
  const [rows, rest] = [Math.floor(count / SHEET_COLUMNS), count % SHEET_COLUMNS];
  if (rows > 0) pen.tile([left, top, side, rows * cell], partOf(0, SHEET_COLUMNS, rows), "rk-ink rk-fill");
  if (rest > 0) pen.tile([left, top + rows * cell, rest * cell, cell], partOf(rows * SHEET_COLUMNS, rest, 1), "rk-ink rk-fill");
  const at = (x, y) => {
    const column = clamp(Math.floor((x - left) / cell), 0, SHEET_COLUMNS - 1);
    const row = clamp(Math.floor((y - top) / cell), 0, Math.ceil(count / SHEET_COLUMNS) - 1);
    return Math.min(row * SHEET_COLUMNS + column, count - 1);
  };
  pen.pad({ x: left, y: top, width: side, height: sheetHeight(state, side), pick: (x, y) => set({ query: at(x, y) }) });
  const query = queryOf(state);
  const [x, y] = [left + (query % SHEET_COLUMNS) * cell, top + Math.floor(query / SHEET_COLUMNS) * cell];
  pen.block(x - 1.5, y - 1.5, cell + 3, cell + 3, "rk-purple rk-ring rk-heavy");
  pen.handle({
    x: x + cell / 2, y: y + cell / 2, label: say("query"), text: state.names[query],
    value: query, min: 0, max: count - 1, step: 1, page: SHEET_COLUMNS, at, change: (to) => set({ query: to }),
  });
}

/** A row of images, the nearest first: a frame and a sign say whether each is right. */
export function paintNearest({ pen, state, say, set }, items, [left, top], side, gap, across) {
  const query = queryOf(state);
  items.forEach((item, i) => {
    const [x, y] = [left + (i % across) * (side + gap), top + Math.floor(i / across) * (side + gap)];
    const right = state.labels[item] === state.labels[query];
    paintImage(pen, item, x, y, side);
    pen.block(x - 1, y - 1, side + 2, side + 2, right ? "rk-blue rk-ring" : "rk-red rk-ring rk-dash");
    paintSign(pen, x + side - 5, y + side - 5, right);
    const name = say("neighbour", { place: i + 1, verdict: say(right ? "right" : "wrong"), name: state.names[item] });
    if (item >= queriesOf(state)) return;
    pen.button({ x, y, width: side, height: side, label: say("next_query", { neighbour: name }), press: () => set({ query: item }) });
  });
}

function paintSign(pen, x, y, right) {
  if (right) pen.circle(x, y, 8, "rk-blue rk-fill");
  else pen.square(x, y, 7.5, "rk-red rk-fill");
  pen.text(x, y + 4.5, right ? "✓" : "✗", "rk-inside rk-small rk-middle");
}
