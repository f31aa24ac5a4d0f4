/** `flotilla clients`: the clients that a server knows. */
import type { Command } from "commander";
import { examples } from "./command.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { type ClientRow, LeaderApi } from "./leader_api.ts";
import { printRows } from "./print_rows.ts";
import { countText, secondsText } from "./quantities.ts";
import type { Column } from "./table.ts";

interface ClientsFlags {
  readonly federatedServerEndpoint: string;
  readonly json?: boolean;
}

const COLUMNS: readonly Column[] = [
  { title: "NAME" },
  { title: "ID", dropped: 2 },
  { title: "ENDPOINT", dropped: 6 },
  { title: "STATE" },
  { title: "HEARTBEAT", align: "right", dropped: 5 },
  { title: "DATASETS", dropped: 4 },
  { title: "HARDWARE", dropped: 1 },
  { title: "MODELS", dropped: 3 },
];

/** Adds flags and the action. */
export function define(command: Command): void {
  command
    .addOption(endpointOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("flotilla clients", "flotilla clients --json"))
    .action(async (flags: ClientsFlags) => {
      const clients = await new LeaderApi(flags.federatedServerEndpoint).clients();
      const now = Date.now();
      printRows(COLUMNS, clients, (client) => cellsOf(client, now), {
        json: flags.json ?? false,
        none: `no clients yet: start one with "flotilla client --client-num 1"`,
      });
    });
}

/**
 * The cells of one client.
 *
 * @param now wall-clock milliseconds, for the age of its last heartbeat
 */
export function cellsOf(client: ClientRow, now: number): string[] {
  const age = Math.max(0, now - Date.parse(client.last_heartbeat)) / 1000;
  const datasets = Object.entries(client.datasets)
    .map(([name, items]) => `${name} (${countText(items)})`);
  const models = Object.entries(client.models).map(([id, hash]) => `${id}@${hash.slice(0, 8)}`);
  const { arch, cpu_core_count: cores, cuda_available: gpu } = client.hardware;
  return [
    client.name,
    client.client_id,
    client.endpoint,
    client.state,
    `${secondsText(age)} ago`,
    datasets.join(", ") || "-",
    `${arch}, ${cores} cores${gpu ? ", GPU" : ""}`,
    models.join(", ") || "-",
  ];
}
