// Texts come from a dictionary, so that they can be translated.

/** The text of a name, with {values} put in. A number keeps its percent sign in the same line. */
export const dictionary = (words) => (name, values = {}) =>
  words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]).replace(/ %/g, "\u00a0%");
