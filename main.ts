/**
 * The `flotilla` command: finds the subcommand, loads it alone, and turns what goes wrong into one
 * line on stderr and an exit code.
 */
import { Command, CommanderError } from "commander";
import { commands } from "./src/cli/commands.ts";
import { coloursFor } from "./src/cli/colours.ts";
import { examples } from "./src/cli/command.ts";
import { spellFlags } from "./src/cli/flags.ts";
import { errorOutput, OutputClosedError, standardOutput } from "./src/cli/output.ts";
import { ExitCode, FlotillaError, messageOf } from "./src/core/errors.ts";
import { versionLine } from "./src/core/version.ts";

/**
 * Runs one command line.
 *
 * @returns the exit code: that of the error, or what the command left in `Deno.exitCode`
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const words = spellFlags(args);
    const program = await programFor(words[0] === "help" ? words[1] : words[0]);
    await program.parseAsync(words, { from: "user" });
    return Deno.exitCode;
  } catch (error) {
    return report(error);
  }
}

async function programFor(name: string | undefined): Promise<Command> {
  const program = new Command("flotilla")
    .description("Federated learning: one server, many clients, a model that learns from all.")
    .version(versionLine())
    .addHelpText(
      "after",
      examples("flotilla server", "flotilla client --client-num 1", "flotilla session config.yaml"),
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => standardOutput.write(text),
      writeErr: (text) => errorOutput.write(text),
      // Commander's own errors begin with "error: "; report() prints them like all others.
      outputError: () => {},
      getOutHelpWidth: () => standardOutput.size().columns,
    });
  for (const entry of commands) {
    const command = program.command(entry.name).description(entry.summary);
    if (entry.name === name) (await entry.load()).define(command);
  }
  return program;
}

function report(error: unknown): number {
  if (error instanceof OutputClosedError) return ExitCode.failed;
  if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.ok;
  // Called without a subcommand: the help has been printed and says it all.
  if (error instanceof CommanderError && error.code === "commander.help") return ExitCode.usage;
  const colours = coloursFor(errorOutput);
  const known = error instanceof FlotillaError || error instanceof CommanderError;
  const message = messageOf(error).replace(/^error: /, "");
  errorOutput.write(`${colours.red("error:")} ${known ? "" : "unexpected: "}${message}\n`);
  if (Deno.env.get("FLOTILLA_DEBUG") === "1") errorOutput.write(`${(error as Error)?.stack}\n`);
  else if (!known) errorOutput.write("set FLOTILLA_DEBUG=1 to see where this comes from\n");
  if (error instanceof FlotillaError) return error.exitCode;
  return error instanceof CommanderError ? ExitCode.usage : ExitCode.failed;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
