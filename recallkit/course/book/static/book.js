// What scrolls sideways can have the focus, so that arrow keys scroll it.
(() => {
  const PARTS = "article :is(pre, .output, .table-wrapper, .math, p:has(> img:only-child))";
  const follow = () => {
    for (const part of document.querySelectorAll(PARTS)) {
      const scrolls = part.scrollWidth > part.clientWidth && getComputedStyle(part).overflowX !== "visible";
      if (scrolls) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  };
  addEventListener("load", follow);
  addEventListener("resize", follow);
  document.addEventListener("toggle", follow, true); // what was folded had no width
})();
