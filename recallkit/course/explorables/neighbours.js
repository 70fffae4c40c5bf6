// Any query of a gallery, and its nearest images by several embeddings; a neighbour can be the next query.
import { atLongestName, GALLERY_SIGNS, GALLERY_WORDS, nearestIn, paintImage, paintNearest, paintQueries, queriesOf, queryOf, rightAmong, sheetHeight, showSheet, sourceOf } from "./gallery.js";
import { explorable } from "./kit.js";

const WORDS = {
  title: "Queries and their nearest images",
  share: "{name}: {right} of {count} right",
  status: "Query: {name}. Of its {count} nearest images are right: {rights}. {source}",
  help: "Press an image to make it the query; or drag the ring, or focus it and press ← →.",
};

const GAP = 7;

function layOutGallery(state, width, narrow) {
  const sheet = narrow ? width - 4 : 336;
  const left = narrow ? 2 : sheet + 34;
  const across = narrow ? 4 : nearestIn(state.neighbours[0])[0].length;
  const side = Math.min(narrow ? 70 : 48, (width - left - 2 - (across - 1) * GAP) / across);
  return { sheet, left, across, side, top: 28, results: narrow ? 28 + sheetHeight(state, sheet) + 14 : 8 };
}

function paintQuery({ pen, state, say }, { left, results }) {
  const query = queryOf(state);
  paintImage(pen, query, left, results, 52);
  pen.block(left - 1.5, results - 1.5, 55, 55, "rk-purple rk-ring");
  pen.text(left + 64, results + 20, say("query"), "rk-name");
  pen.text(left + 64, results + 40, state.names[query], "rk-strong");
}

function paint(given) {
  const { pen, state, say, width, narrow } = given;
  const place = layOutGallery(state, width, narrow);
  showSheet(given);
  pen.text(2, 14, say("all_queries", { count: queriesOf(state) }), "rk-name");
  paintQueries(given, [2, place.top], place.sheet);
  paintQuery(given, place);
  const { left, side, across } = place;
  let y = place.results + 84;
  state.neighbours.forEach((table, i) => {
    const items = nearestIn(table)[queryOf(state)];
    const right = rightAmong(state, queryOf(state), items);
    pen.text(left, y, say("share", { name: state.embeddings[i], right, count: items.length }));
    paintNearest(given, items, [left, y + 9], side, GAP, across);
    y += 9 + Math.ceil(items.length / across) * (side + GAP) + 22;
  });
  return { height: Math.max(y - 18, place.top + sheetHeight(state, place.sheet) + 6), status: sentence(given), outputs: {} };
}

function sentence({ state, say }) {
  const query = queryOf(state);
  const rights = state.neighbours.map((table, i) => `${state.embeddings[i]} ${rightAmong(state, query, nearestIn(table)[query])}`);
  const count = nearestIn(state.neighbours[0])[0].length;
  return say("status", { name: state.names[query], count, rights: rights.join(", "), source: sourceOf({ state, say }) });
}

export default explorable({
  words: { ...GALLERY_WORDS, ...WORDS },
  inputs: ["sprite", "names", "labels", "embeddings", "neighbours", "query", "source", "stored_run"],
  signs: GALLERY_SIGNS,
  paint,
  room: ({ state, say }) => sentence({ state: atLongestName(state), say }),
});
