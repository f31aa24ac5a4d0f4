/** A chart of lines, such as accuracy against time for several runs. Pure: numbers in, SVG out. */
import { niceAbove, rounded, text } from "./svg.ts";

/** One line. */
export interface Line {
  readonly label: string;
  /** Place in the colours of the page: the same thing has the same one in every chart. */
  readonly colour: number;
  readonly dashed?: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a chart shows. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly lines: readonly Line[];
  /** Top of the y axis, which starts at 0; the greatest value if absent. */
  readonly yMost?: number;
  /** Whether the lines' names stand in the chart, each once. @default {false} */
  readonly named?: boolean;
  readonly formatY: (value: number) => string;
  readonly formatX: (value: number) => string;
}

/** A drawing of a known size, to be put on a page. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** SVG elements, without the `svg` around them. */
  readonly content: string;
}

const WIDTH = 400;
const HEIGHT = 260;
const FRAME = { left: 62, right: 386, top: 40, bottom: 212 };
/** More dots than this hide their line. */
const MOST_DOTS = 40;
/** More names than this would cover the lines. */
const MOST_NAMES = 8;

/** Draws a chart; without any point it says so. */
export function lineChart(chart: LineChart): Drawing {
  const points = chart.lines.flatMap((line) => line.points);
  const xMost = greatest(points.map(([x]) => x)) || 1;
  const yMost = chart.yMost ?? niceAbove(greatest(points.map(([, y]) => y)));
  const place = ([x, y]: readonly [number, number]) => {
    const height = Math.min(1, Math.max(0, y / yMost));
    return [
      rounded(FRAME.left + x / xMost * (FRAME.right - FRAME.left)),
      rounded(FRAME.bottom - height * (FRAME.bottom - FRAME.top)),
    ] as const;
  };
  const content = [
    text(chart.title, FRAME.left, 22, "start", "title"),
    ...[0, 1, 2, 3, 4].flatMap((quarter) => horizontal(yMost * quarter / 4, place, chart.formatY)),
    ...xTicks(xMost).flatMap((x) => vertical(x, place, chart.formatX)),
    text(chart.xLabel, (FRAME.left + FRAME.right) / 2, HEIGHT - 10, "middle"),
    ...(points.length === 0
      ? [text("nothing measured", (FRAME.left + FRAME.right) / 2, 130, "middle")]
      : chart.lines.flatMap((line) => drawn(line, line.points.map(place)))),
    ...(chart.named ? names(chart.lines) : []),
  ].join("\n");
  return { width: WIDTH, height: HEIGHT, content };
}

type Place = (point: readonly [number, number]) => readonly [number, number];

function horizontal(value: number, place: Place, format: (value: number) => string): string[] {
  const [, y] = place([0, value]);
  const look = value === 0 ? "axis" : "grid";
  return [
    `<line class="${look}" x1="${FRAME.left}" x2="${FRAME.right}" y1="${y}" y2="${y}"/>`,
    text(format(value), FRAME.left - 6, y + 4, "end"),
  ];
}

function vertical(value: number, place: Place, format: (value: number) => string): string[] {
  const [x] = place([value, 0]);
  const { bottom } = FRAME;
  return [
    `<line class="axis" x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 4}"/>`,
    text(format(value), x, bottom + 18, "middle"),
  ];
}

/** At most five even steps of 1, 2 or 5 times a power of ten. */
export function xTicks(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 5, 10].map((factor) => factor * power)
    .find((candidate) => most / candidate <= 5 + 1e-9)!;
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}

function drawn({ colour, dashed }: Line, places: readonly (readonly [number, number])[]): string[] {
  const look = `line c${colour}${dashed ? " dashed" : ""}`;
  const line = `<polyline class="${look}" points="${places.map(String).join(" ")}"/>`;
  if (places.length > MOST_DOTS) return [line];
  return [
    line,
    ...places.map(([x, y]) => `<circle class="dot c${colour}" cx="${x}" cy="${y}" r="2.5"/>`),
  ];
}

function names(lines: readonly Line[]): string[] {
  const known = new Map(lines.map(({ label, colour }) => [label, colour]));
  return [...known].slice(0, MOST_NAMES).flatMap(([label, colour], i) => {
    const y = FRAME.top + 8 + i * 15;
    return [
      `<line class="line c${colour}" x1="${FRAME.left + 8}" x2="${
        FRAME.left + 26
      }" y1="${y}" y2="${y}"/>`,
      text(label, FRAME.left + 32, y + 4, "start"),
    ];
  });
}

/** Greatest of any number of values; 0 for none. */
export function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}
