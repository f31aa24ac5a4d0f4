/** How many items of each label every client has, as stacked bars. Pure: counts in, SVG out. */
import { escaped, imageStyle, niceAbove, rounded, text } from "./svg.ts";

/** One client's bar. */
export interface PartitionBar {
  readonly name: string;
  /** Items by label, in the order of `labels`. */
  readonly counts: readonly number[];
}

const FRAME = { left: 72, top: 56, height: 320 };
const LEGEND_WIDTH = 110;
/** More labels than this are neighbours that cannot be told apart, so the legend leaves some out. */
const LEGEND_ROWS = 20;

/**
 * The image of a partition.
 *
 * @param labels names of the labels; one name if the items have none
 */
export function partitionPlot(
  title: string,
  labels: readonly string[],
  bars: readonly PartitionBar[],
): string {
  const pitch = Math.min(48, Math.max(6, 640 / bars.length));
  const right = FRAME.left + Math.max(240, pitch * bars.length + 16);
  const width = right + LEGEND_WIDTH;
  const bottom = FRAME.top + FRAME.height;
  const height = bottom + 56;
  const totals = bars.map(({ counts }) => counts.reduce((sum, count) => sum + count, 0));
  const most = niceAbove(Math.max(...totals));
  const yOf = (items: number) => rounded(bottom - items / most * FRAME.height);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    imageStyle({ light: "", dark: "" }),
    `<rect class="back" width="${width}" height="${height}"/>`,
    text(title, FRAME.left, 28, "start", "title"),
    ...[0, 1, 2, 3, 4, 5].flatMap((fifth) => {
      const y = yOf(most * fifth / 5);
      const look = fifth === 0 ? "axis" : "grid";
      return [
        `<line class="${look}" x1="${FRAME.left}" x2="${right}" y1="${y}" y2="${y}"/>`,
        text(String(Number((most * fifth / 5).toPrecision(3))), FRAME.left - 8, y + 4, "end"),
      ];
    }),
    ...bars.flatMap((bar, i) => {
      const x = rounded(FRAME.left + 8 + i * pitch);
      return stack(bar, labels, x, rounded(pitch * 0.8), yOf);
    }),
    ...barNames(bars, pitch, bottom),
    text("client", (FRAME.left + right) / 2, bottom + 44, "middle"),
    ...legend(labels, right + 12),
    "</svg>\n",
  ].join("\n");
}

function stack(
  { name, counts }: PartitionBar,
  labels: readonly string[],
  x: number,
  width: number,
  yOf: (items: number) => number,
): string[] {
  let below = 0;
  return counts.flatMap((count, label) => {
    if (count === 0) return [];
    const lower = yOf(below);
    below += count;
    const upper = yOf(below);
    const tip = escaped(`client ${name}, label ${labels[label]}: ${count} items`);
    return [
      `<rect x="${x}" y="${upper}" width="${width}" height="${rounded(lower - upper)}" ` +
      `fill="${colourOf(label, labels.length)}"><title>${tip}</title></rect>`,
    ];
  });
}

/** As many names as fit below the bars. */
function barNames(bars: readonly PartitionBar[], pitch: number, bottom: number): string[] {
  const step = Math.ceil(28 / pitch);
  return bars.flatMap(({ name }, i) =>
    i % step === 0
      ? [text(name, rounded(FRAME.left + 8 + i * pitch + pitch * 0.4), bottom + 20, "middle")]
      : []
  );
}

function legend(labels: readonly string[], x: number): string[] {
  const step = Math.ceil(labels.length / LEGEND_ROWS);
  return labels.flatMap((label, i) => {
    if (i % step !== 0) return [];
    const y = FRAME.top + i / step * 18;
    return [
      `<rect x="${x}" y="${y}" width="12" height="12" fill="${colourOf(i, labels.length)}"/>`,
      text(label, x + 18, y + 11, "start"),
    ];
  });
}

/** Hues around the circle, every second one darker, so that neighbours differ. */
function colourOf(label: number, labels: number): string {
  const hue = Math.round(label / labels * 330 + 210) % 360;
  return `hsl(${hue} 62% ${label % 2 === 0 ? 56 : 42}%)`;
}
