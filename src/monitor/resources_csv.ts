/** Samples as lines of CSV, written one by one and read back whole. */
import { open, readFile } from "node:fs/promises";
import type { ResourceSample } from "../core/resources.ts";

const COLUMNS: { readonly [column: string]: keyof ResourceSample } = {
  time_ms: "atMs",
  cpu_percent: "cpuPercent",
  rss_bytes: "rssBytes",
  virtual_bytes: "virtualBytes",
  swap_bytes: "swapBytes",
  threads: "threads",
  net_received_bytes: "netReceivedBytes",
  net_sent_bytes: "netSentBytes",
  disk_read_bytes: "diskReadBytes",
  disk_written_bytes: "diskWrittenBytes",
  gpu_percent: "gpuPercent",
};

/** The first line of every file. */
export const RESOURCES_HEADER = `${Object.keys(COLUMNS).join(",")}\n`;

/** One sample as a line; a cell is empty where nothing is known. */
export function resourcesLine(sample: ResourceSample): string {
  const cells = Object.values(COLUMNS).map((key) => {
    const value = sample[key];
    return value === null ? "" : String(Math.round(value * 100) / 100);
  });
  return `${cells.join(",")}\n`;
}

/** Adds a line to a file; a new one gets the header first. Its folder must exist. */
export async function appendSample(path: string, sample: ResourceSample): Promise<void> {
  const file = await open(path, "a");
  try {
    const header = (await file.stat()).size === 0 ? RESOURCES_HEADER : "";
    await file.write(header + resourcesLine(sample));
  } finally {
    await file.close();
  }
}

/** All samples of a file; none if there is no such file. A line cut short by a crash is left out. */
export async function readSamples(path: string): Promise<ResourceSample[]> {
  return parseSamples(await readFile(path, "utf8").catch(() => ""));
}

/** As {@link readSamples}, of text. */
export function parseSamples(text: string): ResourceSample[] {
  const [header = "", ...lines] = text.split("\n");
  const keys = header.split(",").map((column) => COLUMNS[column]);
  return lines.flatMap((line) => {
    const cells = line.split(",");
    if (cells.length !== keys.length || line.endsWith("\r")) return [];
    const sample = Object.fromEntries(
      Object.values(COLUMNS).map((key) => {
        const cell = cells[keys.indexOf(key)] ?? "";
        return [key, cell === "" ? null : Number(cell)];
      }),
    ) as unknown as ResourceSample;
    return Number.isFinite(sample.atMs) && sample.atMs > 0 ? [sample] : [];
  });
}
