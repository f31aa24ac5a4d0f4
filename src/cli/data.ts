/** `flotilla data`: datasets before a run. Each of its commands is in a file of its own. */
import type { Command } from "commander";
import { examples } from "./command.ts";
import { defineInspect, INSPECT_EXAMPLES } from "./data_inspect.ts";
import { definePartition, PARTITION_EXAMPLES } from "./data_partition.ts";

/** Adds the commands below `data`. */
export function define(command: Command): void {
  definePartition(command.command("partition"));
  defineInspect(command.command("inspect"));
  command.addHelpText("after", examples(PARTITION_EXAMPLES[0]!, INSPECT_EXAMPLES[0]!));
}
