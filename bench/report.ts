/** One line for each thing measured: what, how much, and how it stands to its bar. */

/** A measured figure with the figure that it must not exceed (or, for rates, must reach). */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number;
  /** Whether more is better, as for a rate. @default false */
  readonly moreIsBetter?: boolean;
  /** Of a time spent on training: how fast that is here, by `hostSpeed`. @default unknown */
  readonly speed?: number | null;
}

/** Prints a figure, its bar and the ratio to it. */
export function report({ what, value, unit, bar, moreIsBetter = false, speed }: Figure): void {
  const within = moreIsBetter ? value >= bar : value <= bar;
  const number = value >= 100 ? value.toFixed(0) : value.toFixed(2);
  const limit = `${moreIsBetter ? "at least" : "at most"} ${bar} ${unit}`;
  const ratio = (value / bar).toFixed(2);
  console.log(
    `${what.padEnd(58)} ${number.padStart(8)} ${unit.padEnd(5)} ${
      limit.padEnd(18)
    } ratio ${ratio} ${within ? "" : "MISSED"}`,
  );
  if (typeof speed !== "number") return;
  const scaled = value * speed;
  console.log(
    `  PyTorch is ${speed.toFixed(2)} times as fast here as where the bar was set: there it were ` +
      `${scaled.toFixed(2)} ${unit}${scaled <= bar ? "" : ", MISSED"}`,
  );
}
