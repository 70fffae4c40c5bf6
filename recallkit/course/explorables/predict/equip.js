// A page with its forms: they are put under questions, and answers are folded, as cells come and go.
import { formOf } from "./form.js";
import { panelOf } from "./panel.js";
import { marksOf } from "./parts.js";

/**
 * Equip a page, now and whenever it changes; return the function that undoes it.
 *
 * host: {survey, watch} of lab.js or book.js. survey(root, marks) returns {ids, quizIds, questions, answers, foot}:
 * the ids of all predictions and of all questions of the quiz, the questions in the page, the elements to
 * fold with the id of their question, and the block above the score.
 */
export function equip(host, root, { kept, say, head }) {
  const forms = new Map();
  const foot = panelOf(kept, say, false);
  const written = { question: say("question", { number: "#" }), range: say("range", { low: "#", high: "#" }) };
  const marks = marksOf({ predict: say("predict"), ...written });
  const draw = () => {
    const found = host.survey(root, marks);
    const { all, answers } = kept.get();
    for (const question of found.questions) formUnder(question, forms, { kept, say }).show(answers[question.id]);
    for (const { element, owner } of found.answers) fold(element, !all && !answers[owner], say);
    if (found.foot && foot.element.previousElementSibling !== found.foot) found.foot.after(foot.element);
    for (const panel of [head, foot]) panel.show(found);
  };
  let frame = 0;
  const unwatch = host.watch(root, () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  });
  kept.follow(draw);
  draw();
  return () => {
    unwatch();
    cancelAnimationFrame(frame);
    for (const { element } of [...forms.values(), foot]) element.remove();
    for (const element of root.querySelectorAll(".rk-folded, .rk-asked")) element.classList.remove("rk-folded", "rk-asked");
  };
}

/** The form of a question; a new one where the cell was rendered again. */
function formUnder(question, forms, { kept, say }) {
  const [first, last] = [question.blocks[0], question.blocks.at(-1)];
  const known = forms.get(question.id);
  if (known?.first === first) return known;
  const made = formOf(question, say, (given) => kept.answer(question.id, given));
  for (const block of question.folded) block.classList.add("rk-asked");
  last.after(made.element);
  forms.set(question.id, { ...made, first });
  return made;
}

function fold(element, folded, say) {
  element.classList.toggle("rk-folded", folded);
  element.dataset.rkNote = say("folded");
}
