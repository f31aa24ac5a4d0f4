/**
 * `deno task chaos`: proves that a run cannot be lost, by a campaign of kills and disturbances on
 * real processes. One line a fault, a summary, and exit code 1 with the seed if anything differs.
 */
import { parseArgs } from "node:util";
import { campaign, type FaultKind, faultKinds } from "./campaign.ts";
import type { ChaosStore, RigOptions } from "./rig.ts";
import { chaosRuns, type ChaosStrategy } from "./runs.ts";

const STORES = ["sqlite", "redis", "memory-client-only"];
const BROKERS = ["mosquitto", "embedded"];

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    kills: { type: "string", default: "25" },
    store: { type: "string", default: "sqlite" },
    strategy: { type: "string", default: "fedavg" },
    broker: { type: "string", default: "mosquitto" },
    faults: { type: "string", default: faultKinds.join(",") },
  },
});
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!);
const faults = new Set(values.faults.split(",") as FaultKind[]);
const kills = Number(values.kills);
const unknown = [...faults].find((kind) => !faultKinds.includes(kind));
const isKnown = STORES.includes(values.store) && BROKERS.includes(values.broker) &&
  Object.hasOwn(chaosRuns, values.strategy);
if (unknown !== undefined || !isKnown || !(kills >= 0) || !(seed >= 0)) {
  console.error(
    `Cannot read the flags: deno task chaos [--seed S] [--kills N] [--store ${STORES.join("|")}] ` +
      `[--strategy ${Object.keys(chaosRuns).join("|")}] [--broker ${BROKERS.join("|")}] ` +
      `[--faults ${faultKinds.join(",")}]`,
  );
  Deno.exit(2);
}
const store = values.store as ChaosStore;
if (store === "memory-client-only") faults.delete("leader");

const strategy = values.strategy as ChaosStrategy;
const broker = values.broker as RigOptions["broker"];
const say = (line: string) => console.log(line);
const report = await campaign({ seed, kills, store, strategy, broker, faults, say });
const sorted = report.resumesMs.toSorted((a, b) => a - b);
const ms = (value: number | undefined) => value === undefined ? "none" : `${Math.round(value)} ms`;
console.log(
  `${report.kills} kills and ${report.disturbances} disturbances in ${report.runs} runs, ` +
    `${report.seconds.toFixed(0)} s; ${sorted.length} resumptions, ` +
    `median ${ms(sorted[Math.floor(sorted.length / 2)])}, longest ${ms(sorted.at(-1))}`,
);
const which = `--seed ${seed} --store ${store} --strategy ${strategy} --broker ${broker}`;
if (report.problem !== null) {
  console.error(`FAILED with ${which}: ${report.problem}`);
  Deno.exit(1);
}
console.log(`ok: ${which}`);
Deno.exit(0);
