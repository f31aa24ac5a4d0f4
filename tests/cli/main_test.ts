/** The program as a whole: help, version, exit codes, and what it does not load. */
import assert from "node:assert/strict";
import { commands } from "../../src/cli/commands.ts";
import { denoArgs, Folder, run, startCommand } from "./leader_world.ts";

Deno.test("flotilla --help lists every command with its summary", async () => {
  const { code, stdout } = await run(["--help"]);
  assert.equal(code, 0);
  for (const { name, summary } of commands) {
    assert.match(stdout, new RegExp(`^ +${name}\\b.*${summary.slice(0, 20)}`, "m"));
  }
});

Deno.test("flotilla without a command prints its help and exits with 2", async () => {
  const { code, stdout, stderr } = await run([]);
  assert.equal(code, 2);
  assert.match(stdout + stderr, /^Usage: flotilla/);
  assert.doesNotMatch(stderr, /error/);
});

Deno.test("flotilla --version names version, Deno and commit", async () => {
  const { code, stdout } = await run(["--version"]);
  assert.equal(code, 0);
  assert.match(stdout, /^flotilla \d+\.\d+\.\d+ \(Deno \d+\.\d+\.\d+, commit \w+\)\n$/);
});

for (const { name } of commands) {
  Deno.test(`flotilla ${name} --help gives examples`, async () => {
    const { code, stdout, stderr } = await run([name, "--help"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`Examples:\n  \\$ flotilla ${name}`));
  });
}

Deno.test("flotilla suggests the command and the flag that were meant", async () => {
  const command = await run(["sesion"]);
  assert.equal(command.code, 2);
  assert.equal(command.stderr, "error: unknown command 'sesion'\n(Did you mean session?)\n");
  const flag = await run(["ps", "--jsno"]);
  assert.equal(flag.code, 2);
  assert.equal(flag.stderr, "error: unknown option '--jsno'\n(Did you mean --json?)\n");
});

Deno.test("flotilla refuses a missing argument and one too many with 2", async () => {
  assert.equal((await run(["session"])).code, 2);
  assert.equal((await run(["stop", "a", "b"])).code, 2);
});

Deno.test("flotilla prints a stack only when FLOTILLA_DEBUG is 1", async () => {
  const args = ["ps", "--federated-server-endpoint", "nowhere"];
  const plain = await run(args);
  assert.equal(plain.code, 2);
  assert.equal(plain.stderr.trim().split("\n").length, 1);
  const debug = await run(args, { env: { FLOTILLA_DEBUG: "1" } });
  assert.match(debug.stderr, /UsageError: .*\n +at /);
});

Deno.test("flotilla session --help loads neither tfjs nor grpc nor mqtt nor the server", async () => {
  const root = new URL("../../", import.meta.url);
  const manifest = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const heavy = /tensorflow|grpc|mqtt|aedes|ioredis|hono|mnist/;
  const imports = Object.entries<string>(manifest.imports).map(([name, target]) =>
    [name, heavy.test(name) ? "file:///nowhere/heavy.ts" : target] as const
  );
  await using folder = await new Folder().write({
    // Whatever loads one of the heavy packages fails with this map.
    "deno.json": JSON.stringify({ ...manifest, imports: Object.fromEntries(imports), lock: false }),
  });
  const config = ["--config", `${folder.path}/deno.json`];
  const flotilla = (...args: string[]) =>
    startCommand(Deno.execPath(), [
      "run",
      "-A",
      "-q",
      "--no-check",
      ...config,
      new URL("main.ts", root).href,
      ...args,
    ]);
  await using help = flotilla("session", "--help");
  assert.equal(await help.exit(), 0, help.stderr);
  await using broken = startCommand(Deno.execPath(), [
    "eval",
    "-q",
    ...config,
    `await import("${new URL("src/server/rest.ts", root)}")`,
  ]);
  assert.notEqual(await broken.exit(), 0, "the map does not stop what it should stop");
});

Deno.test("flotilla ends quietly when whoever reads its output has gone", async () => {
  const flotilla = [Deno.execPath(), ...denoArgs(["config", "--schema", "session"])];
  const words = flotilla.map((word) => `'${word}'`).join(" ");
  await using process = startCommand("/bin/sh", ["-c", `${words} | true`]);
  await process.exit();
  assert.equal(process.stderr, "");
});
