/** What a leader does when it can keep no more: the run pauses, and goes on when there is room. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Federation, type Program } from "../fixtures/federation.ts";
import { diskTest, SmallDisk } from "../fixtures/small_disk.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 300);
/** Room for the small results, not for the model of 400 kB. */
const TOO_SMALL_KB = 128;

/** A run that begins only with a second client, so that a test can act before. */
const waiting = runConfig({ session: { min_clients: 2 }, server: { num_training_rounds: 1 } });

async function oneClient(...serverArgs: string[]): Promise<Federation> {
  const federation = await Federation.start({ leaderData: data.leader, serverArgs });
  await federation.startClient(1, data.part(1));
  await federation.clientsActive(1);
  return federation;
}

function idOf(session: Program): string {
  return /^session (\S+)$/m.exec(session.stdout)![1]!;
}

async function statusOf(federation: Federation, id: string): Promise<unknown> {
  const { body } = await federation.api(`/api/v1/sessions/${id}`);
  return (body as { status: unknown }).status;
}

Deno.test("a run whose folder of results cannot be made pauses with its path, until it can", async () => {
  await using federation = await oneClient();
  const session = await federation.session(waiting);
  await session.says(/waiting for clients/);
  const inTheWay = join(await Deno.realPath(federation.folder), "runs", idOf(session));
  await Deno.writeTextFile(inTheWay, "");
  await federation.startClient(2, data.part(2));
  const [line] = await session.says(/paused: Cannot .* bytes are needed/);
  assert.ok(line.includes(inTheWay), line);
  await Deno.remove(inTheWay);
  assert.equal(await session.exitCode(), 0, session.printed());
  assert.match(session.stdout, /goes on after/);
});

diskTest(
  "a run pauses when the disk of its results is full, and goes on when there is room",
  async () => {
    using disk = SmallDisk.mount(TOO_SMALL_KB);
    await using federation = await oneClient("--runs-dir", disk.path);
    await federation.startClient(2, data.part(2));
    const session = await federation.session(waiting);
    const [line] = await session.says(/paused: .*no space is left.* bytes are needed/);
    assert.ok(line.includes(disk.path), line);
    disk.resize(64 * 1024);
    assert.equal(await session.exitCode(), 0, session.printed());
    assert.equal(await statusOf(federation, idOf(session)), "finished");
  },
);

diskTest(
  "a run pauses when the folder of results becomes read-only, and can be stopped",
  async () => {
    using disk = SmallDisk.mount(64 * 1024);
    await using federation = await oneClient("--runs-dir", disk.path);
    const session = await federation.session(waiting);
    await session.says(/waiting for clients/);
    disk.makeReadOnly();
    await federation.startClient(2, data.part(2));
    await session.says(/paused: .*read-only/);
    const stop = federation.ask("stop", idOf(session));
    assert.equal(await stop.exitCode(), 0, stop.printed());
    assert.equal(await statusOf(federation, idOf(session)), "stopped");
    const next = await federation.session(waiting);
    assert.equal(await next.exitCode(), 2, next.printed());
    assert.match(next.stderr, /read-only/);
  },
);

diskTest(
  "a run pauses when the disk of the state is full, its journal readable, and goes on",
  async () => {
    using disk = SmallDisk.mount(4096);
    await using federation = await oneClient("--state-dir", disk.path);
    const session = await federation.session(waiting);
    await session.says(/waiting for clients/);
    const filler = join(disk.path, "filler");
    await fill(filler);
    await federation.startClient(2, data.part(2));
    const [line] = await session.says(
      /paused: Cannot write ".*" as no space is left.*bytes are needed/,
    );
    assert.ok(line.includes(disk.path), line);
    const logs = federation.ask("logs", idOf(session));
    assert.equal(await logs.exitCode(), 0, logs.printed());
    assert.match(logs.stdout, /submitted: model MLP/);
    await Deno.remove(filler);
    assert.equal(await session.exitCode(), 0, session.printed());
    assert.match(session.stdout, /round 1\/1 finished/);
  },
);

/** Writes a file until no space is left. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const write = async () => {
    for (;;) await file.write(new Uint8Array(1024));
  };
  await assert.rejects(write(), /No space left/);
}
