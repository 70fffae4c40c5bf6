// What a cell says: the answer to the question before it, then a question with its choices and notes.

const NUMBER = "([−-]?[\\d.,]*\\d)";
const TIED = "ul, ol, details"; // what belongs to a question when it stands right under it

const isHeading = (block) => /^H[1-6]$/.test(block.tagName);
const asks = (block, { prompt }) => [...block.querySelectorAll("strong")].some((strong) => new RegExp(prompt).test(strong.textContent));
const literal = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");

/** The marks of questions and of near numbers, by how a language writes them: texts with # for a number. */
export function marksOf({ predict, question, range }) {
  const prompts = [predict, question].map((text) => literal(text).replace("#", "\\d+"));
  return {
    prompt: `^(${prompts.join("|")})$`, // of a prediction, of a question of the quiz
    near: `${literal(range).replaceAll("#", NUMBER)}(?: ([^.;]+?))?\\.(?:\\s|$)`,
  };
}

/** A number as readers write it: 1,460 and −0.3 and 34 %; NaN if there is none. */
export function numberIn(text) {
  const plain = text.replace("−", "-").replace(/(\d),(?=\d{3}(?!\d))/g, "$1").replace(",", ".");
  return parseFloat(/-?(?:\d+\.?\d*|\.\d+)/.exec(plain)?.[0]);
}

/** The numbers that count as near, by a note: {low, high, unit}; null if it names none. */
export function nearIn(note, { near }) {
  const found = new RegExp(near).exec(note);
  return found && { low: numberIn(found[1]), high: numberIn(found[2]), unit: found[3] ?? "" };
}

/**
 * The blocks of a cell, and the marks of its language → {answer: [block], question}.
 *
 * The answer is what stands before a heading or a question. question: {blocks, choices, note, near},
 * or null. A choice is {text, note, right}; its note is right if it begins with bold words.
 */
export function partsOf(blocks, marks) {
  const end = blocks.findIndex((block) => isHeading(block) || asks(block, marks));
  const answer = end < 0 ? blocks : blocks.slice(0, end);
  const start = blocks.findIndex((block) => asks(block, marks));
  return { answer, question: start < 0 ? null : questionOf(blocks.slice(start), marks) };
}

/** Note the question of a cell, if its tags say that it has one; `question` is null where it is not in the page. */
export function noteQuestion(found, id, tags, question) {
  const quiz = tags.includes("quiz");
  if (!quiz && !tags.includes("predict")) return;
  found[quiz ? "quizIds" : "ids"].push(id);
  if (question) found.questions.push({ id, quiz, ...question });
}

function questionOf([first, ...rest], marks) {
  const other = rest.findIndex((block) => !block.matches(TIED));
  const under = other < 0 ? rest : rest.slice(0, other);
  const note = under.find((block) => block.matches("details"));
  const lists = [under.findLast((block) => block.matches("ol")), note?.querySelector("ol")];
  const [choices, notes] = lists.map((list) => [...(list?.children ?? [])]);
  const paired = notes.length > 0 && notes.length === choices.length;
  return {
    blocks: [first, ...under],
    folded: [note, paired && lists[0]].filter(Boolean), // the form shows them in its own way
    choices: paired ? choices.map((choice, i) => ({ text: choice, note: notes[i], right: isRight(notes[i]) })) : [],
    note: paired ? null : note,
    near: nearIn(note?.textContent ?? "", marks),
  };
}

function isRight(note) {
  const strong = note.querySelector("strong");
  return Boolean(strong) && note.textContent.trim().startsWith(strong.textContent);
}

/** Copies of what an element holds, without the line that folds it. */
export const contents = (element) =>
  [...element.cloneNode(true).childNodes].filter((child) => child.nodeName !== "SUMMARY");
