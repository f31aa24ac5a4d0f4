/** Puts drawings on one page: an SVG, and an HTML page that needs nothing else. Pure. */
import type { Drawing } from "./line_chart.ts";
import { escaped, text } from "./svg.ts";

/** Drawings side by side. */
export type Row = readonly Drawing[];

/** What a page shows. */
export interface Page {
  readonly title: string;
  /** What each colour stands for, in order. */
  readonly legend: readonly string[];
  readonly rows: readonly Row[];
  /** A table below the drawings: its first row holds titles. */
  readonly table: readonly (readonly string[])[];
}

/** Light and dark tones of the colours, told apart by people who see few. */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#1d6fdc", "#60a5fa"],
  ["#d9480f", "#fb923c"],
  ["#2b8a3e", "#69db7c"],
  ["#9c36b5", "#da77f2"],
  ["#c92a2a", "#ff8787"],
  ["#0b7285", "#3bc9db"],
  ["#866118", "#ffd43b"],
  ["#495057", "#ced4da"],
];

/** How many colours there are; further things begin again with the first. */
export const COLOUR_COUNT = COLOURS.length;

const GAP = 12;
const LEGEND_COLUMN = 240;

function colourRules(tone: 0 | 1): string {
  return COLOURS.map((tones, i) =>
    `.line.c${i} { stroke: ${tones[tone]}; } .dot.c${i} { fill: ${tones[tone]}; }`
  ).join("\n  ");
}

const STYLE = `
  text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #374151; }
  .title { font-size: 14px; font-weight: 600; fill: #111827; }
  .back { fill: #ffffff; }
  .grid { stroke: #e5e7eb; } .axis { stroke: #6b7280; }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .dashed { stroke-dasharray: 5 4; }
  .training { fill: #1d6fdc; } .busy { fill: #a5c8f7; } .waiting { fill: #c9ced6; }
  .failed { fill: #c92a2a; }
  ${colourRules(0)}
  @media (prefers-color-scheme: dark) {
  text { fill: #d1d5db; } .title { fill: #f9fafb; } .back { fill: #111827; }
  .grid { stroke: #374151; } .axis { stroke: #9ca3af; }
  .busy { fill: #33507a; } .waiting { fill: #4b5563; }
  ${colourRules(1)}
  }`;

/** The page as one SVG image. */
export function pageSvg({ title, legend, rows }: Page): string {
  const width = Math.max(...rows.map(widthOf));
  const perLine = Math.max(1, Math.floor(width / LEGEND_COLUMN));
  const legendHeight = Math.ceil(legend.length / perLine) * 20;
  let top = 36 + legendHeight + GAP;
  const placed = rows.flatMap((row) => {
    const y = top;
    top += Math.max(...row.map(({ height }) => height)) + GAP;
    let left = 0;
    return row.map(({ width, content }) => {
      const x = left;
      left += width + GAP;
      return `<g transform="translate(${x} ${y})">\n${content}\n</g>`;
    });
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" ` +
    `height="${top}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="back" width="${width}" height="${top}"/>`,
    text(title, 16, 26, "start", "title"),
    ...legend.flatMap((label, i) => {
      const x = 16 + (i % perLine) * LEGEND_COLUMN;
      const y = 44 + Math.floor(i / perLine) * 20;
      return [
        `<line class="line c${i % COLOUR_COUNT}" x1="${x}" x2="${x + 24}" y1="${y}" y2="${y}"/>`,
        text(label, x + 30, y + 4, "start"),
      ];
    }),
    ...placed,
    "</svg>\n",
  ].join("\n");
}

/** The page as HTML: the image and the table, without scripts and without a word from elsewhere. */
export function pageHtml(page: Page): string {
  const [titles = [], ...lines] = page.table;
  const cells = (row: readonly string[], tag: string) =>
    `<tr>${row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(page.title)}</title>
<style>
  :root { color-scheme: light dark; }
  body { margin: 24px; font: 14px system-ui, sans-serif; }
  svg { max-width: 100%; height: auto; }
  table { border-collapse: collapse; margin-top: 16px; }
  th, td { padding: 4px 12px; text-align: right; border-bottom: 1px solid #8884; }
  th:first-child, td:first-child { text-align: left; }
</style>
${pageSvg(page)}<table>
${cells(titles, "th")}
${lines.map((line) => cells(line, "td")).join("\n")}
</table>
</html>
`;
}

function widthOf(row: Row): number {
  return row.reduce((sum, { width }) => sum + width, 0) + GAP * (row.length - 1);
}
