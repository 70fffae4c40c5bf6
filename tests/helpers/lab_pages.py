"""What tests in JupyterLab share: how to wait for a notebook, and which errors say nothing."""

import re

# Console errors that say nothing about the notebook.
HARMLESS = re.compile(r"favicon\.ico|/api/contents/.*\.ipynb/checkpoints")

READY = """
const done = arguments[arguments.length - 1];
const wait = () => {
  const notebook = window.jupyterapp?.shell?.currentWidget;
  if (!notebook?.sessionContext?.session?.kernel) return setTimeout(wait, 100);
  notebook.sessionContext.ready.then(() => notebook.context.ready).then(() => done(true));
};
wait();
"""
