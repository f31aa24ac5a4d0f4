/** The runs of all strategies on one page: accuracy against time and against bytes. Pure. */
import { bytesText } from "../../src/cli/quantities.ts";
import { lineChart } from "../../src/plot/line_chart.ts";
import { COLOUR_COUNT, type Page } from "../../src/plot/page.ts";
import type { Evaluated, Outcome } from "./outcome.ts";

/** Against what accuracy is drawn. */
const AXES: readonly {
  readonly label: string;
  readonly title: string;
  readonly of: (point: Evaluated) => number;
  readonly format: (value: number) => string;
}[] = [
  {
    label: "wall time",
    title: "time",
    of: ({ seconds }) => seconds,
    format: (value) => `${value} s`,
  },
  { label: "bytes sent and received", title: "bytes", of: ({ bytes }) => bytes, format: bytesText },
];

/**
 * The page: a row of drawings for as many runs as there are colours.
 *
 * @param table below the drawings: its first row holds titles
 */
export function strategiesPage(
  title: string,
  outcomes: readonly Outcome[],
  table: Page["table"],
): Page {
  const rows = Math.ceil(outcomes.length / COLOUR_COUNT);
  const groups = Array.from(
    { length: rows },
    (_, i) => outcomes.slice(i * COLOUR_COUNT, (i + 1) * COLOUR_COUNT),
  );
  return {
    title,
    legend: groups.flatMap((group, i) =>
      group.map(({ name }) => rows === 1 ? name : `${name} (row ${i + 1})`)
    ),
    rows: groups.map((group) => AXES.map((axis) => chart(axis, group))),
    table,
  };
}

function chart({ title, label, of, format }: typeof AXES[number], outcomes: readonly Outcome[]) {
  return lineChart({
    title: `accuracy against ${title}`,
    xLabel: label,
    lines: outcomes.map(({ name, evaluated }, i) => ({
      label: name,
      colour: i,
      points: evaluated.map((point) => [of(point), point.accuracy] as const),
    })),
    yMost: 1,
    formatY: (value) => `${Math.round(value * 100)} %`,
    formatX: format,
  });
}
