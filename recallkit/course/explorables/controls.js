// Knobs and choices under a picture, and the legend above them.
import { clamp, short } from "./scales.js";
import { node } from "./pen.js";
import { tag } from "./tag.js";

const value = (given, state) => (typeof given === "function" ? given(state) : given);

/**
 * A labelled range. `base` makes it logarithmic: min, max and step are then powers of it.
 *
 * {name, min, max, step, base, text}: the bounds may be functions of the state; text(value) is what
 * is shown and read out; it is given say and the state as well.
 */
function knob({ name, min, max, step, base, text = short }, say, set) {
  const shown = tag("output");
  const kind = { type: "range", step: base ? "any" : step };
  const input = tag("input", { ...kind, "aria-label": say(name) }); // the label's own is the output
  const read = (at) => (base ? Number((base ** at).toPrecision(12)) : at);
  const place = (number) => (base ? Math.log(number) / Math.log(base) : number);
  const snap = (at) => Number((Math.round(at / step) * step).toFixed(9));
  input.addEventListener("input", () => set({ [name]: read(snap(Number(input.value))) }));
  input.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!base || !way) return; // a range with any step moves by a hundredth of its own
    event.preventDefault();
    const to = snap(Number(input.value) + way * step);
    set({ [name]: read(clamp(to, Number(input.min), Number(input.max))) });
  });
  return {
    element: tag("label", { class: "rk-knob" }, tag("span", {}, say(name)), shown, input),
    show(state) {
      input.min = value(min, state);
      input.max = value(max, state);
      input.value = place(state[name]);
      shown.textContent = text(state[name], say, state);
      input.setAttribute("aria-valuetext", shown.textContent);
      const share = (Number(input.value) - input.min) / (input.max - input.min);
      input.style.setProperty("--rk-share", `${100 * share}%`);
    },
  };
}

/** One of a few values, as buttons. {name, options, wide}: pairs of a value and its text; a row alone? */
function choice({ name, options, wide }, say, set) {
  const group = `rk-${Math.random().toString(36).slice(2)}`; // other figures of the page have theirs
  const inputs = options.map(([chosen]) => {
    const input = tag("input", { type: "radio", name: group });
    input.addEventListener("change", () => set({ [name]: chosen }));
    return input;
  });
  const labels = options.map(([, text], i) => tag("label", {}, inputs[i], tag("span", {}, text(say))));
  const buttons = tag("div", { class: "rk-buttons" }, ...labels);
  return {
    element: tag("fieldset", { class: wide ? "rk-choice rk-row" : "rk-choice" }, tag("legend", {}, say(name)), buttons),
    show(state) {
      const now = JSON.stringify(state[name]);
      options.forEach(([chosen], i) => { inputs[i].checked = JSON.stringify(chosen) === now; });
    },
  };
}

/** A button. {name, act}: act(state) returns the values to set. */
function action({ name, act }, say, set) {
  let now;
  const element = tag("button", { type: "button", class: "rk-button" }, say(name));
  element.addEventListener("click", () => set(act(now)));
  return { element, show(state) { now = state; } };
}

/**
 * A button that moves a value on, a step with each image on the screen.
 *
 * {name, play, pace}: the last value; milliseconds of a step, where it shall be slower.
 */
function player({ name, play, pace }, say, set) {
  const later = pace ? (act) => setTimeout(act, pace) : (act) => requestAnimationFrame(act);
  const drop = pace ? (one) => clearTimeout(one) : (one) => cancelAnimationFrame(one);
  const element = tag("button", { type: "button", class: "rk-button" }, say("play"));
  let [now, frame] = [{}, 0];
  const stop = () => {
    drop(frame);
    frame = 0;
    element.textContent = say("play");
  };
  const advance = () => {
    if (now[name] >= value(play, now) || !element.isConnected) return stop();
    frame = later(advance);
    return set({ [name]: now[name] + 1 });
  };
  element.addEventListener("click", () => {
    if (frame) return stop();
    element.textContent = say("pause");
    if (now[name] < value(play, now)) return advance();
    frame = later(advance); // the first value is seen as long as the others
    return set({ [name]: 0 });
  });
  return { element, show(state) { now = state; } };
}

/** A control that is there only while when(state) holds. */
function sometimes(control, when) {
  return {
    element: control.element,
    show(state) {
      control.element.hidden = !when(state);
      control.show(state);
    },
  };
}

export function controlFor(given, say, set) {
  const kind = given.act ? action : given.play ? player : given.options ? choice : knob;
  const control = kind(given, say, set);
  return given.when ? sometimes(control, given.when) : control;
}

const SHAPES = {
  circle: ["circle", { cx: 9, cy: 8, r: 6 }],
  square: ["rect", { x: 3, y: 2, width: 12, height: 12 }],
  diamond: ["path", { d: "M9 1 16 8 9 15 2 8Z" }],
  line: ["path", { d: "M0 8H26" }],
  bar: ["path", { d: "M9 1V15" }],
  arrow: ["path", { d: "M0 7H16V3L26 8 16 13V9H0Z" }],
};

/** Signs and what they mean: [shape, class, word] each. */
export function legend(signs, say) {
  const items = signs.map(([shape, kind, word]) => {
    const [name, attributes] = SHAPES[shape];
    const width = shape === "line" || shape === "arrow" ? 26 : 18;
    const picture = node("svg", { width, height: 16, "aria-hidden": "true" });
    picture.append(node(name, { ...attributes, class: kind }));
    return tag("li", {}, picture, tag("span", {}, say(word)));
  });
  return tag("ul", { class: "rk-legend" }, ...items);
}
