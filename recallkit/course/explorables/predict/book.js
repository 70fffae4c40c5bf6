// Questions and answers of a page of the book: markdown between the marks of its cell, and code cells.
import { noteQuestion, partsOf } from "./parts.js";

/** The page; null where it has no marks. */
export function bookOf() {
  if (!document.querySelector(".rk-cell")) return null;
  const name = location.pathname.split("/").at(-1).replace(/\.\w+$/, "");
  const ready = () => document.querySelector("[role=main]") ?? document.body;
  return { name, ready, survey: surveyPage, watch: () => () => {} };
}

function surveyPage(root, marks) {
  const found = { ids: [], quizIds: [], questions: [], answers: [], foot: null };
  for (const { id, tags, blocks } of cellsOf(root)) {
    const { answer, question } = partsOf(blocks, marks);
    const owner = found.ids.at(-1);
    if (tags.includes("predict/answer")) found.answers.push(...answer.map((element) => ({ element, owner })));
    noteQuestion(found, id, tags, question);
    if (tags.includes("predict/score")) found.foot = blocks.at(-1);
  }
  return found;
}

/** The tagged cells with their blocks. A mark with an id begins one, a mark without ends it. */
function cellsOf(root) {
  const cells = [];
  let open = null;
  for (const block of blocksOf(root)) {
    if (block.matches(".rk-cell")) {
      open = block.dataset.id ? { id: block.dataset.id, tags: block.dataset.tags.split(" "), blocks: [] } : null;
      if (open) cells.push(open);
    } else if (block.classList.contains("tag_predict/answer")) {
      cells.push({ tags: ["predict/answer"], blocks: [block] });
    } else if (open && !block.matches(".rk-predict")) {
      open.blocks.push(block);
    }
  }
  return cells;
}

/** What stands on a page one below the other, whatever section it is in. */
function blocksOf(element) {
  return [...element.children].flatMap((child) => (child.tagName === "SECTION" ? blocksOf(child) : [child]));
}
