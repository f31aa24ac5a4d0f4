/** What only a real terminal shows: colours, the live table, and two Ctrl-C. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { finishedRun } from "../fixtures/recorded_run.ts";
import { CONFIG_TEXT, denoArgs, Folder, LeaderWorld, startCommand } from "./leader_world.ts";

const script = ["/usr/bin/script", "/bin/script"].find((path) => existsSync(path)) ?? null;
const missing = script === null ? " (skipped: the program script is not installed)" : "";

for (
  const { env, coloured } of [
    { env: { NO_COLOR: "" }, coloured: true },
    { env: { NO_COLOR: "1" }, coloured: false },
  ]
) {
  Deno.test({
    name: `flotilla session on a terminal with NO_COLOR="${env.NO_COLOR}" draws ${
      coloured ? "with" : "without"
    } colours${missing}`,
    ignore: script === null,
    async fn() {
      await using leader = new LeaderWorld();
      await using folder = await new Folder().write({ "config.yaml": CONFIG_TEXT });
      const args = denoArgs(
        ["session", "config.yaml", "--federated-server-endpoint", leader.endpoint],
      );
      const command = [Deno.execPath(), ...args].map((word) => `'${word}'`).join(" ");
      await using process = startCommand(script!, ["-qec", command, "/dev/null"], {
        cwd: folder.path,
        env: { TERM: "xterm-256color", ...env },
      });
      await leader.service.until(() => leader.service.followers === 1);
      const events = finishedRun.slice(1).map(({ event }) => event);
      leader.service.add("session-1", ...events.slice(0, 2));
      await process.printed("workstation_1");
      leader.service.add("session-1", ...events.slice(2));
      assert.equal(await process.exit(), 0, process.stdout);
      assert.match(process.stdout, /3\/3 +2\/2/);
      assert.match(process.stdout, /finished: 3 rounds/);
      // deno-lint-ignore no-control-regex -- colours are what is looked for
      assert.equal(/\u001b\[3\dm/.test(process.stdout), coloured);
    },
  });
}

Deno.test("interruptSignal() aborts at the first Ctrl-C and ends the process at the second", async () => {
  const module = new URL("../../src/cli/follow_run.ts", import.meta.url);
  const program = `
    import { interruptSignal } from "${module}";
    const signal = interruptSignal();
    signal.addEventListener("abort", () => console.log("detaching"));
    console.log("ready");
    setInterval(() => {}, 1000);
  `;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  await using folder = await new Folder().write({ "program.ts": program });
  await using process = startCommand(Deno.execPath(), [
    "run",
    "-q",
    "-A",
    "--config",
    config,
    `${folder.path}/program.ts`,
  ]);
  await process.printed("ready");
  process.child.kill("SIGINT");
  await process.printed("detaching");
  process.child.kill("SIGINT");
  assert.equal(await process.exit(), 130);
});
