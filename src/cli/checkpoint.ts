/** `flotilla checkpoint inspect FILE`: what a checkpoint holds, and whether it is intact. */
import type { Command } from "commander";
import { openCheckpoint } from "../server/checkpoint.ts";
import { examples } from "./command.ts";
import { jsonOption } from "./flags.ts";
import { standardOutput } from "./output.ts";
import { bytesText, countText, lossText, percentText } from "./quantities.ts";

const EXAMPLES = examples(
  "flotilla checkpoint inspect checkpoint/3f2c9a50-7c1e-4d4b-9d0e-3c4f7a1b2d5e_4.flotilla",
  "flotilla checkpoint inspect run_4.flotilla --json | jq .weights",
);

/** Adds the command `inspect`. */
export function define(command: Command): void {
  command.addHelpText("after", EXAMPLES);
  command.command("inspect")
    .description("print what a checkpoint holds, after checking all of it")
    .argument("<file>", "a file SESSION_ROUND.flotilla")
    .addOption(jsonOption())
    .addHelpText("after", EXAMPLES)
    .action(inspect);
}

async function inspect(file: string, { json = false }: { readonly json?: boolean }): Promise<void> {
  using checkpoint = await openCheckpoint(file);
  const { about, archive: { bytes, members }, state } = checkpoint;
  const { config, parameters, parent } = state;
  const clients = state.rounds.at(-1)!.selected.map(({ name }) => name);
  const validation = state.rounds.findLast((round) => round.validation)?.validation ?? null;
  if (json) {
    const facts = { ...about, parent, parameters, clients, bytes, members, config };
    return standardOutput.write(`${JSON.stringify(facts)}\n`);
  }
  const { session_config: { aggregator, client_selection }, client_training_config } = config;
  const rows: readonly (readonly [string, string])[] = [
    ["session", about.session],
    ...(parent === null
      ? []
      : [["fork of", `${parent.session} after round ${parent.round}`] as const]),
    ["round", `${about.round} of ${about.rounds_total}`],
    ["written", `${about.written_at} by Flotilla ${about.flotilla}`],
    ["model", `${about.model}, ${countText(parameters ?? 0)} parameters`],
    ["weights", about.weights],
    ["seed", `${about.seed}`],
    ["dataset", client_training_config.dataset],
    ["strategies", `${aggregator}, ${client_selection}`],
    ["clients", clients.join(", ")],
    ...(validation === null ? [] : [
      [
        "validation",
        `accuracy ${percentText(validation.accuracy)}, loss ${lossText(validation.loss)}`,
      ] as const,
    ]),
    ["journal", `${about.entries} entries`],
    ["content", `${members.length} files, ${bytesText(bytes)}, all intact`],
  ];
  for (const [name, text] of rows) standardOutput.write(`${name.padEnd(12)}${text}\n`);
}
