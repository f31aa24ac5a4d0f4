/** What a session leaves unsaid of its model, the model package's own `config.yaml` says. */
import { parseConfig } from "../config/load.ts";
import { modelConfigSchema } from "../config/model_config.ts";
import type { SessionConfig } from "../config/session_config.ts";
import type { JsonObject } from "../core/json.ts";
import type { ModelPackage } from "../core/model_package.ts";

const FILE = "config.yaml";

/**
 * A session config whose `model_args` are the package's, each overridden by the session's own.
 *
 * @throws {ConfigError} the package's `config.yaml` is not valid: names line and key
 */
export function withModelDefaults(
  config: SessionConfig,
  modelPackage: ModelPackage,
): SessionConfig {
  if (modelPackage.files[FILE] === undefined) return config;
  const model_args = { ...packageModelArgs(modelPackage), ...config.model_config.model_args };
  return { ...config, model_config: { ...config.model_config, model_args } };
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
