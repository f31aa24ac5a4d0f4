/** `flotilla stop ID`: ends a run, or takes it out of the queue. */
import type { Command } from "commander";
import { examples } from "./command.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { LeaderApi } from "./leader_api.ts";
import { standardOutput } from "./output.ts";
import { givenUpText } from "./ps.ts";

interface StopFlags {
  readonly federatedServerEndpoint: string;
  readonly json?: boolean;
}

/** Adds arguments, flags and the action. */
export function define(command: Command): void {
  command
    .argument("<id>", "id of the run, or its first characters")
    .addOption(endpointOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("flotilla stop 3f2c"))
    .action(stopRun);
}

async function stopRun(start: string, flags: StopFlags): Promise<void> {
  const run = await new LeaderApi(flags.federatedServerEndpoint).stop(start);
  const { session_id: id, status, rounds_finished, rounds_total } = run;
  standardOutput.write(
    flags.json
      ? `${JSON.stringify({ session: id, status })}\n`
      : `session ${id} is ${status} after ${rounds_finished} of ${rounds_total} rounds` +
        `${givenUpText(run)}\n`,
  );
}
