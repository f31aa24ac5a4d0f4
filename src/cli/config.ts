/** `flotilla config`: the schemas of configuration files, and a check of one without running it. */
import { type Command, Option } from "commander";
import {
  CONFIG_KINDS,
  type ConfigKind,
  configSchemas,
  jsonSchemaOf,
} from "../config/json_schema.ts";
import { parseConfig, readConfigText } from "../config/load.ts";
import { noticesOf, sessionNotices } from "../config/notices.ts";
import { parseSessionConfig } from "../config/parse_session.ts";
import { UsageError } from "../core/errors.ts";
import { examples } from "./command.ts";
import { printNotices } from "./notices.ts";
import { standardOutput } from "./output.ts";
import { sessionRegistries } from "./session_registries.ts";

interface ConfigFlags {
  readonly schema?: ConfigKind;
  readonly check?: string;
  readonly kind: ConfigKind;
}

/** Adds flags and the action. */
export function define(command: Command): void {
  command
    .addOption(
      new Option("--schema <kind>", "print the JSON Schema of a kind of file")
        .choices(CONFIG_KINDS),
    )
    .option("--check <file>", "say what is wrong with a file")
    .addOption(
      new Option("--kind <kind>", "what the file to check is")
        .choices(CONFIG_KINDS).default("session"),
    )
    .addHelpText(
      "after",
      examples(
        "flotilla config --schema session > session.schema.json",
        "flotilla config --check config.yaml",
        "flotilla config --check config/server_config.yaml --kind server",
      ),
    )
    .action(runConfig);
}

async function runConfig({ schema, check, kind }: ConfigFlags): Promise<void> {
  if (schema === undefined && check === undefined) {
    throw new UsageError("Cannot tell what to do: --schema KIND or --check FILE is needed");
  }
  if (schema !== undefined) {
    standardOutput.write(`${JSON.stringify(jsonSchemaOf(schema), null, 2)}\n`);
  }
  if (check !== undefined) {
    const text = await readConfigText(check);
    if (kind === "session") {
      parseSessionConfig(text, check, sessionRegistries);
      printNotices(sessionNotices(text, check, sessionRegistries));
    } else {
      parseConfig(configSchemas[kind], text, check);
      printNotices(noticesOf(configSchemas[kind], text, check));
    }
    standardOutput.write(`${check} is a valid ${kind} configuration\n`);
  }
}
