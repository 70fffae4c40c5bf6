// How all explorables look: on paper and in the dark, in a wide page and on a phone.

const DARK = `color-scheme:dark;--rk-ink:#e6e9ee;--rk-quiet:#a9b1bc;--rk-faint:#39404a;--rk-paper:var(--jp-layout-color0,var(--color-background-primary,#14171c));
--rk-blue:#5ab4f0;--rk-red:#f0883e;--rk-green:#2fbf95;--rk-purple:#d98cb3;--rk-grey:#7c8693`;

export const STYLE = `
.rk{color-scheme:light;--rk-ink:#1f2630;--rk-quiet:#59636e;--rk-faint:#dfe3e8;--rk-paper:var(--jp-layout-color0,var(--color-background-primary,#fff));
--rk-blue:#0072b2;--rk-red:#bd4d08;--rk-green:#00835f;--rk-purple:#a8497f;--rk-grey:#8a929c;
font:14px/1.45 var(--jp-ui-font-family,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif);color:var(--rk-ink);max-width:780px;margin:.5em 0;padding:2px;box-sizing:border-box;text-align:left}
[data-jp-theme-light="false"] .rk,[data-theme="dark"] .rk{${DARK}}
@media(prefers-color-scheme:dark){body:not([data-jp-theme-light],[data-theme="light"]) .rk{${DARK}}}
.rk *{box-sizing:border-box}
.rk [hidden]{display:none}
.rk>svg{display:block;width:100%;overflow:visible;user-select:none;-webkit-user-select:none}
.rk text{font-size:13px;fill:var(--rk-ink);stroke:var(--rk-paper);stroke-width:3.5px;stroke-linejoin:round;paint-order:stroke}
.rk .rk-tick{font-size:12px;fill:var(--rk-quiet);font-variant-numeric:tabular-nums}
.rk .rk-name{fill:var(--rk-quiet)}.rk .rk-strong{font-weight:650}
.rk .rk-small{font-size:12px}.rk .rk-inside{font-weight:700;fill:var(--rk-paper);stroke:none}
.rk .rk-middle{text-anchor:middle}.rk .rk-end{text-anchor:end}
.rk .rk-grid{stroke:var(--rk-faint);stroke-width:1;fill:none}.rk .rk-axis{stroke:var(--rk-quiet);stroke-width:1.25;fill:none}
.rk .rk-blue{color:var(--rk-blue)}.rk .rk-red{color:var(--rk-red)}.rk .rk-green{color:var(--rk-green)}.rk .rk-purple{color:var(--rk-purple)}.rk .rk-grey{color:var(--rk-grey)}.rk .rk-ink{color:var(--rk-ink)}
.rk text.rk-tint{fill:currentColor}
.rk .rk-fill{fill:currentColor;stroke:none}.rk .rk-wash{fill:currentColor;opacity:.12;stroke:none}
.rk .rk-dots{image-rendering:pixelated}
.rk .rk-open{fill:var(--rk-paper);stroke:currentColor;stroke-width:2.5}
.rk .rk-rim{stroke:var(--rk-paper);stroke-width:1.5}
.rk .rk-line{fill:none;stroke:currentColor;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}
.rk .rk-ring{fill:none;stroke:currentColor;stroke-width:2.5}
.rk .rk-wide{fill:none;stroke:currentColor;stroke-width:5;stroke-linejoin:round}
.rk .rk-bold{fill:none;stroke:currentColor;stroke-width:4.5;stroke-linecap:round}
.rk .rk-trace{fill:none;stroke:currentColor;stroke-width:1.75;stroke-linejoin:round}
.rk .rk-thin{fill:none;stroke:currentColor;stroke-width:1.25}.rk .rk-shaft{fill:none;stroke:currentColor;stroke-width:3}
.rk .rk-dash{stroke-dasharray:8 5}.rk .rk-dot{stroke-dasharray:1.5 4.5;stroke-linecap:round}
.rk .rk-handle{fill:transparent;stroke:transparent;stroke-width:2;cursor:grab;touch-action:none;outline:none}
.rk .rk-handle:hover{fill:var(--rk-ink);fill-opacity:.08}.rk .rk-handle:active{cursor:grabbing;fill:var(--rk-ink);fill-opacity:.14}
.rk .rk-press,.rk .rk-pad{fill:transparent;stroke:none;cursor:pointer;outline:none}
.rk .rk-press:hover{fill:var(--rk-ink);fill-opacity:.1}.rk .rk-press:focus-visible{stroke:var(--rk-ink);stroke-width:3;stroke-dasharray:4 3}
.rk .rk-handle:focus-visible{stroke:var(--rk-ink);stroke-dasharray:4 3}
.rk-said{display:grid;margin:.5em 0 .7em;min-height:2.9em;font-size:15px;font-variant-numeric:tabular-nums}
.rk-said>p{grid-area:1/1;margin:0}.rk-room{visibility:hidden}
.rk .rk-legend{display:flex;flex-wrap:wrap;gap:.15em 1.3em;margin:0 0 .5em;padding:0;list-style:none;color:var(--rk-quiet);font-size:13px}
.rk .rk-legend li{display:flex;align-items:center;gap:.45em;margin:0}
.rk-controls{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:.5em 1.8em;align-items:start}
.rk-knob{display:grid;grid-template-columns:1fr auto;column-gap:1em}.rk-knob output{font-variant-numeric:tabular-nums;font-weight:650;min-width:6ch;text-align:right}
.rk-knob input{grid-column:1/-1;width:100%;height:28px;margin:0;background:none;appearance:none;-webkit-appearance:none;cursor:pointer;accent-color:var(--rk-blue)}
.rk-knob input::-webkit-slider-runnable-track{height:6px;border-radius:3px;background:linear-gradient(to right,var(--rk-blue) var(--rk-share),var(--rk-faint) var(--rk-share))}
.rk-knob input::-moz-range-track{height:6px;border-radius:3px;background:linear-gradient(to right,var(--rk-blue) var(--rk-share),var(--rk-faint) var(--rk-share))}
.rk-knob input::-webkit-slider-thumb{-webkit-appearance:none;width:24px;height:24px;margin-top:-9px;border-radius:50%;background:var(--rk-blue);border:3px solid var(--rk-paper);box-shadow:0 0 0 1px var(--rk-quiet)}
.rk-knob input::-moz-range-thumb{width:18px;height:18px;border-radius:50%;background:var(--rk-blue);border:3px solid var(--rk-paper);box-shadow:0 0 0 1px var(--rk-quiet)}
.rk input:focus-visible,.rk-reset:focus-visible,.rk-button:focus-visible{outline:2px solid var(--rk-ink);outline-offset:2px;border-radius:6px}
.rk-choice{border:0;margin:0;padding:0;min-width:0}.rk-choice legend{padding:0;margin-bottom:3px}
.rk-row{grid-column:1/-1}
.rk-buttons{display:flex;flex-wrap:wrap;gap:4px}.rk-buttons label{position:relative;cursor:pointer}
.rk-buttons input{position:absolute;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:pointer}
.rk-buttons span{display:block;min-width:30px;padding:4px 8px;line-height:20px;text-align:center;border:1px solid var(--rk-quiet);border-radius:6px}
.rk-buttons input:checked+span{background:var(--rk-blue);border-color:var(--rk-blue);color:var(--rk-paper);font-weight:650}
.rk-buttons input:focus-visible+span{outline:2px solid var(--rk-ink);outline-offset:2px}
.rk-foot{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:center;gap:.3em 1.5em;margin:.6em 0 0;color:var(--rk-quiet);font-size:13px}
.rk-reset,.rk-button{font:inherit;color:var(--rk-ink);min-height:28px;padding:.15em 1em;background:none;border:1px solid var(--rk-quiet);border-radius:6px;cursor:pointer}
.rk-button{justify-self:start;min-height:32px;align-self:end}
.rk-reset:hover,.rk-button:hover{background:var(--rk-faint)}
@media(prefers-reduced-motion:no-preference){.rk .rk-handle{transition:fill-opacity .15s}}`;
