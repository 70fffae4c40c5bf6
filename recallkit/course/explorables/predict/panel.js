// The score, with the controls that show all answers or begin again.
import { tag } from "../tag.js";
import { scoreOf } from "./kept.js";
import { keepKeys } from "./keys.js";

/** {element, show}: the scores of the predictions and of the quiz, by what is kept. */
export function panelOf(kept, say, hint) {
  const score = tag("p", { class: "rk-score" });
  const quiz = tag("p", { class: "rk-quiz" });
  const all = tag("button", { type: "button", class: "rk-reset" });
  const again = tag("button", { type: "button", class: "rk-reset" }, say("again"));
  all.addEventListener("click", () => kept.showAll(!kept.get().all));
  again.addEventListener("click", kept.startOver);
  const said = hint ? [tag("p", {}, say("hint"))] : [];
  const foot = tag("div", { class: "rk-foot" }, tag("div", { role: "status" }, score, quiz), tag("div", { class: "rk-judge" }, all, again));
  const attributes = { class: "rk rk-predict", role: "group", "aria-label": say("title") };
  const show = ({ ids, quizIds }) => {
    const now = scoreOf(kept.get(), ids);
    score.textContent = [say("score", now), now.open ? say("open", now) : ""].join(" ").trim();
    quiz.hidden = quizIds.length === 0;
    quiz.textContent = say("quiz", scoreOf(kept.get(), quizIds));
    all.textContent = say(kept.get().all ? "fold" : "all");
    again.disabled = !kept.get().all && Object.keys(kept.get().answers).length === 0;
  };
  return { element: keepKeys(tag("div", attributes, ...said, foot)), show };
}
