// Marks in an SVG. A figure draws everything each time; what stands already is kept and moved.
import { clamp, onGrid } from "./scales.js";

const SVG = "http://www.w3.org/2000/svg";
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
const PAGES = { PageUp: 1, PageDown: -1 };
const FINGER = 16; // radius of what a handle answers to: 32 pixels across

export function node(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  renew(made, {}, attributes);
  return made;
}

function renew(element, before, after) {
  for (const key in before) if (!(key in after)) element.removeAttribute(key);
  for (const key in after) if (before[key] !== after[key]) element.setAttribute(key, after[key]);
}

/** A group whose children are drawn in order; the same place gives the same element. */
function layer(svg, attributes) {
  const group = node("g", attributes);
  svg.append(group);
  const known = [];
  let next = 0;
  return {
    begin() { next = 0; },
    mark(name, attributes, text = "") {
      const old = known[next];
      const kept = old?.name === name ? old : { name, element: node(name), attributes: {}, text: "" };
      if (old && kept !== old) old.element.replaceWith(kept.element);
      if (!old) group.append(kept.element);
      renew(kept.element, kept.attributes, attributes);
      if (kept.text !== text) kept.element.textContent = text;
      known[next] = Object.assign(kept, { attributes, text });
      next += 1;
      return kept;
    },
    end() { for (const { element } of known.splice(next)) element.remove(); },
  };
}

export const px = (value) => Math.round(value * 100) / 100;
const joined = (points) => "M" + points.map(([x, y]) => `${px(x)} ${px(y)}`).join("L");

/** A pen for one SVG: marks that are only seen, and above them handles that are dragged. */
export function penFor(svg) {
  const marks = layer(svg, { "aria-hidden": "true" });
  const handles = layer(svg, {});
  const { mark } = marks;
  const sheet = sheetIn(svg);
  const pen = {
    begin() { marks.begin(); handles.begin(); },
    end() { marks.end(); handles.end(); },
    path: (d, kind) => mark("path", { d, class: kind }),
    line: (x1, y1, x2, y2, kind) => mark("path", { d: joined([[x1, y1], [x2, y2]]), class: kind }),
    curve: (points, kind) => mark("path", { d: joined(points), class: kind }),
    area: (points, kind) => mark("path", { d: `${joined(points)}Z`, class: kind }),
    block: (x, y, width, height, kind) => mark("rect", { x: px(x), y: px(y), width: px(width), height: px(height), class: kind }),
    circle: (x, y, r, kind) => mark("circle", { cx: px(x), cy: px(y), r, class: kind }),
    square: (x, y, half, kind) => pen.block(x - half, y - half, 2 * half, 2 * half, kind),
    diamond: (x, y, r, kind) => pen.area([[x, y - r], [x + r, y], [x, y + r], [x - r, y]], kind),
    image: (x, y, width, height, href, kind) => mark("image", { x, y, width, height, href, preserveAspectRatio: "none", class: kind }),
    text: (x, y, text, kind = "") => mark("text", { x: px(x), y: px(y), class: kind }, text),
    arrow: (from, to, kind) => drawArrow(pen, from, to, kind),
    tile: (place, part, kind) => drawTile(mark, sheet.id, place, part, kind),
    sheet: sheet.show,
    handle: (given) => drawHandle(svg, handles, given),
    button: (given) => drawButton(handles, given),
    pad: (given) => drawPad(svg, handles, given),
  };
  return pen;
}

function drawArrow(pen, [x1, y1], [x2, y2], kind) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const head = Math.min(9, length);
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [bx, by] = [x2 - head * ux, y2 - head * uy];
  pen.line(x1, y1, bx, by, `${kind} rk-shaft`);
  const side = head * 0.55;
  pen.area([[x2, y2], [bx - side * uy, by + side * ux], [bx + side * uy, by - side * ux]], `${kind} rk-fill`);
}

let sheets = 0;

/** An image that is kept out of sight, and of which tiles show parts. show(href, width, height). */
function sheetIn(svg) {
  sheets += 1;
  const id = `rk-sheet-${sheets}`;
  let [image, shown] = [undefined, {}];
  return {
    id,
    show(href, width, height) {
      if (!image) {
        image = node("image", { id });
        const hidden = node("defs");
        hidden.append(image);
        svg.prepend(hidden);
      }
      const now = { id, href, width, height };
      renew(image, shown, now);
      shown = now;
    },
  };
}

/** The part [x, y, width, height] of the sheet at a place [x, y, width, height] of the picture. */
function drawTile(mark, id, [x, y, width, height], part, kind) {
  const kept = mark("svg", { x: px(x), y: px(y), width: px(width), height: px(height), viewBox: part.join(" "), class: kind });
  if (!kept.element.firstChild) kept.element.append(node("use", { href: `#${id}` }));
}

/** Something to press: {x, y, width, height, label, press}; by mouse, finger, Enter and space. */
function drawButton(handles, given) {
  const { x, y, width, height, label } = given;
  const place = { x: px(x), y: px(y), width: px(width), height: px(height), rx: 4 };
  const kept = handles.mark("rect", { ...place, class: "rk-press", role: "button", tabindex: 0, "aria-label": label });
  if (!kept.given) {
    kept.element.addEventListener("click", () => kept.given.press());
    kept.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      kept.given.press();
    });
  }
  kept.given = given;
}

/** A place to press anywhere in: {x, y, width, height, pick}; keys need a handle beside it. */
function drawPad(svg, handles, given) {
  const { x, y, width, height } = given;
  const d = `M${px(x)} ${px(y)}h${px(width)}v${px(height)}h${px(-width)}Z`; // a path: never a button's rect
  const kept = handles.mark("path", { d, class: "rk-pad", "aria-hidden": "true" });
  if (!kept.given) {
    kept.element.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      kept.given.pick(event.clientX - box.left, event.clientY - box.top);
    });
  }
  kept.given = given;
}

/**
 * Something to drag: by mouse, finger and keyboard.
 *
 * x, y: its place; label, text: its name and value in words; value, min, max, step, page: numbers;
 * at(x, y): the value at a place of the picture; change(value): called with the new one.
 * rise: {value, min, max, step, at} of a second number, for ↑ ↓ and dragging; change(value, second).
 */
function drawHandle(svg, handles, given) {
  const kept = handles.mark("circle", {
    cx: px(given.x), cy: px(given.y), r: FINGER, class: "rk-handle", role: "slider", tabindex: 0,
    "aria-label": given.label, "aria-valuetext": given.text,
    "aria-valuemin": given.min, "aria-valuemax": given.max, "aria-valuenow": given.value,
  });
  if (!kept.given) listen(svg, kept);
  kept.given = given;
}

function listen(svg, kept) {
  const { element } = kept;
  let off = [0, 0]; // from the finger to the middle of the handle
  const within = (value, { step, min, max }) => clamp(onGrid(value, step), min, max);
  const move = (value, second) => {
    const { rise, change } = kept.given;
    const now = within(value, kept.given);
    const high = rise && within(second, rise);
    if (now !== kept.given.value || high !== rise?.value) change(now, high);
  };
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width; // not 1 where the page is enlarged
    return [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale];
  };
  element.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    off = [kept.given.x - x, kept.given.y - y];
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => {
    if (!element.hasPointerCapture(event.pointerId)) return;
    const [x, y] = place(event);
    const { at, rise } = kept.given;
    move(at(x + off[0], y + off[1]), rise?.at(x + off[0], y + off[1]));
  });
  element.addEventListener("keydown", (event) => {
    const { rise, value } = kept.given;
    const upward = rise && { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const to = upward ? value : target(event.key, kept.given);
    if (to === undefined) return;
    event.preventDefault();
    move(to, rise && rise.value + (upward ?? 0) * rise.step);
  });
}

function target(key, { value, min, max, step, page = 10 * step }) {
  if (key in KEYS) return value + KEYS[key] * step;
  if (key in PAGES) return value + PAGES[key] * page;
  return { Home: min, End: max }[key];
}

/**
 * Axes in a frame {left, top, right, bottom}: lines at the ticks, numbers, and the names.
 *
 * Ticks are numbers, or pairs of a number and its text.
 */
export function drawAxes(pen, frame, x, y, { xTicks = [], yTicks = [], xName = "", yName = "" }) {
  for (const [value, text] of xTicks.map(pair)) {
    pen.line(x(value), frame.top, x(value), frame.bottom + 4, "rk-grid");
    pen.text(x(value), frame.bottom + 18, text, "rk-tick rk-middle");
  }
  for (const [value, text] of yTicks.map(pair)) {
    pen.line(frame.left - 4, y(value), frame.right, y(value), "rk-grid");
    pen.text(frame.left - 8, y(value) + 4, text, "rk-tick rk-end");
  }
  pen.line(frame.left, frame.bottom, frame.right, frame.bottom, "rk-axis");
  pen.text((frame.left + frame.right) / 2, frame.bottom + 36, xName, "rk-name rk-middle");
  pen.text(frame.left, frame.top - 12, yName, "rk-name");
}

const pair = (tick) => (Array.isArray(tick) ? tick : [tick, String(tick).replace("-", "−")]);
