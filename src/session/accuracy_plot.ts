/**
 * Accuracy and loss by round as an SVG image. Pure: results in, text out. Colours come from a style
 * sheet inside the image, so that it reads well on light and dark pages.
 */
import { escaped, imageStyle, niceAbove, rounded, text } from "../plot/svg.ts";
import type { Results, RoundResult } from "./results.ts";
import { meanBySamples } from "./results_csv.ts";

const SIZE = { width: 800, height: 440 };
const FRAME = { left: 64, right: 736, top: 64, bottom: 376 };

const STYLE = imageStyle({
  light: `
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .accuracy { stroke: #1d6fdc; } .accuracy.dot { fill: #1d6fdc; stroke: none; }
  .loss { stroke: #d9480f; } .loss.dot { fill: #d9480f; stroke: none; }
  .clients { stroke-dasharray: 5 4; opacity: 0.75; }`,
  dark: `
    .accuracy { stroke: #60a5fa; } .accuracy.dot { fill: #60a5fa; }
    .loss { stroke: #fb923c; } .loss.dot { fill: #fb923c; }`,
});

/** One line of the plot. */
interface Series {
  readonly label: string;
  /** Style classes. */
  readonly look: string;
  /** Round and height in [0, 1] of each point. */
  readonly points: readonly (readonly [round: number, height: number])[];
}

/** The plot of a run: accuracy against the left axis (0 to 100 %), loss against the right one. */
export function accuracyPlot(results: Results): string {
  const { rounds } = results;
  const last = Math.max(1, ...rounds.map(({ round }) => round));
  const series = seriesOf(rounds);
  const losses = series.filter(({ look }) => look.includes("loss")).flatMap(({ points }) => points);
  const most = niceAbove(Math.max(0, ...losses.map(([, loss]) => loss)));
  const scaled = series.map((one) =>
    one.look.includes("loss")
      ? { ...one, points: one.points.map(([round, loss]) => [round, loss / most] as const) }
      : one
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" ` +
    `width="${SIZE.width}" height="${SIZE.height}" role="img">`,
    `<title>${escaped(titleOf(results))}</title>`,
    STYLE,
    `<rect class="back" width="${SIZE.width}" height="${SIZE.height}"/>`,
    text(titleOf(results), FRAME.left, 24, "start", "title"),
    ...grid(most),
    ...roundTicks(last),
    ...scaled.flatMap((one) => drawn(one, last)),
    ...(scaled.length > 0 ? legend(scaled) : [
      text("no round has finished", (FRAME.left + FRAME.right) / 2, FRAME.top + 100, "middle"),
    ]),
    "</svg>\n",
  ].join("\n");
}

function seriesOf(rounds: readonly RoundResult[]): Series[] {
  const finished = rounds.filter(({ weights_id }) => weights_id !== null);
  const points = (value: (round: RoundResult) => number | null | undefined) =>
    finished.flatMap((round) => {
      const height = value(round) ?? null;
      return height === null ? [] : [[round.round, height] as const];
    });
  const all: Series[] = [
    {
      label: "validation accuracy",
      look: "accuracy",
      points: points(({ validation }) => validation?.accuracy),
    },
    {
      label: "validation loss",
      look: "loss",
      points: points(({ validation }) => validation?.loss),
    },
    {
      label: "training accuracy",
      look: "accuracy clients",
      points: points((round) => meanBySamples(round, "accuracy")),
    },
    {
      label: "training loss",
      look: "loss clients",
      points: points((round) => meanBySamples(round, "loss")),
    },
  ];
  return all.filter((one) => one.points.length > 0);
}

function titleOf({ name, session_id, config, rounds }: Results): string {
  const finished = rounds.filter(({ weights_id }) => weights_id !== null).length;
  const givenUp = rounds.filter(({ given_up }) => given_up !== undefined).length;
  const run = name ?? session_id.slice(0, 8);
  return `${run}: ${config.client_training_config.model_id}, ${finished} rounds` +
    (givenUp > 0 ? `, ${givenUp} given up` : "");
}

/** Horizontal lines at every fifth, with the accuracy on the left and the loss on the right. */
function grid(mostLoss: number): string[] {
  const { left, right, bottom } = FRAME;
  const middle = (FRAME.top + bottom) / 2;
  const lines = [0, 1, 2, 3, 4, 5].flatMap((fifth) => {
    const y = yOf(fifth / 5);
    return [
      `<line class="${
        fifth === 0 ? "axis" : "grid"
      }" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/>`,
      text(`${fifth * 20} %`, left - 8, y + 4, "end"),
      text(lossTick(mostLoss * fifth / 5), right + 8, y + 4, "start"),
    ];
  });
  return [
    ...lines,
    turned("accuracy", 16, middle, -90),
    turned("loss", SIZE.width - 12, middle, 90),
  ];
}

function roundTicks(last: number): string[] {
  const step = roundStep(last);
  const rounds = Array.from({ length: Math.floor(last / step) }, (_, i) => (i + 1) * step);
  const ticks = step === 1 || last === 1 ? rounds : [1, ...rounds];
  const { bottom } = FRAME;
  return [
    ...ticks.flatMap((round) => {
      const x = xOf(round, last);
      return [
        `<line class="axis" x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 5}"/>`,
        text(String(round), x, bottom + 20, "middle"),
      ];
    }),
    text("round", (FRAME.left + FRAME.right) / 2, bottom + 42, "middle"),
  ];
}

/** 1, 2 or 5 times a power of ten, so that at most about ten ticks fit. */
function roundStep(last: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, last / 10)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => last / step <= 12)!;
}

function drawn({ look, points }: Series, last: number): string[] {
  const places = points.map(([round, height]) => `${xOf(round, last)},${yOf(height)}`);
  const line = `<polyline class="line ${look}" points="${places.join(" ")}"/>`;
  // Dots make single points visible; among many they would hide the line.
  if (look.includes("clients") && points.length > 1 || points.length > 50) return [line];
  const dots = places.map((place) => {
    const [x, y] = place.split(",");
    return `<circle class="dot ${look}" cx="${x}" cy="${y}" r="3"/>`;
  });
  return [line, ...dots];
}

function legend(series: readonly Series[]): string[] {
  return series.flatMap(({ label, look }, i) => {
    const x = FRAME.left + i * 172;
    return [
      `<line class="line ${look}" x1="${x}" x2="${x + 26}" y1="44" y2="44"/>`,
      text(label, x + 32, 48, "start"),
    ];
  });
}

function xOf(round: number, last: number): number {
  const { left, right } = FRAME;
  const share = last === 1 ? 0.5 : (round - 1) / (last - 1);
  return rounded(left + 12 + share * (right - left - 24));
}

function yOf(height: number): number {
  const { top, bottom } = FRAME;
  return rounded(bottom - Math.min(1, Math.max(0, height)) * (bottom - top));
}

function lossTick(loss: number): string {
  return loss >= 1e5 ? loss.toExponential(1) : String(Number(loss.toPrecision(3)));
}

function turned(label: string, x: number, y: number, degrees: number): string {
  return `<text x="${x}" y="${y}" text-anchor="middle" ` +
    `transform="rotate(${degrees} ${x} ${y})">${label}</text>`;
}
