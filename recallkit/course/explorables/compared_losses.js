// The five losses that notebook 02 compares: their names, their knobs and their settings.

export const LOSS_WORDS = {
  loss: "loss",
  rank_temperature: "τ₂ (RS@k, SmoothAP)",
  triplet_margin: "margin (triplet)",
  positive_margin: "upper margin (contrastive)",
  negative_margin: "lower margin (contrastive)",
  softmax_temperature: "temperature (NT-Xent)",
};
export const LOSS_NAMES = ["RS@k", "SmoothAP", "triplet", "contrastive", "NT-Xent"];
export const LOSS_CHOICE = { name: "loss", wide: true, options: LOSS_NAMES.map((name) => [name, () => name]) };
export const LOSS_KNOBS = [
  { name: "rank_temperature", base: 10, min: -3, max: 0, step: 0.05 },
  { name: "triplet_margin", min: 0, max: 1, step: 0.05 },
  { name: "negative_margin", min: -1, max: 1, step: 0.05 },
  { name: "positive_margin", min: -1, max: 1, step: 0.05 },
  { name: "softmax_temperature", base: 10, min: -2, max: 1, step: 0.05 },
];

const KNOBS_OF = {
  "RS@k": ["rank_temperature"], SmoothAP: ["rank_temperature"], triplet: ["triplet_margin"],
  contrastive: ["negative_margin", "positive_margin"], "NT-Xent": ["softmax_temperature"],
};

/** The same knobs, each there only while its loss is chosen. */
export const KNOBS_OF_CHOICE = LOSS_KNOBS.map((knob) => {
  return { ...knob, when: ({ loss }) => KNOBS_OF[loss].includes(knob.name) };
});

/** The settings of a loss, as lossOf takes them; each loss takes those that it has. */
export const settingsOf = (state) => ({
  rankTemperature: state.rank_temperature,
  margin: state.triplet_margin,
  positiveMargin: state.positive_margin,
  negativeMargin: state.negative_margin,
  temperature: state.softmax_temperature,
});
