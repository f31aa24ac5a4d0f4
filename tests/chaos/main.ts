/**
 * `deno task chaos`: proves that a run cannot be lost, by a campaign of kills and disturbances on
 * real processes. One line a fault, a summary, and exit code 1 with the seed if anything differs.
 */
import { parseArgs } from "node:util";
import { campaign, type FaultKind, faultKinds } from "./campaign.ts";
import type { ChaosStore } from "./rig.ts";

const STORES = ["sqlite", "redis", "memory-client-only"];

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    kills: { type: "string", default: "25" },
    store: { type: "string", default: "sqlite" },
    faults: { type: "string", default: faultKinds.join(",") },
  },
});
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!);
const faults = new Set(values.faults.split(",") as FaultKind[]);
const kills = Number(values.kills);
const unknown = [...faults].find((kind) => !faultKinds.includes(kind));
if (unknown !== undefined || !STORES.includes(values.store) || !(kills >= 0) || !(seed >= 0)) {
  console.error(
    `Cannot read the flags: deno task chaos [--seed S] [--kills N] [--store ${STORES.join("|")}] ` +
      `[--faults ${faultKinds.join(",")}]`,
  );
  Deno.exit(2);
}
const store = values.store as ChaosStore;
if (store === "memory-client-only") faults.delete("leader");

const report = await campaign({ seed, kills, store, faults, say: (line) => console.log(line) });
const sorted = report.resumesMs.toSorted((a, b) => a - b);
const ms = (value: number | undefined) => value === undefined ? "none" : `${Math.round(value)} ms`;
console.log(
  `${report.kills} kills and ${report.disturbances} disturbances in ${report.runs} runs, ` +
    `${report.seconds.toFixed(0)} s; ${sorted.length} resumptions, ` +
    `median ${ms(sorted[Math.floor(sorted.length / 2)])}, longest ${ms(sorted.at(-1))}`,
);
if (report.problem !== null) {
  console.error(`FAILED with --seed ${seed} --store ${store}: ${report.problem}`);
  Deno.exit(1);
}
console.log(`ok: --seed ${seed} --store ${store}`);
Deno.exit(0);
