// Lecture mode: the same page in steps, each as large as the screen. On while the URL's hash says so.
(() => {
  const WORDS = {
    bar: "Lecture", previous: "Previous step", next: "Next step", code: "Code", lines: "{n} lines",
    notes: "Notes", leave: "Leave", step: "{n} / {of}", noteless: "No notes for this step.",
    later: "Next:", end: "This is the last step.", live: "A live figure.", since: "{t} since the start",
    help: "← → steps · C code · S notes in a window · N notes here · F full screen · Esc page",
  };
  const ROOM = { wide: [1280, 720], tall: [480, 0] }; // the canvas, in pixels of its own; 0: as the screen
  const GAP = 12; // pixels between blocks, as in lecture.css
  const SLACK = 100; // by so many pixels a step may be too tall, and is scaled, to have folded code at its end
  const LINES = 30; // of code in a step, that it can be unfolded
  const LARGEST = 1.9; // a figure becomes so much larger, if there is room
  const SMALLEST = 0.3;
  const SWIPE = 50; // pixels on the screen
  const CONTROL = "input, select, textarea, button, summary, a[href], [role=slider], [contenteditable]";
  const OPENED = "button, summary, a[href]"; // controls that answer to these keys only
  const INTO = "section, div.cell, div.cell_output, ul, ol";
  const AWAY = "script, style, span, .lecture-link, .rk-cell";
  const SCORE = ".rk-predict[role=group]"; // of predictions: not for a lecture
  const FOLDED = "rk-folded"; // an answer to predict
  const FOLDED_HEIGHT = 60; // pixels of the line that stands for it

  const root = document.documentElement;
  const article = document.querySelector("article");
  const words = typeof lectureWords === "object" ? lectureWords : WORDS; // in the language of the book
  const say = (name, values = {}) => words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  let blocks = []; // {element, kind: heading, text, figure, code, note or left, cell}, in the order of the page
  let steps = []; // {blocks, notes, title}
  let now = 0;
  let scale = 1; // pixels on the screen for one of the canvas
  let room = { width: 0, height: 0 }; // for a step, in pixels of the canvas
  let start = 0;
  const shown = () => root.hasAttribute("data-lecture");

  // ---- blocks: what a step is made of, and what stays in one

  function kindOf(element) {
    if (/^H[1-6]$/.test(element.tagName)) return "heading";
    if (element.matches(SCORE) || element.closest("div.cell")?.querySelector(SCORE)) return "left";
    if (element.matches(".cell_input")) return "code";
    if (element.matches(".takeaway")) return "note";
    return element.matches("img, .rk-live") || element.querySelector("img, .rk-live") ? "figure" : "text";
  }

  function blocksIn(parent) {
    return [...parent.children].flatMap((element) => {
      if (element.matches(AWAY)) return [];
      if (element.matches(INTO)) return blocksIn(element);
      return [{ element, kind: kindOf(element), cell: element.closest("div.cell") }];
    });
  }

  /** A list that a note announces belongs to the note. */
  function joinNotes(found) {
    found.forEach((block, i) => {
      const before = found[i - 1];
      const announced = before?.kind === "note" && /:\s*$/.test(before.element.textContent);
      const goesOn = before?.kind === "note" && before.element.tagName === "LI";
      if (block.element.tagName === "LI" && (announced || goesOn)) block.kind = "note";
    });
    return found;
  }

  function numberLists() {
    for (const list of article.querySelectorAll("ol")) {
      [...list.children].forEach((item, i) => { item.value = list.start + i; }); // hidden ones count
    }
  }

  // ---- steps

  const isFolded = ({ kind, cell }) => kind === "code" && cell?.classList.contains(FOLDED);
  const height = (block) => block.element.getBoundingClientRect().height / scale + (isFolded(block) ? FOLDED_HEIGHT : 0);
  const isHead = (step) => step.every(({ kind }) => kind === "heading");

  /** The blocks that stay together with the one at i: a cell's code with the first output. */
  function joined(found, i) {
    const after = found[i + 1];
    return found[i].kind === "code" && after?.cell === found[i].cell ? [found[i], after] : [found[i]];
  }

  const linesOf = ({ element, kind }) => (kind === "code" ? element.querySelector("pre").textContent.trim().split("\n").length : 0);

  /** Pack blocks into steps: a heading or a figure begins one, and what has no room in the last. */
  function pack(found) {
    const packed = [];
    let used = 0;
    let lines = 0;
    for (let i = 0; i < found.length;) {
      const group = joined(found, i);
      const size = group.reduce((sum, block) => sum + (block.size ? block.size + GAP : 0), 0);
      const last = packed.at(-1);
      const isCode = group.every(({ kind, size: own }) => kind === "code" || own === 0);
      const full = used + size - GAP > room.height + (isCode ? SLACK : 0);
      const code = group.reduce((sum, block) => sum + linesOf(block), 0);
      const more = code > 0 && lines + code > LINES;
      const begins = size > 0 && (group[0].kind === "heading" || group.some(({ kind, size: own }) => kind === "figure" && own > 0) || full || more);
      if (!last || (begins && !isHead(last))) {
        packed.push([]);
        used = 0;
        lines = 0;
      }
      packed.at(-1).push(...group);
      used += size;
      lines += code;
      i += group.length;
    }
    return packed;
  }

  function plan() {
    show(null);
    const seen = blocks.filter(({ kind }) => kind !== "note" && kind !== "left");
    for (const block of seen) block.size = height(block);
    steps = pack(seen).map((part) => ({ blocks: part, notes: [] }));
    const place = new Map(steps.flatMap((step, i) => step.blocks.map((block) => [block, i])));
    let at = 0;
    let title = document.title;
    for (const block of blocks) {
      at = place.get(block) ?? at;
      if (block.kind === "note") steps[at].notes.push(block.element);
      if (block.kind === "heading") title = textOf(block.element);
      steps[at].title ??= title;
      if (block.kind === "heading") steps[at].title = title;
    }
  }

  function textOf(element) {
    const copy = element.cloneNode(true);
    for (const link of copy.querySelectorAll(".headerlink, script, style")) link.remove();
    return copy.textContent.trim();
  }

  // ---- one step on the canvas

  /** Show the blocks of a step; null: all, to measure them. */
  function show(step) {
    article.style.setProperty("--lecture-step", 1);
    for (const { element, kind } of blocks) {
      element.style.removeProperty("--lecture-block");
      const stays = step ? step.blocks.some((block) => block.element === element) : kind !== "note" && kind !== "left";
      element.dataset.lectureBlock = stays ? "now" : "away";
    }
  }

  /** The height of what is shown of a step, with the lines that stand for folded answers. */
  function bounds({ blocks: shown }) {
    const elements = shown.flatMap((block) => [block.element, ...(isFolded(block) ? [block.cell] : [])]);
    const boxes = elements.map((element) => element.getBoundingClientRect()).filter((box) => box.height);
    if (!boxes.length) return 0;
    return (Math.max(...boxes.map((box) => box.bottom)) - Math.min(...boxes.map((box) => box.top))) / scale;
  }

  const zoom = (element, factor) => element.style.setProperty("--lecture-block", factor);

  /** Make wide formulas, tables and lines of code as small as the canvas is wide. */
  function narrow(element) {
    const parts = [element, ...element.querySelectorAll("pre, div, table")].filter((part) => !part.closest(".rk"));
    const share = Math.min(1, ...parts.map((part) => part.clientWidth / (part.scrollWidth || 1) || 1));
    if (share < 1) zoom(element, Math.floor(share * 98) / 100);
  }

  /** Make the figures of a step as large as it has room for. */
  function enlarge(step) {
    const figures = step.blocks.filter(({ kind, element }) => kind === "figure" && element.clientHeight + element.offsetHeight);
    const sizes = figures.map(({ element }) => pictureOf(element).getBoundingClientRect());
    const own = sizes.reduce((sum, box) => sum + box.height / scale, 0);
    if (!own) return;
    const left = room.height - (bounds(step) - own);
    const wide = Math.max(...sizes.map((box) => box.width / scale));
    const factor = Math.min(LARGEST, left / own, room.width / wide);
    for (const { element } of figures) zoom(element, Math.max(0.6, Math.floor(factor * 100) / 100));
  }

  const pictureOf = (element) => (element.matches("img, .rk") ? element : element.querySelector("img, .rk") ?? element);

  function fit() {
    const step = steps[now];
    const elements = step.blocks.map(({ element }) => element);
    article.style.setProperty("--lecture-step", 1);
    for (const element of elements) element.style.removeProperty("--lecture-block");
    elements.forEach(narrow);
    enlarge(step);
    let factor = 1;
    while (bounds(step) > room.height && factor > SMALLEST) {
      factor -= 0.04;
      article.style.setProperty("--lecture-step", factor.toFixed(2));
    }
  }

  function canvas() {
    const tall = innerWidth < innerHeight;
    const [width, given] = tall ? ROOM.tall : ROOM.wide;
    const high = given || (width * innerHeight) / innerWidth;
    scale = Math.min(innerWidth / width, innerHeight / high);
    for (const [name, value] of Object.entries({ width, height: high })) root.style.setProperty(`--lecture-${name}`, `${value}px`);
    root.style.setProperty("--lecture-scale", scale);
    const space = getComputedStyle(article);
    const inner = (...sides) => sides.reduce((sum, side) => sum + parseFloat(space[`padding${side}`]), 0);
    room = { width: width - inner("Left", "Right"), height: high - inner("Top", "Bottom") };
  }

  // ---- moving

  function go(to) {
    now = Math.max(0, Math.min(steps.length - 1, to));
    root.removeAttribute("data-lecture-code");
    show(steps[now]);
    fit();
    scrollTo({ top: 0, behavior: "instant" });
    history.replaceState(null, "", `#lecture-${now + 1}`);
    tell();
  }

  const stepOf = (block) => Math.max(0, steps.findIndex((step) => step.blocks.includes(block)));

  /** Plan again, after the window or the page has changed, and stay at the same place. */
  function again() {
    if (!shown()) return;
    const block = steps[now].blocks[0];
    collect();
    canvas();
    plan();
    go(stepOf(block));
  }

  function toggleCode() {
    root.toggleAttribute("data-lecture-code");
    fit();
    tell();
  }

  // ---- the bar below, and the notes

  function tag(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    made.append(...children);
    return made;
  }

  function button(text, action, label = text) {
    const made = tag("button", { type: "button", "aria-label": label, title: label }, text);
    made.addEventListener("click", () => { action(); made.blur(); });
    return made;
  }

  const place = tag("span", { class: "lecture-title" });
  const count = tag("span", { class: "lecture-count", role: "status" });
  const codeButton = button(say("code"), toggleCode);
  const panel = tag("aside", { class: "lecture-notes", "aria-label": say("notes"), hidden: "" });
  const bar = tag("nav", { class: "lecture-bar", "aria-label": say("bar"), title: say("help") },
    place, codeButton, button(say("notes"), () => togglePanel()),
    button("←", () => go(now - 1), say("previous")), count, button("→", () => go(now + 1), say("next")),
    button(say("leave"), () => leave()));
  let speaker = null; // the window of the notes

  function tell() {
    place.textContent = steps[now].title;
    count.textContent = say("step", { n: now + 1, of: steps.length });
    const open = root.hasAttribute("data-lecture-code");
    const codes = steps[now].blocks.filter(({ kind }) => kind === "code");
    codeButton.hidden = !codes.length;
    for (const one of [codeButton, ...article.querySelectorAll(".lecture-code")]) one.setAttribute("aria-expanded", open);
    writeNotes();
  }

  /** A copy for the speaker: without scripts and names, and whole. */
  function copied(element) {
    const copy = element.cloneNode(true);
    for (const part of [copy, ...copy.querySelectorAll("*")]) {
      for (const name of ["id", "hidden", "style", "data-lecture-block"]) part.removeAttribute(name);
      part.classList.remove(FOLDED);
    }
    for (const part of copy.querySelectorAll("script, style, .headerlink, button, form")) part.remove();
    const live = copy.matches(".rk-live") ? copy : copy.querySelector(".rk-live");
    live?.replaceChildren(say("live"));
    return copy.tagName === "LI" ? tag("div", {}, "– ", ...copy.childNodes) : copy;
  }

  function notesOf() {
    const { notes } = steps[now];
    const after = steps[now + 1];
    const own = notes.length ? notes.map(copied) : [tag("p", {}, say("noteless"))];
    const later = after ? after.blocks.filter(({ kind }) => kind !== "code").map(({ element }) => copied(element)) : [];
    const head = after ? `${say("later")} ${after.title}` : say("end");
    return [tag("div", { class: "lecture-now" }, ...own), tag("h2", {}, head), tag("div", { class: "lecture-later" }, ...later)];
  }

  const written = () => [...(panel.hidden ? [] : [panel]), ...(speaker && !speaker.closed ? [speaker.document.body] : [])];

  function writeNotes() {
    for (const place of written()) {
      place.replaceChildren(tag("p", { class: "lecture-clock" }), tag("h2", {}, `${count.textContent} · ${steps[now].title}`), ...notesOf());
    }
    tick();
  }

  function tick() {
    const seconds = Math.floor((Date.now() - start) / 1000);
    const since = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const text = `${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })} · ${say("since", { t: since })}`;
    for (const place of written()) place.querySelector(".lecture-clock").textContent = text;
  }

  function togglePanel() {
    panel.hidden = !panel.hidden;
    writeNotes();
  }

  /** The notes in a window of their own; where the browser forbids it, in the page. */
  function openSpeaker() {
    if (!speaker || speaker.closed) speaker = open("", "", "width=900,height=700");
    if (!speaker) return togglePanel();
    const page = speaker.document;
    page.title = `${say("notes")}: ${document.title}`;
    const style = document.querySelector('link[href*="lecture.css"]').href;
    page.head.replaceChildren(tag("base", { href: location.href }), tag("link", { rel: "stylesheet", href: style }));
    page.documentElement.lang = root.lang;
    page.body.className = "lecture-notes";
    page.onkeydown = press;
    writeNotes();
    speaker.focus();
  }

  // ---- keys and fingers

  const ACTIONS = {
    ArrowRight: () => go(now + 1), ArrowDown: () => go(now + 1), PageDown: () => go(now + 1),
    ArrowLeft: () => go(now - 1), ArrowUp: () => go(now - 1), PageUp: () => go(now - 1),
    " ": (event) => go(now + (event.shiftKey ? -1 : 1)),
    Home: () => go(0), End: () => go(steps.length - 1),
    c: toggleCode, s: openSpeaker, n: togglePanel, f: fullScreen, Escape: leave,
  };

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else root.requestFullscreen?.();
  }

  /** Whether a key belongs to the control that has the focus. Escape gives the keys back. */
  function belongsToControl(event) {
    const control = event.target.closest?.(CONTROL);
    if (!control || event.defaultPrevented) return event.defaultPrevented;
    if (event.key === "Escape") {
      event.target.blur();
      return true;
    }
    return control.matches(OPENED) ? event.key === " " : true;
  }

  function press(event) {
    const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!shown() || !action || event.ctrlKey || event.altKey || event.metaKey || belongsToControl(event)) return;
    event.preventDefault();
    action(event);
  }

  let finger = null;
  function touchStart(event) {
    const own = event.touches.length > 1 || event.target.closest(`${CONTROL}, .rk`);
    finger = own || !shown() ? null : [event.touches[0].clientX, event.touches[0].clientY];
  }
  function touchEnd(event) {
    if (!finger) return;
    const [x, y] = [event.changedTouches[0].clientX - finger[0], event.changedTouches[0].clientY - finger[1]];
    finger = null;
    if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) go(now + (x < 0 ? 1 : -1));
  }

  // ---- entering and leaving

  function codeBars() {
    for (const { element, kind } of blocks) {
      if (kind !== "code" || element.querySelector(".lecture-code")) continue;
      const bar = button(`${say("code")} · ${say("lines", { n: linesOf({ element, kind }) })}`, toggleCode);
      bar.className = "lecture-code";
      element.prepend(bar);
    }
  }

  // What others add, show or hide, as an answer that is revealed, changes the steps.
  const others = new MutationObserver((changes) => {
    const inside = ({ target, type }) =>
      blocks.some(({ element }) => element.contains(target) && (type === "childList" || element !== target));
    if (shown() && !changes.every(inside)) again();
  });
  const sizes = new ResizeObserver(() => {
    if (shown() && bounds(steps[now]) > room.height + 1) fit();
  });

  /** Find the blocks; those that are known stay the same. */
  function collect() {
    const known = new Map(blocks.map((block) => [block.element, block]));
    blocks = joinNotes(blocksIn(article)).map((block) => Object.assign(known.get(block.element) ?? {}, block));
    numberLists();
    codeBars();
  }

  function enter(to) {
    collect();
    root.toggleAttribute("data-lecture", true);
    if (!bar.isConnected) document.body.append(bar, panel);
    start ||= Date.now();
    canvas();
    plan();
    go(to);
    others.observe(article, { childList: true, attributes: true, attributeFilter: ["hidden", "class"], subtree: true });
    for (const child of article.children) sizes.observe(child);
  }

  /** The page again, at the place where the lecture was. */
  function leave() {
    const { element } = steps[now].blocks[0];
    others.disconnect();
    sizes.disconnect();
    for (const name of ["data-lecture", "data-lecture-code"]) root.removeAttribute(name);
    for (const block of blocks) {
      delete block.element.dataset.lectureBlock;
      block.element.style.removeProperty("--lecture-block");
    }
    panel.hidden = true;
    speaker?.close();
    const section = element.closest("section[id]");
    history.replaceState(null, "", now ? `#${section.id}` : location.pathname);
    element.scrollIntoView({ behavior: "instant" });
  }

  /** Be in the lecture, or not, as the hash says. */
  function follow() {
    const [match, step] = location.hash.match(/^#lecture(?:-(\d+))?$/) ?? [];
    if (match === undefined) return shown() ? leave() : undefined;
    if (shown()) go((step ?? 1) - 1);
    else enter((step ?? 1) - 1);
  }

  addEventListener("hashchange", follow);
  addEventListener("resize", again);
  addEventListener("pagehide", () => speaker?.close());
  document.addEventListener("keydown", press);
  document.addEventListener("touchstart", touchStart, { passive: true });
  document.addEventListener("touchend", touchEnd);
  document.addEventListener("toggle", () => shown() && fit(), true);
  setInterval(tick, 1000);
  if (document.readyState === "complete") follow();
  else addEventListener("load", follow); // figures have their sizes then
})();
