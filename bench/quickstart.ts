/** The quickstart's session config as data, so that a benchmark can change parts of it. */
import { parse } from "yaml";

const FILE = new URL("../examples/quickstart/config.yaml", import.meta.url);
const MODELS = new URL("../models/", import.meta.url).pathname;

/** The config with parts replaced; the model's folder is that of its id, absolute. */
export function quickstart(
  parts: Record<string, Record<string, unknown>> = {},
): Record<string, unknown> {
  const config = parse(Deno.readTextFileSync(FILE));
  for (const [section, keys] of Object.entries(parts)) {
    config[section] = { ...config[section], ...keys };
  }
  config.server_training_config.model_dir = `${MODELS}${config.client_training_config.model_id}`;
  return config;
}
