/** JSON Schema of every kind of configuration, for editors and for `flotilla config --schema`. */
import { toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { clientConfigSchema } from "./client_config.ts";
import { datasetConfigSchema } from "./dataset_config.ts";
import { modelConfigSchema } from "./model_config.ts";
import { serverConfigSchema } from "./server_config.ts";
import { sessionConfigSchema } from "./session_config.ts";

/** The schema of each kind of file. */
export const configSchemas = {
  server: serverConfigSchema,
  client: clientConfigSchema,
  session: sessionConfigSchema,
  dataset: datasetConfigSchema,
  model: modelConfigSchema,
} satisfies Record<string, GenericSchema>;

/** A kind of configuration file. */
export type ConfigKind = keyof typeof configSchemas;

/** The kinds, in the order in which they are listed to people. */
export const CONFIG_KINDS = Object.keys(configSchemas) as readonly ConfigKind[];

/** JSON Schema (draft 7) of what may be written, with a description and default for each key. */
export function jsonSchemaOf(kind: ConfigKind): Readonly<Record<string, unknown>> {
  const schema = toJsonSchema(configSchemas[kind], {
    typeMode: "input",
    // Rules that JSON Schema cannot say are checked when the file is read.
    errorMode: "ignore",
    // Free-form arguments.
    overrideSchema: ({ valibotSchema }) =>
      valibotSchema.type === "custom" ? { type: "object" } : undefined,
  });
  return { title: `Flotilla ${kind} configuration`, ...schema };
}
