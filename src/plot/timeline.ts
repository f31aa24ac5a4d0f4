/** Who did what when: a row a client, a bar for each piece of work. Pure: spans in, SVG out. */
import { type Drawing, greatest, xTicks } from "./line_chart.ts";
import { escaped, rounded, text } from "./svg.ts";

/** What a client did for a while. */
export type Activity = "busy" | "training" | "waiting" | "failed";

/** A bar; seconds since the start of the run. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly activity: Activity;
  /** What a pointer over the bar tells. */
  readonly tip: string;
}

/** A row of a timeline. */
export interface TimelineRow {
  readonly name: string;
  readonly spans: readonly Span[];
}

const WIDTH = 1224;
const LEFT = 150;
const RIGHT = 1208;
const TOP = 56;
const MOST_PITCH = 22;
const NAME_LENGTH = 20;

/**
 * Draws a timeline.
 *
 * @param marks seconds at which a round finished
 */
export function timeline(
  title: string,
  rows: readonly TimelineRow[],
  marks: readonly number[],
): Drawing {
  const ends = rows.flatMap(({ spans }) => spans.map(({ to }) => to));
  const most = greatest([...ends, ...marks]) || 1;
  const xOf = (seconds: number) => rounded(LEFT + seconds / most * (RIGHT - LEFT));
  const pitch = rows.length > 40 ? 10 : MOST_PITCH;
  const bottom = TOP + Math.max(1, rows.length) * pitch;
  const content = [
    text(title, LEFT, 22, "start", "title"),
    ...legend(),
    ...marks.map((seconds) => {
      const x = xOf(seconds);
      return `<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 4}" y2="${bottom}"/>`;
    }),
    ...rows.flatMap(({ name, spans }, i) => {
      const y = TOP + i * pitch;
      const shown = name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH - 1)}…` : name;
      return [
        ...(pitch === MOST_PITCH || i % 2 === 0
          ? [text(shown, LEFT - 8, y + pitch / 2 + 4, "end")]
          : []),
        ...spans.map((span) => bar(span, xOf, y, pitch)),
      ];
    }),
    ...xTicks(most).flatMap((seconds) => {
      const x = xOf(seconds);
      return [
        `<line class="axis" x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 4}"/>`,
        text(`${Number(seconds.toPrecision(6))} s`, x, bottom + 18, "middle"),
      ];
    }),
  ].join("\n");
  return { width: WIDTH, height: bottom + 32, content };
}

function bar(
  { from, to, activity, tip }: Span,
  xOf: (s: number) => number,
  y: number,
  pitch: number,
) {
  const x = xOf(from);
  // What takes no time shall be seen too.
  const width = Math.max(1, rounded(xOf(to) - x));
  const thin = activity === "waiting" ? pitch * 0.3 : 0;
  return `<rect class="${activity}" x="${x}" y="${rounded(y + 2 + thin)}" width="${width}" ` +
    `height="${rounded(pitch - 4 - 2 * thin)}"><title>${escaped(tip)}</title></rect>`;
}

const ACTIVITIES: readonly (readonly [Activity, string])[] = [
  ["training", "trains"],
  ["busy", "receives, sends, or is about to train"],
  ["waiting", "waits for the others"],
  ["failed", "failed"],
];

function legend(): string[] {
  let x = LEFT;
  return ACTIVITIES.flatMap(([activity, meaning]) => {
    const at = x;
    x += 32 + meaning.length * 7;
    return [
      `<rect class="${activity}" x="${at}" y="34" width="12" height="12"/>`,
      text(meaning, at + 18, 45, "start"),
    ];
  });
}
