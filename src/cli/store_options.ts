/** Which store a `server_config.yaml` names. */
import type { ServerConfig } from "../config/server_config.ts";
import type { StoreOptions } from "../state/store.ts";

/** Where the server's config is if no flag says so. */
export const DEFAULT_SERVER_CONFIG = "config/server_config.yaml";

/** How to open the store that a config names. */
export function storeOptions({ state }: Pick<ServerConfig, "state">): StoreOptions {
  switch (state.state_location) {
    case "memory":
      return { kind: "memory" };
    case "sqlite":
      return { kind: "sqlite", folder: state.state_dir_path };
    case "redis":
      return { kind: "redis", hostname: state.state_hostname, port: state.state_port };
    default:
      return state.state_location satisfies never;
  }
}
