/** The page of one or several runs: quality by round, time and bytes; clients' work; resources. Pure. */
import type { ResourceSample } from "../core/resources.ts";
import { type Line, type LineChart, lineChart } from "../plot/line_chart.ts";
import { COLOUR_COUNT, type Page, type Row } from "../plot/page.ts";
import { type Span, timeline, type TimelineRow } from "../plot/timeline.ts";
import type { RoundPoint, RunHistory, Work } from "./run_history.ts";

/** A run and what was measured while it went on. */
export interface PlottedRun {
  readonly history: RunHistory;
  /** By the name of the process; none if nothing was measured. */
  readonly resources: readonly MeasuredProcess[];
}

/** Samples of one process. */
export interface MeasuredProcess {
  readonly name: string;
  readonly samples: readonly ResourceSample[];
}

/** Against what quality is drawn. */
const AXES: readonly {
  readonly label: string;
  readonly of: (point: RoundPoint) => number;
  readonly format: (value: number) => string;
}[] = [
  { label: "round", of: ({ round }) => round, format: short },
  { label: "wall time", of: ({ seconds }) => seconds, format: (value) => `${short(value)} s` },
  { label: "bytes sent and received", of: ({ bytes }) => bytes, format: bytesText },
];

/** The page. @param title such as the runs' names */
export function runsPage(title: string, runs: readonly PlottedRun[]): Page {
  const histories = runs.map(({ history }) => history);
  return {
    title,
    legend: histories.map(({ name, measured }) => `${name} (${measured})`),
    rows: [
      AXES.map((axis) => qualityChart("accuracy", axis, histories)),
      AXES.map((axis) => qualityChart("loss", axis, histories)),
      ...histories.map((history) => [timelineOf(history)]),
      ...runs.flatMap(resourceRows),
    ],
    table: [
      ["run", "rounds", "seconds", "bytes", "best accuracy", "last accuracy", "last loss"],
      ...histories.map(summaryRow),
    ],
  };
}

function qualityChart(
  quality: "accuracy" | "loss",
  { label, of, format }: typeof AXES[number],
  histories: readonly RunHistory[],
) {
  const lines = histories.map(({ name, points }, i): Line => ({
    label: name,
    colour: i % COLOUR_COUNT,
    points: points.flatMap((point) => {
      const value = point[quality];
      return value === null ? [] : [[of(point), value] as const];
    }),
  }));
  return lineChart({
    title: `${quality} against ${label}`,
    xLabel: label,
    lines,
    formatX: format,
    ...(quality === "accuracy"
      ? { yMost: 1, formatY: (value: number) => `${Math.round(value * 100)} %` }
      : { formatY: short }),
  });
}

function timelineOf({ name, clients, points }: RunHistory) {
  const rows = clients.map((client): TimelineRow => ({
    name: client.name,
    spans: client.work.flatMap(spansOf),
  }));
  return timeline(`clients of ${name}`, rows, points.map(({ seconds }) => seconds));
}

function spansOf(work: Work): Span[] {
  const { round, from, to, trainSeconds, roundEnd, failure } = work;
  const seconds = short(to - from);
  if (trainSeconds === null) {
    return [{ from, to, activity: "failed", tip: `round ${round}: ${failure}` }];
  }
  const tip = `round ${round}: ${seconds} s, of which training ${short(trainSeconds)} s`;
  // Where in its work a client trained is not told: sending takes about as long as receiving.
  const idle = Math.max(0, to - from - trainSeconds) / 2;
  const spans: Span[] = [
    { from, to, activity: "busy", tip },
    { from: from + idle, to: to - idle, activity: "training", tip },
  ];
  if (roundEnd !== null && roundEnd > to) {
    const waited = `round ${round}: waits ${short(roundEnd - to)} s for its end`;
    spans.push({ from: to, to: roundEnd, activity: "waiting", tip: waited });
  }
  return spans;
}

/** Curves of what was measured, a row a run. */
function resourceRows({ history, resources }: PlottedRun): Row[] {
  const measured = resources.filter(({ samples }) => samples.length > 0);
  if (measured.length === 0) return [];
  const chart = (what: string, format: (value: number) => string, kinds: readonly Kind[]) => {
    const lines = measured.flatMap(({ name, samples }, i) =>
      kinds.map(({ of, dashed }): Line => ({
        label: name,
        colour: i % COLOUR_COUNT,
        ...(dashed === undefined ? {} : { dashed }),
        points: samples.flatMap((sample) => {
          const value = of(sample);
          const seconds = (sample.atMs - (history.startMs ?? measured[0]!.samples[0]!.atMs)) / 1000;
          return value === null || seconds < 0 ? [] : [[seconds, value] as const];
        }),
      }))
    );
    const options: LineChart = {
      title: what,
      xLabel: "wall time",
      lines,
      named: true,
      formatX: (value) => `${short(value)} s`,
      formatY: format,
    };
    return lineChart(options);
  };
  const first = [
    chart(`CPU in ${history.name}, of one core`, (value) => `${short(value)} %`, [{
      of: ({ cpuPercent }) => cpuPercent,
    }]),
    chart("memory", bytesText, [{ of: ({ rssBytes }) => rssBytes }]),
    chart("threads", short, [{ of: ({ threads }) => threads }]),
  ];
  const second = [
    chart("network in, out dashed, a second", bytesText, [
      { of: ({ netReceivedBytes }) => netReceivedBytes },
      { of: ({ netSentBytes }) => netSentBytes, dashed: true },
    ]),
    chart("disk read, written dashed, a second", bytesText, [
      { of: ({ diskReadBytes }) => diskReadBytes },
      { of: ({ diskWrittenBytes }) => diskWrittenBytes, dashed: true },
    ]),
    ...(measured.some(({ samples }) => samples.some(({ gpuPercent }) => gpuPercent !== null))
      ? [chart("GPU", (value) => `${short(value)} %`, [{ of: ({ gpuPercent }) => gpuPercent }])]
      : []),
  ];
  return [first, second];
}

interface Kind {
  readonly of: (sample: ResourceSample) => number | null;
  readonly dashed?: boolean;
}

function summaryRow({ name, points }: RunHistory): string[] {
  const last = points.at(-1);
  const accuracies = points.flatMap(({ accuracy }) => accuracy === null ? [] : [accuracy]);
  const percent = (value: number | null | undefined) =>
    value === null || value === undefined ? "-" : `${(value * 100).toFixed(2)} %`;
  return [
    name,
    String(points.length),
    last === undefined ? "-" : short(last.seconds),
    last === undefined ? "-" : bytesText(last.bytes),
    percent(accuracies.length === 0 ? null : Math.max(...accuracies)),
    percent(last?.accuracy),
    last?.loss == null ? "-" : short(last.loss),
  ];
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${short(value)} ${units[unit]}`;
}
