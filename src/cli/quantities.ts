/** Numbers as people read them. */

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Bytes in decimal units: `407.1 kB`. */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  // 999.95 would round to "1000.0".
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A fraction in [0, 1] as `95.31 %`; `-` if there is none. */
export function percentText(fraction: number | null | undefined): string {
  return isNumber(fraction) ? `${(fraction * 100).toFixed(2)} %` : "-";
}

/** A loss with four digits or, where large, fewer: `0.1234`; `-` if there is none or not finite. */
export function lossText(loss: number | null | undefined): string {
  if (!isNumber(loss)) return "-";
  return Math.abs(loss) < 1000 ? loss.toFixed(4) : loss.toExponential(2);
}

/** Seconds: `1.24 s`, `83 s`, `1 h 5 min`. */
export function secondsText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
}

/** A count with thousands apart: `101,770`. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
