// How questions look, and how answers are folded. Paper shows all of them.
import { STYLE } from "../style.js";

const OWN = `
.rk-folded:not(.jp-Cell,.cell),.rk-folded .jp-Cell-outputWrapper,.rk-folded .cell_output,.rk-asked{display:none!important}
.rk-folded:is(.jp-Cell,.cell)::after{content:attr(data-rk-note);display:block;margin:.3em 0 .6em;padding:.3em .8em;border:1px dashed currentColor;border-radius:6px;font:13px/1.45 system-ui,sans-serif;opacity:.75}
.jp-Cell.rk-folded::after{margin-left:calc(var(--jp-cell-prompt-width,64px) + var(--jp-cell-collapser-width,8px))}
.rk.rk-predict{border:1px solid var(--rk-faint);border-inline-start:4px solid var(--rk-blue);border-radius:6px;padding:.6em .9em;margin:.8em 0 1em}
.rk-predict fieldset{border:0;margin:0;padding:0;min-width:0}
.rk-predict legend{width:100%;padding:0;margin-bottom:.2em;font-weight:650}
.rk-predict p,.rk-predict ul{margin:.2em 0 .4em}.rk-predict li{margin:.2em 0}
.rk-predict label{display:flex;gap:.6em;align-items:flex-start;padding:4px 0;min-height:28px;cursor:pointer}
.rk-predict label p{margin:0}
.rk-predict input[type=radio]{flex:none;width:18px;height:18px;margin:1px 0 0;accent-color:var(--rk-blue)}
.rk-predict input[type=text]{font:inherit;color:inherit;background:var(--rk-paper);border:1px solid var(--rk-quiet);border-radius:6px;padding:4px 8px;min-height:32px;min-width:0}
.rk-predict .rk-text input{flex:1}.rk-predict .rk-number{align-items:center}
.rk-predict :is(input,button,summary,[tabindex]):focus-visible{outline:2px solid var(--rk-ink);outline-offset:2px}
.rk-predict [role=status]:focus-visible{outline-offset:6px}
.rk-predict .rk-foot{justify-content:flex-start;gap:.5em 1em;color:var(--rk-ink)}
.rk-predict .rk-foot>[role=status]{flex:1 1 16em}.rk-predict .rk-foot p{margin:0}
.rk-predict .rk-commit{background:var(--rk-blue);border-color:var(--rk-blue);color:var(--rk-paper);font-weight:650}
.rk-predict :disabled{opacity:.5;cursor:default}
.rk-guess p{display:inline}.rk-guess{font-style:italic}
.rk-note>*{margin:.2em 0}.rk-predict summary{cursor:pointer;padding:4px 0;min-height:24px}
.rk-judge{display:flex;flex-wrap:wrap;gap:.5em;align-items:center}
@media print{.rk-folded:not(.jp-Cell,.cell),.rk-folded .jp-Cell-outputWrapper,.rk-folded .cell_output,.rk-asked{display:revert!important}.rk-folded::after,.rk.rk-predict{display:none!important}}`;

/** Put the style into the page, once. */
export function dressPage() {
  if (document.getElementById("rk-predict-style")) return;
  const style = document.createElement("style");
  style.id = "rk-predict-style";
  style.textContent = STYLE + OWN;
  document.head.append(style);
}
