// The frame of every explorable: a picture, a sentence that says it, and controls; in Jupyter or any page.
import { controlFor, legend } from "./controls.js";
import { node, penFor } from "./pen.js";
import { STYLE } from "./style.js";
import { tag } from "./tag.js";
import { dictionary } from "./words.js";

const NARROW_WIDTH = 520; // pixels; below, panels stand one above the other
const FULL_WIDTH = 776;
const FIRST_WIDTH = 700; // before the page has said how much room there is
const SAVE_PAUSE = 100; // milliseconds: each message to Python makes JupyterLab lay out its toolbar
const COMMON = { reset: "Reset", play: "▶ Play", pause: "❚❚ Pause", help: "Drag a handle, or focus it and press ← →." };

/**
 * Make an anywidget of a figure.
 *
 * words: name → text: "title", the names of the controls, and what paint says.
 * inputs: names of the values that the reader or Python sets. outputs: names of what paint returns.
 * controls, signs: see controls.js.
 * room({state, say}): a status as long as it gets, so that what lies below never moves.
 * paint({pen, state, width, narrow, say, set, again}): draws in pixels; returns {height, status,
 * outputs}. A paint that is not done calls again(), and is called in the next frame once more.
 */
export const explorable = (figure) => ({
  render({ model, el }) {
    const say = dictionary({ ...COMMON, ...figure.words, ...model.get("words") });
    const shown = frame(figure, say, el);
    return connect(figure, say, model, shown);
  },
});

function frame(figure, say, el) {
  const picture = node("svg", { role: "group", "aria-label": say("title") });
  const status = tag("p", { role: "status" });
  const room = tag("p", { class: "rk-room", "aria-hidden": "true" }); // unseen, behind the status
  const said = tag("div", { class: "rk-said" }, status, room);
  const controls = tag("div", { class: "rk-controls" });
  const reset = tag("button", { type: "button", class: "rk-reset" }, say("reset"));
  const foot = tag("div", { class: "rk-foot" }, tag("span", {}, say("help")), reset);
  const signs = figure.signs ? [legend(figure.signs, say)] : [];
  const root = tag("div", { class: "rk" }, tag("style", {}, STYLE), picture, ...signs, said, controls, foot);
  el.append(root);
  return { root, picture, status, room, controls, reset, pen: penFor(picture) };
}

function roomIn(root) {
  const width = Math.min(FULL_WIDTH, Math.floor(root.clientWidth) - 4);
  return width > 0 ? width : FIRST_WIDTH;
}

function connect(figure, say, model, shown) {
  const read = () => Object.fromEntries(figure.inputs.map((name) => [name, model.get(name)]));
  const start = structuredClone(read());
  if (figure.room) shown.room.textContent = figure.room({ state: start, say });
  let width = roomIn(shown.root); // asked for when it changes only: the answer costs a layout
  let setting = false;
  let frame = 0; // of a paint that is not done
  let inFrame = false; // does that paint run?
  const saving = seldom(() => model.save_changes(), SAVE_PAUSE);
  const set = (part) => {
    setting = true; // what is set here is painted once, below
    for (const name in part) model.set(name, part[name]);
    setting = false;
    paint();
    saving.ask();
  };
  const controls = (figure.controls ?? []).map((given) => controlFor(given, say, set));
  shown.controls.append(...controls.map((control) => control.element));
  shown.reset.addEventListener("click", () => set(structuredClone(start)));

  // What an event has painted is shown first: a paint more in the same frame would delay it.
  function again() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(inFrame ? continued : () => { frame = requestAnimationFrame(continued); });
  }
  function continued() {
    inFrame = true;
    paint();
    inFrame = false;
  }
  function paint() {
    const state = read();
    const now = draw(figure, shown, { state, say, set, again, width });
    for (const control of controls) control.show(state);
    for (const name of figure.outputs ?? []) model.set(name, now.outputs[name]);
  }
  const follow = () => {
    if (setting) return;
    paint();
    saving.ask();
  };
  for (const name of figure.inputs) model.on(`change:${name}`, follow);
  const watch = new ResizeObserver(() => {
    width = roomIn(shown.root);
    paint();
  });
  watch.observe(shown.root);
  follow();
  return () => {
    watch.disconnect();
    cancelAnimationFrame(frame);
    saving.end();
    for (const name of figure.inputs) model.off(`change:${name}`, follow);
  };
}

/** An act that is done when asked for, and again only after a pause; what was asked last is done. */
function seldom(act, pause) {
  let [timer, asked] = [0, false];
  const run = () => {
    asked = false;
    timer = setTimeout(() => { timer = 0; if (asked) run(); }, pause);
    act();
  };
  return {
    ask() { asked = true; if (!timer) run(); },
    end() { clearTimeout(timer); if (asked) act(); },
  };
}

function draw(figure, { picture, pen, status, room }, { state, say, set, again, width }) {
  pen.begin();
  const now = figure.paint({ pen, state, say, set, again, width, narrow: width < NARROW_WIDTH });
  pen.end();
  picture.setAttribute("viewBox", `0 0 ${width} ${now.height}`);
  picture.setAttribute("height", now.height);
  if (status.textContent !== now.status) status.textContent = now.status;
  if (room.textContent.length < now.status.length) room.textContent = now.status;
  return now;
}
