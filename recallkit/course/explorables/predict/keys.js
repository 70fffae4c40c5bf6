// JupyterLab takes keys for commands and clicks for choosing a cell, unless it is told otherwise.

/** Let keys and clicks in `element` reach what is in it, and nothing around it. */
export function keepKeys(element) {
  const suppress = ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true");
  element.addEventListener("focusin", suppress); // asked of the focused element itself
  for (const kind of ["mousedown", "dblclick"]) element.addEventListener(kind, (event) => event.stopPropagation());
  return element;
}
