/** `deno task dev` for real, in a copy of the tree whose source can be changed. */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { Program } from "../fixtures/federation.ts";
import { freePort } from "../fixtures/free_port.ts";
import { projectRoot } from "../../tools/project.ts";

const PARTS = ["main.ts", "deno.json", "deno.lock", "src", "proto", "models", "tools"];

async function copyOfTree(): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "flotilla_dev_test_" });
  for (const part of PARTS) {
    await cp(join(projectRoot, part), join(copy, part), { recursive: true });
  }
  await Deno.mkdir(join(copy, "tmp"));
  return copy;
}

/** The first of four ports in a row of which none was in use. */
async function freeBlock(): Promise<number> {
  for (;;) {
    const first = await freePort();
    if (first < 65_000 && [0, 1, 2, 3].every((i) => isFree(first + i))) return first;
  }
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

/** What is running once all three have started for the `times`-th time. */
function started(times: number): RegExp {
  const each = (text: string) => `(?=(?:[^]*${text}){${times}})`;
  return new RegExp(
    `^${each("server   \\|.*Ready")}${each("workstation_1 listens")}${
      each("workstation_2 listens")
    }`,
  );
}

Deno.test("tools/dev.ts starts three processes, again after a change, and leaves nothing", async () => {
  const copy = await copyOfTree();
  try {
    const [rest, mqtt, grpc] = [await freePort(), await freePort(), await freeBlock()];
    await using dev = new Program(
      [
        ...["--rest-port", `${rest}`, "--mqtt-port", `${mqtt}`, "--grpc-port", `${grpc}`],
        ...["--items", "50", "--data", join(copy, "data")],
      ],
      copy,
      { TMPDIR: join(copy, "tmp") },
      [Deno.execPath(), "run", "-q", "-A", join(copy, "tools/dev.ts")],
    );
    await dev.says(started(1), 60_000);
    const source = join(copy, "src/core/ids.ts");
    await Deno.writeTextFile(source, `${await Deno.readTextFile(source)}\n// Changed.\n`);
    await dev.says(/src\/core\/ids\.ts changed: starting again/);
    await dev.says(started(2), 60_000);
    assert.doesNotMatch(dev.printed(), /ended by itself/);
    // deno-lint-ignore no-control-regex -- the colours of a terminal
    assert.doesNotMatch(dev.printed(), /\x1b\[/);

    dev.kill("SIGINT");
    assert.equal(await dev.exitCode(), 0, dev.printed());
    assert.equal(dev.stdout.match(/\| ended$/gm)?.length, 6, dev.printed());
    const ports = [rest, mqtt, grpc, grpc + 1, grpc + 2, grpc + 3];
    assert.deepEqual(ports.filter((port) => !isFree(port)), []);
    assert.deepEqual([...Deno.readDirSync(join(copy, "tmp"))].map(({ name }) => name), []);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});

Deno.test("tools/dev.ts refuses a port that is no number, with what is allowed", async () => {
  await using dev = new Program(["--rest-port", "high"], projectRoot, {}, [
    ...[Deno.execPath(), "run", "-q", "-A", "tools/dev.ts"],
  ]);
  assert.equal(await dev.exitCode(), 2);
  assert.match(
    dev.stderr,
    /^error: Cannot use --rest-port "high": a whole number from 1 to 65535 is needed$/m,
  );
});
