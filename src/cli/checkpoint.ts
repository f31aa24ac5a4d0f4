/** `flotilla checkpoint inspect FILE`: what a checkpoint holds, and whether it is intact. */
import type { Command } from "commander";
import type { Evaluation } from "../core/metrics.ts";
import { openCheckpoint } from "../server/checkpoint.ts";
import type { RoundRecord } from "../session/state.ts";
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
  const measured = lastMeasured(state.rounds);
  if (json) {
    const validation = measured && { round: measured.round, ...measured.validation };
    const facts = { ...about, parent, parameters, clients, validation, bytes, members, config };
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
    ...(measured === null ? [] : [["validation", validationText(measured, about.round)] as const]),
    ["journal", `${about.entries} entries`],
    ["content", `${members.length} files, ${bytesText(bytes)}, all intact`],
  ];
  for (const [name, text] of rows) standardOutput.write(`${name.padEnd(12)}${text}\n`);
}

/** A round whose global weights were evaluated on the leader's validation set. */
interface MeasuredRound extends Pick<RoundRecord, "round"> {
  readonly validation: Evaluation;
}

/** The last round whose weights were evaluated; null if none was. */
export function lastMeasured(
  rounds: readonly Pick<RoundRecord, "round" | "validation">[],
): MeasuredRound | null {
  const last = rounds.findLast(({ validation }) => validation !== null);
  return last === undefined ? null : { round: last.round, validation: last.validation! };
}

/**
 * A checkpoint is written before its own round is evaluated, as a run must not wait for that: where
 * the quality is of an earlier round's weights, the text says so.
 *
 * @param round the one whose weights the checkpoint holds
 */
export function validationText(measured: MeasuredRound, round: number): string {
  const { accuracy, loss } = measured.validation;
  const quality = `accuracy ${percentText(accuracy)}, loss ${lossText(loss)}`;
  return measured.round === round
    ? quality
    : `${quality} after round ${measured.round}; round ${round} had not been measured when this was written`;
}
