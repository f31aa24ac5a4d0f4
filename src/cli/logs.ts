/** `flotilla logs ID`: what has happened in a run so far, or until it ends. */
import type { Command } from "commander";
import { systemClock } from "../core/clock.ts";
import { examples } from "./command.ts";
import { followEvents } from "./event_stream.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { followToExit, interruptSignal } from "./follow_run.ts";
import { LeaderApi } from "./leader_api.ts";
import { standardOutput } from "./output.ts";
import { linesOf, stamped } from "./run_lines.ts";
import { advance, nothingYet } from "./run_progress.ts";

interface LogsFlags {
  readonly federatedServerEndpoint: string;
  readonly follow?: boolean;
  readonly json?: boolean;
}

/** Adds arguments, flags and the action. */
export function define(command: Command): void {
  command
    .argument("<id>", "id of the run, or its first characters")
    .addOption(endpointOption())
    .option("--follow", "watch the run to its end, as flotilla session does")
    .addOption(jsonOption())
    .addHelpText("after", examples("flotilla logs 3f2c", "flotilla logs 3f2c --follow"))
    .action(printLogs);
}

async function printLogs(start: string, flags: LogsFlags): Promise<void> {
  const leader = new LeaderApi(flags.federatedServerEndpoint);
  const json = flags.json ?? false;
  const { session_id: session, seq } = await leader.session(start);
  if (flags.follow) {
    await followToExit(leader, session, interruptSignal(), { output: standardOutput, json });
    return;
  }
  const signal = new AbortController().signal;
  let run = nothingYet;
  for await (const item of followEvents(leader, session, { clock: systemClock, signal })) {
    if (item.kind === "note") continue;
    const before = run;
    run = advance(run, item);
    const lines = json
      ? [JSON.stringify(item.entry)]
      : linesOf(before, item, run).map((line) => stamped(item.entry, line));
    for (const line of lines) standardOutput.write(`${line}\n`);
    // What comes after this happened after the user asked.
    if (item.entry.seq >= seq) return;
  }
}
