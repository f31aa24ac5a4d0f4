/** What a session leaves unsaid of its model, the model package's own `config.yaml` says. */
import { parseConfig } from "../config/load.ts";
import { modelConfigSchema } from "../config/model_config.ts";
import type { SessionConfig } from "../config/session_config.ts";
import { suggestion } from "../config/suggestion.ts";
import { ConfigError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { ModelPackage } from "../core/model_package.ts";

const FILE = "config.yaml";

/**
 * A session config whose `model_args` are the package's, each overridden by the session's own.
 *
 * @throws {ConfigError} the package's `config.yaml` is not valid: names line and key; the session
 * has an argument that is not among those which the package lists
 */
export function withModelDefaults(
  config: SessionConfig,
  modelPackage: ModelPackage,
): SessionConfig {
  if (modelPackage.files[FILE] === undefined) return config;
  const listed = packageModelArgs(modelPackage);
  const given = config.model_config.model_args;
  checkKnown(modelPackage.id, Object.keys(listed), Object.keys(given));
  const model_args = { ...listed, ...given };
  return { ...config, model_config: { ...config.model_config, model_args } };
}

/** A model would take no notice of an argument whose name is wrong. */
function checkKnown(id: string, listed: readonly string[], given: readonly string[]): void {
  const unknown = given.find((name) => !listed.includes(name));
  if (unknown === undefined || listed.length === 0) return;
  throw new ConfigError(
    `is not listed in default_training_config.model_args of ${id}/${FILE}` +
      suggestion(unknown, listed),
    { file: "session config", key: `model_config.model_args.${unknown}` },
  );
}

/**
 * The `model_args` of a package's own `config.yaml`; none if it has no such file.
 *
 * @throws {ConfigError} as {@link withModelDefaults}
 */
export function packageModelArgs({ id, files }: ModelPackage): JsonObject {
  const bytes = files[FILE];
  if (bytes === undefined) return {};
  const text = new TextDecoder().decode(bytes);
  return parseConfig(modelConfigSchema, text, `${id}/${FILE}`).default_training_config.model_args;
}
