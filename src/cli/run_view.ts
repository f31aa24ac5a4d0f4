/** The three ways to show a run: a live table, plain lines, or JSON. */
import type { Clock } from "../core/clock.ts";
import type { StreamItem } from "../session/events.ts";
import { coloursFor } from "./colours.ts";
import type { Output } from "./output.ts";
import { linesOf } from "./run_lines.ts";
import type { RunProgress } from "./run_progress.ts";

/** Someone to whom a run is shown. */
export interface RunView {
  /** Takes one item, with what was known before and with it. */
  take(item: StreamItem, before: RunProgress, after: RunProgress): void;
  /** The connection to the leader broke (false) or stands again (true). */
  connection(connected: boolean): void;
  /** Nothing follows. */
  close(): void;
}

/** The view that fits an output; `json` wins over what the output is. */
export async function runViewFor(output: Output, json: boolean, clock: Clock): Promise<RunView> {
  if (json) return jsonView(output);
  if (!output.isTerminal) return plainView(output);
  const { LiveRun } = await import("./live_run.ts");
  const live = new LiveRun(output, coloursFor(output), clock);
  return {
    take: (_item, _before, after) => live.show(after),
    connection: (connected) => live.note(connected ? "" : BROKEN),
    close: () => live.close(),
  };
}

const BROKEN = "connection to the server is broken: trying again";

function plainView(output: Output): RunView {
  return {
    take(item, before, after) {
      for (const line of linesOf(before, item, after)) output.write(`${line}\n`);
    },
    connection(connected) {
      output.write(`${connected ? "connected again" : BROKEN}\n`);
    },
    close() {},
  };
}

/** Journal entries as they are, `{seq, at, event}`, and notes as `{note}`. */
function jsonView(output: Output): RunView {
  return {
    take(item) {
      const line = item.kind === "event" ? item.entry : { note: item.note };
      output.write(`${JSON.stringify(line)}\n`);
    },
    connection() {},
    close() {},
  };
}
