// The form under a question: a choice, a number or a line of text; then what came of it.
import { tag } from "../tag.js";
import { keepKeys } from "./keys.js";
import { contents, numberIn } from "./parts.js";

const QUIZ = { yours: "quizYours", look: "quizLook", looked: "quizLooked", predicted: "quizAnswered" };
let forms = 0;

function radios({ choices }) {
  forms += 1;
  const inputs = choices.map((_, i) => tag("input", { type: "radio", name: `rk-predict-${forms}`, value: i }));
  const labels = choices.map(({ text }, i) => tag("label", {}, inputs[i], tag("span", {}, ...contents(text))));
  return { elements: labels, read: () => inputs.find((input) => input.checked)?.value ?? "" };
}

function line({ near }, say) {
  const kind = near ? { inputmode: "decimal", size: 10 } : { maxlength: 300 };
  const input = tag("input", { type: "text", autocomplete: "off", "aria-label": say("yours"), ...kind });
  return {
    elements: [tag("label", { class: near ? "rk-number" : "rk-text" }, input, near?.unit ?? "")],
    read: () => (near && Number.isNaN(numberIn(input.value)) ? "" : input.value.trim()),
  };
}

/** Whether a guess is right; null where only the reader can say. */
function verdictOn({ choices, near }, guess) {
  if (choices.length) return choices[guess].right;
  return near ? near.low <= numberIn(guess) && numberIn(guess) <= near.high : null;
}

/** The form of a question. answer({guess, verdict}) keeps what the reader commits; show(given) draws. */
export function formOf(question, words, answer) {
  const say = (name, values) => words((question.quiz && QUIZ[name]) || name, values);
  const entry = (question.choices.length ? radios : line)(question, say);
  const commit = tag("button", { class: "rk-button rk-commit", disabled: "" }, say("commit"));
  const look = tag("button", { type: "button", class: "rk-reset" }, say("look"));
  const group = tag("fieldset", {}, tag("legend", {}, say("yours")), ...entry.elements);
  const asked = tag("form", {}, group, tag("div", { class: "rk-foot" }, commit, look));
  const result = tag("div", { role: "status", tabindex: -1 });
  const element = keepKeys(tag("div", { class: "rk rk-predict" }, asked, result));
  const done = (given) => {
    answer(given);
    result.focus();
  };
  asked.addEventListener("input", () => { commit.disabled = !entry.read(); });
  asked.addEventListener("submit", (event) => {
    event.preventDefault();
    const guess = entry.read();
    if (guess) done({ guess, verdict: verdictOn(question, guess) });
  });
  asked.addEventListener("keydown", (event) => { // JupyterLab keeps Enter from sending a form
    if (event.key !== "Enter" || event.target.type !== "text") return;
    event.preventDefault();
    asked.requestSubmit();
  });
  look.addEventListener("click", () => done({ guess: null, verdict: null }));
  let shown;
  const show = (given) => {
    if (given === shown && result.isConnected) return; // a second drawing would fold what the reader opened
    shown = given;
    asked.hidden = Boolean(given);
    asked.reset();
    commit.disabled = true;
    result.replaceChildren(...(given ? outcome(question, given, say, answer) : []));
  };
  return { element, show };
}

function outcome(question, given, say, answer) {
  const { guess, verdict } = given;
  const choice = question.choices[guess ?? -1];
  const parts = [sentence(question, given, say)];
  if (choice) parts.push(tag("div", { class: "rk-note" }, ...contents(choice.note)));
  if (question.note) parts.push(tag("div", { class: "rk-note" }, ...contents(question.note)));
  if (question.choices.length) parts.push(others(question.choices, choice, say));
  if (guess !== null && verdict === null) parts.push(judge(given, say, answer));
  return parts;
}

function sentence({ choices, near }, { guess, verdict }, say) {
  if (guess === null) return tag("p", {}, say("looked"));
  const predicted = tag("span", { class: "rk-guess" }, ...(choices.length ? contents(choices[guess].text) : [guess]));
  const words = near ? ["near", "far"] : [choices.length ? "chosen" : "right", "wrong"]; // a note says "Right" itself
  const judged = verdict === null ? [] : [tag("strong", {}, say(words[verdict ? 0 : 1]))];
  return tag("p", { class: "rk-outcome" }, say("predicted"), " ", predicted, " ", ...judged);
}

function others(choices, chosen, say) {
  const rest = choices.filter((choice) => choice !== chosen);
  const items = rest.map(({ text, note }) => tag("li", {}, tag("em", {}, ...contents(text)), tag("div", {}, ...contents(note))));
  return tag("details", {}, tag("summary", {}, say(chosen ? "others" : "each")), tag("ul", {}, ...items));
}

/** Where the answer is a text, the reader says himself whether he was right. */
function judge(given, say, answer) {
  const button = (word, verdict) => {
    const made = tag("button", { type: "button", class: "rk-button" }, say(word));
    made.addEventListener("click", () => answer({ ...given, verdict }));
    return made;
  };
  return tag("div", { class: "rk-judge" }, tag("span", {}, say("compare")), button("yes", true), button("no", false));
}
