// Scales from numbers to places in a picture, the ticks of an axis, and numbers as text.

/** A linear scale with its inverse. */
export function linear([low, high], [start, end]) {
  const place = (value) => start + ((value - low) / (high - low)) * (end - start);
  place.invert = (at) => low + ((at - start) / (end - start)) * (high - low);
  place.domain = [low, high];
  place.range = [start, end];
  return place;
}

/** A logarithmic scale with its inverse. */
export function logarithmic([low, high], range) {
  const inner = linear([Math.log(low), Math.log(high)], range);
  const place = (value) => inner(Math.log(value));
  place.invert = (at) => Math.exp(inner.invert(at));
  place.domain = [low, high];
  place.range = range;
  return place;
}

/** About `count` round numbers from low to high. */
export function ticks(low, high, count = 4) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** The nearest multiple of step, without the tail of binary fractions. */
export const onGrid = (value, step) => Number((Math.round(value / step) * step).toFixed(9));

/** Evenly spaced numbers, both ends included. */
export const spaced = (low, high, count) =>
  Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));

/** A number with a proper minus sign, to some decimals. */
export const fixed = (value, digits) => value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−").replace(/^-/, "");

const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = (power) => [...power].map((sign) => (sign === "-" ? "⁻" : POWERS[sign] ?? "")).join("");

/**
 * A number in three significant digits, as short as it can be.
 *
 * Below a thousandth zeros would have to be counted: it has two digits, and a power of ten.
 */
export function short(value) {
  if (value === 0 || Math.abs(value) >= 0.001) return String(Number(value.toPrecision(3))).replace("-", "−");
  const [digits, power] = value.toExponential(1).split("e");
  return `${digits.replace("-", "−").replace(".0", "")}·10${raised(power)}`;
}

/** The longer of two texts. */
export const longer = (one, other) => (other.length > one.length ? other : one);
