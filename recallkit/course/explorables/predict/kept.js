// What the reader has committed, kept in the browser from one visit to the next.

const EMPTY = { answers: {}, all: false };

/**
 * The state of one notebook: {answers: id → {guess, verdict}, all: show all answers?}.
 *
 * A guess is a text, the place of a choice, or null where the reader looked without one. A verdict is
 * true, false, or null where nobody has judged yet. Where the browser refuses to store, the state
 * lasts as long as the page.
 */
export function keptIn(notebook) {
  const key = `recallkit predictions: ${notebook}`;
  const listeners = new Set();
  let state = read(key);
  const set = (change) => {
    state = { ...state, ...change };
    write(key, state);
    for (const listener of listeners) listener();
  };
  return {
    get: () => state,
    answer: (id, given) => set({ answers: { ...state.answers, [id]: given } }),
    showAll: (all) => set({ all }),
    startOver: () => set(EMPTY),
    follow: (listener) => listeners.add(listener),
  };
}

function read(key) {
  try {
    const stored = JSON.parse(localStorage.getItem(key));
    return stored?.answers ? { ...EMPTY, ...stored } : EMPTY;
  } catch {
    return EMPTY;
  }
}

function write(key, state) {
  try {
    localStorage.setItem(key, JSON.stringify(state));
  } catch {
    // refused: the state lasts as long as the page
  }
}

/** How many predictions were made, and how many of these were right, wrong and not judged. */
export function scoreOf({ answers }, ids) {
  const made = ids.map((id) => answers[id]).filter((given) => given && given.guess !== null);
  const count = (verdict) => made.filter((given) => given.verdict === verdict).length;
  return { all: ids.length, made: made.length, right: count(true), wrong: count(false), open: count(null) };
}
