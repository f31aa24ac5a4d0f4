/** What a session leaves unsaid of its model, the model package's own `config.yaml` says. */
import { parseConfig } from "../config/load.ts";
import { modelConfigSchema } from "../config/model_config.ts";
import type { SessionConfig } from "../config/session_config.ts";
import type { ModelPackage } from "../core/model_package.ts";

const FILE = "config.yaml";

/**
 * A session config whose `model_args` are the package's, each overridden by the session's own.
 *
 * @throws {ConfigError} the package's `config.yaml` is not valid: names line and key
 */
export function withModelDefaults(
  config: SessionConfig,
  { id, files }: ModelPackage,
): SessionConfig {
  const bytes = files[FILE];
  if (bytes === undefined) return config;
  const text = new TextDecoder().decode(bytes);
  const { default_training_config: defaults } = parseConfig(
    modelConfigSchema,
    text,
    `${id}/${FILE}`,
  );
  const model_args = { ...defaults.model_args, ...config.model_config.model_args };
  return { ...config, model_config: { ...config.model_config, model_args } };
}
