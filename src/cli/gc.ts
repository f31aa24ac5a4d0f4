/** `flotilla gc`: frees what no run needs in a server's state. */
import type { Command } from "commander";
import { examples } from "./command.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { LeaderApi } from "./leader_api.ts";
import { standardOutput } from "./output.ts";
import { bytesText } from "./quantities.ts";

interface GcFlags {
  readonly federatedServerEndpoint: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const WHAT = `
Freed are weights of old rounds beyond what session_config.keep_rounds keeps (its last rounds, the
best one's, each checkpoint's), and what no run names, such as after a crash. What a run needs to go
on, to be restored or forked stays.
`;

/** Adds flags and the action. */
export function define(command: Command): void {
  command
    .addOption(endpointOption())
    .option("--dry-run", "only say how much it would be")
    .addOption(jsonOption())
    .addHelpText("after", WHAT + examples("flotilla gc --dry-run", "flotilla gc"))
    .action(collect);
}

async function collect(flags: GcFlags): Promise<void> {
  const found = await new LeaderApi(flags.federatedServerEndpoint).collectGarbage(
    flags.dryRun ?? false,
  );
  if (flags.json) return standardOutput.write(`${JSON.stringify(found)}\n`);
  const verb = found.dry_run ? "would free" : "freed";
  standardOutput.write(
    `${verb} ${bytesText(found.bytes)} in ${found.blobs} files; ` +
      `${bytesText(found.kept_bytes)} in ${found.kept_blobs} files stay\n`,
  );
  if (found.unknown_blobs > 0) {
    standardOutput.write(
      `${found.unknown_blobs} of them belong to no run that is known: try again when no run is ` +
        "under way\n",
    );
  }
}
