/** A run cannot be lost: a short campaign, the same at every time. */
import assert from "node:assert/strict";
import { installedProgram, MOSQUITTO, REDIS } from "../../tools/installed_program.ts";
import { campaign, faultKinds } from "./campaign.ts";

const needed = [MOSQUITTO, REDIS].filter((program) => installedProgram(program) === null);
/** The relays listen on 127.0.0.2, which only Linux has without being told. */
const ignore = needed.length > 0 || Deno.build.os !== "linux";
const reason = ignore ? ` (skipped: needs Linux ${needed.map(({ name }) => name).join(", ")})` : "";

Deno.test({
  name: `25 kills and what else can happen do not change the model${reason}`,
  ignore,
  async fn() {
    const lines: string[] = [];
    const report = await campaign({
      seed: 20260101,
      kills: 25,
      store: "sqlite",
      strategy: "fedavg",
      broker: "mosquitto",
      faults: new Set(faultKinds),
      say: (line) => lines.push(line),
    });
    assert.equal(report.problem, null, `${report.problem}\n${lines.join("\n")}`);
    assert.ok(report.kills >= 25, `${report.kills} kills`);
  },
});
