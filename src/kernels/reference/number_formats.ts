/** Half precision and 8-bit integers by their definitions. */

/** The bits of the half nearest to a value, ties to even. */
export function referenceToFloat16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = nearestEven(magnitude / 2 ** (exponent - 10));
  // A normal one has 1024 to 2048 steps, of which 1024 are its leading 1; a carry is the next power.
  return sign | ((exponent + 14) * 1024 + steps);
}

/** The value of a half. */
export function referenceFromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** A value times a factor as an 8-bit integer. */
export function referenceToInt8(value: number, factor: number): number {
  return Math.max(-128, Math.min(127, nearestEven(value * factor)));
}

function nearestEven(value: number): number {
  const floor = Math.floor(value), rest = value - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return up ? floor + 1 : floor;
}
