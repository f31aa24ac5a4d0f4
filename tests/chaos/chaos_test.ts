/** A run cannot be lost: a short campaign, the same at every time. */
import assert from "node:assert/strict";
import { installedProgram, MOSQUITTO, REDIS } from "../../tools/installed_program.ts";
import { campaign, faultKinds } from "./campaign.ts";
import type { ChaosStrategy } from "./runs.ts";

const needed = [MOSQUITTO, REDIS].filter((program) => installedProgram(program) === null);
/** The relays listen on 127.0.0.2, which only Linux has without being told. */
const ignore = needed.length > 0 || Deno.build.os !== "linux";
const reason = ignore ? ` (skipped: needs Linux ${needed.map(({ name }) => name).join(", ")})` : "";

function passes(name: string, kills: number, strategy: ChaosStrategy): void {
  Deno.test({
    name: `${name}${reason}`,
    ignore,
    async fn() {
      const lines: string[] = [];
      const report = await campaign({
        seed: 20260101,
        kills,
        store: "sqlite",
        strategy,
        broker: "mosquitto",
        faults: new Set(faultKinds),
        say: (line) => lines.push(line),
      });
      assert.equal(report.problem, null, `${report.problem}\n${lines.join("\n")}`);
      assert.ok(report.kills >= kills, `${report.kills} kills`);
    },
  });
}

passes("25 kills and what else can happen do not change the model", 25, "fedavg");
passes("10 kills lose and double no update of an asynchronous run", 10, "fedasync");
