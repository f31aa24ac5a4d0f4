/** Text and numbers of hand-written SVG images. Pure. */

/** A `text` element. @param look style class; none if empty */
export function text(content: string, x: number, y: number, anchor: string, look = ""): string {
  const style = look === "" ? "" : ` class="${look}"`;
  return `<text${style} x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

/** A coordinate with one digit after the point. */
export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The least of 1, 2, 2.5, 5 times a power of ten that is not below `value`; 1 for nothing. */
export function niceAbove(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((nice) => nice >= value) ??
    10 * power;
}

/** Text for XML; what XML 1.0 cannot hold at all becomes a space. */
export function escaped(content: string): string {
  return content
    // deno-lint-ignore no-control-regex -- control characters are what XML cannot hold
    .replace(/[\u0000-\u001f\u007f\ufffe\uffff]|[\ud800-\udfff]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** The style sheet of an image by itself, for light and dark pages. @param more rules of the image */
export function imageStyle(more: { readonly light: string; readonly dark: string }): string {
  return `<style>
  text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #374151; }
  .title { font-size: 16px; font-weight: 600; fill: #111827; }
  .back { fill: #ffffff; }
  .grid { stroke: #e5e7eb; }
  .axis { stroke: #6b7280; }${more.light}
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d5db; } .title { fill: #f9fafb; } .back { fill: #111827; }
    .grid { stroke: #374151; } .axis { stroke: #9ca3af; }${more.dark}
  }
</style>`;
}
