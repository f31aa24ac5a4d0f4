/** Flags that several commands share, and the two spellings of long ones. */
import { Option } from "commander";

/** Where a server's REST port is by default. */
export const DEFAULT_ENDPOINT = "localhost:12345";

/** The flag that says which server to talk to. */
export function endpointOption(): Option {
  return new Option("--federated-server-endpoint <host:port>", "REST endpoint of the server")
    .default(DEFAULT_ENDPOINT);
}

/** The flag that asks for one JSON object per line instead of tables. */
export function jsonOption(): Option {
  return new Option("--json", "print JSON, one object per line");
}

/**
 * Spells long flags with `-` where the user wrote `_`: `--client_num=1` becomes `--client-num=1`.
 * Values, short flags, and all that follows a lone `--` stay as they are.
 */
export function spellFlags(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.map((arg, i) => {
    if (!arg.startsWith("--") || (end >= 0 && i >= end)) return arg;
    const [flag, ...value] = arg.split("=");
    return [flag!.replaceAll("_", "-"), ...value].join("=");
  });
}
