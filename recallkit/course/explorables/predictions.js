// Predict, commit, reveal: forms under the questions of a page, answers folded until then, a score; and a quiz.
import { bookOf } from "./predict/book.js";
import { equip } from "./predict/equip.js";
import { keptIn } from "./predict/kept.js";
import { labOf } from "./predict/lab.js";
import { panelOf } from "./predict/panel.js";
import { dressPage } from "./predict/style.js";
import { dictionary } from "./words.js";

const WORDS = {
  predict: "Predict", // and the next two: as the texts of notebooks write them
  question: "Question {number}",
  range: "Near: {low} to {high}",
  title: "Your predictions",
  hint: "Predict before you see: each answer unfolds when you commit a prediction. They are kept in this browser only.",
  elsewhere: "Answer each question before you read on.",
  score: "Predictions made: {made} of {all}. Right or near: {right}; not: {wrong}.",
  open: "Not judged yet: {open}.",
  quiz: "Quiz: {made} of {all} answered. Right: {right}.",
  all: "Show all answers",
  fold: "Fold the answers again",
  again: "Start over",
  yours: "Your prediction",
  commit: "Commit and see",
  look: "See without a prediction",
  looked: "You looked without a prediction.",
  predicted: "You predicted:",
  quizYours: "Your answer",
  quizLook: "See without an answer",
  quizLooked: "You looked without an answer.",
  quizAnswered: "You answered:",
  chosen: "✓",
  near: "✓ Near.",
  far: "✗ Not near.",
  right: "✓ Right.",
  wrong: "✗ Not so.",
  others: "What the other choices say",
  each: "What the choices say",
  compare: "Compare it with the answer below. Were you right?",
  yes: "I was right",
  no: "I was not",
  folded: "The answer unfolds when you commit a prediction above.",
};

/** Begin when `ready` finds the root: at once, or when `el` comes into the page. Return what ends it. */
function onceThere(el, ready, start) {
  const begin = () => {
    const root = ready();
    if (root) watch.disconnect();
    return root ? start(root) : null;
  };
  let end = null;
  const watch = new ResizeObserver(() => { end ??= begin(); });
  end = begin(); // in the book before the page is laid out, and cut into the steps of a lecture
  if (!end) watch.observe(el);
  return () => {
    watch.disconnect();
    end?.();
  };
}

export default {
  render({ model, el }) {
    const say = dictionary({ ...WORDS, ...model.get("words") });
    const host = labOf(model, el) ?? bookOf();
    if (!host) return void el.append(say("elsewhere"));
    dressPage();
    const kept = keptIn(host.name);
    const head = panelOf(kept, say, true);
    el.append(head.element);
    return onceThere(el, host.ready, (root) => equip(host, root, { kept, say, head }));
  },
};
