/** `flotilla new strategy NAME`: writes a strategy of one's own to start from, with its types. */
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { FileAccessError, messageOf } from "../core/errors.ts";
import type { StrategyKind } from "../custom/custom_strategy.ts";
import { STRATEGIES, STRATEGY_TYPES, TYPES_FILE } from "../custom/template.ts";
import { examples } from "./command.ts";
import { standardOutput } from "./output.ts";

interface NewFlags {
  readonly kind: StrategyKind;
  readonly out: string;
}

/** Adds the command `strategy`. */
export function define(command: Command): void {
  command.addHelpText(
    "after",
    examples(
      "flotilla new strategy my_mean",
      "flotilla new strategy my_choice --kind client_selection --out strategies",
    ),
  );
  command.command("strategy")
    .description("write NAME.ts, a strategy to change, and the types that it has")
    .argument("<name>", "name of the file, without .ts", strategyName)
    .addOption(
      new Option("--kind <kind>", "what it decides")
        .choices(Object.keys(STRATEGIES)).default("aggregator"),
    )
    .option("--out <folder>", "where to write", ".")
    .action(newStrategy);
}

function strategyName(text: string): string {
  if (/^[\w-]+$/.test(text)) return text;
  throw new InvalidArgumentError('It must be letters, digits, "_" and "-".');
}

async function newStrategy(name: string, { kind, out }: NewFlags): Promise<void> {
  const file = resolve(out, `${name}.ts`);
  try {
    await Deno.mkdir(out, { recursive: true });
    // Never over a strategy that somebody has worked on.
    await Deno.writeTextFile(file, STRATEGIES[kind], { createNew: true });
    await Deno.writeTextFile(resolve(out, TYPES_FILE), STRATEGY_TYPES);
  } catch (error) {
    const reason = error instanceof Deno.errors.AlreadyExists
      ? "it is there already: choose another name"
      : messageOf(error);
    throw new FileAccessError(`Cannot write "${file}": ${reason}`);
  }
  standardOutput.write(
    `${file}\nUse it with\n\n  session_config:\n    ${kind}: ./${name}.ts\n`,
  );
}
