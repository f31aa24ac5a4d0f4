/** Ctrl-C in a command that follows a run, in a process that would go on by itself. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startCommand } from "./leader_world.ts";

const MODULE = new URL("../../src/cli/follow_run.ts", import.meta.url).href;
const CONFIG_FILE = fileURLToPath(new URL("../../deno.json", import.meta.url));

Deno.test("interruptSignal() aborts at the first Ctrl-C and ends the process at the second", async () => {
  const program = `
    import { interruptSignal } from ${JSON.stringify(MODULE)};
    interruptSignal().addEventListener("abort", () => console.log("detached"));
    setInterval(() => {}, 1000);
    console.log("waiting");
  `;
  const args = ["eval", "-q", "--config", CONFIG_FILE, program];
  await using process = startCommand(Deno.execPath(), args);
  await process.printed("waiting");
  process.child.kill("SIGINT");
  await process.printed("detached");
  process.child.kill("SIGINT");
  assert.equal(await process.exit(), 130, process.stderr);
});
