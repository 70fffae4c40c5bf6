// Questions and answers of a notebook in JupyterLab: cells with tags, some of them not in the page.
import { noteQuestion, partsOf } from "./parts.js";

/** The notebook that the widget stands in; null where the page is no JupyterLab. */
export function labOf(model, el) {
  const context = model.widget_manager?.context;
  if (!context?.model?.cells) return null;
  const ready = () => el.closest(".jp-Notebook");
  return { name: context.path, ready, survey: (root, marks) => surveyCells(context.model, root, marks), watch: watchCells };
}

function surveyCells({ cells }, root, marks) {
  const found = { ids: [], quizIds: [], questions: [], answers: [], foot: null };
  for (let i = 0; i < cells.length; i += 1) {
    const cell = cells.get(i);
    const tags = cell.getMetadata("tags") ?? [];
    const node = root.querySelector(`[data-windowed-list-index="${i}"]`);
    if (tags.some((name) => /^(predict|quiz)/.test(name))) takeCell(found, { cell, tags, node }, marks);
  }
  return found;
}

function takeCell(found, { cell, tags, node }, marks) {
  const blocks = [...(node?.querySelector(".jp-RenderedMarkdown")?.children ?? [])];
  const { answer, question } = partsOf(blocks.filter((block) => !block.matches(".rk-predict")), marks);
  const owner = found.ids.at(-1);
  if (tags.includes("predict/answer") && node) {
    const elements = cell.type === "code" ? [node] : answer;
    found.answers.push(...elements.map((element) => ({ element, owner })));
  }
  noteQuestion(found, cell.id, tags, question);
  if (tags.includes("predict/score")) found.foot = blocks.findLast((block) => !block.matches(".rk-predict")) ?? null;
}

/** Call `act` when cells come into the page or are rendered again; outputs that move say nothing. */
function watchCells(root, act) {
  const watcher = new MutationObserver((records) => {
    if (records.some(({ target }) => !target.closest(".jp-OutputArea, .jp-InputArea-editor, .rk"))) act();
  });
  watcher.observe(root, { childList: true, subtree: true });
  return () => watcher.disconnect();
}
