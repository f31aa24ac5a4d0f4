/** What a leader does when it can keep no more: the run fails, the leader lives on. */
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

Deno.test("a run whose folder of results cannot be made fails with its path and the reason", async () => {
  await using federation = await oneClient();
  const session = await federation.session(waiting);
  await session.says(/waiting for clients/);
  const inTheWay = join(await Deno.realPath(federation.folder), "runs", idOf(session));
  await Deno.writeTextFile(inTheWay, "");
  await federation.startClient(2, data.part(2));
  assert.equal(await session.exitCode(), 1, session.printed());
  assert.match(session.stderr, /^error: Session \S+ failed: Cannot .* as /);
  assert.ok(session.stderr.includes(inTheWay), session.stderr);
  assert.equal(await statusOf(federation, idOf(session)), "failed");
  const next = await federation.session(waiting);
  assert.equal(await next.exitCode(), 0, next.printed());
});

diskTest(
  "a run fails when the disk of its results is full, and the next one finishes when there is room",
  async () => {
    using disk = SmallDisk.mount(TOO_SMALL_KB);
    await using federation = await oneClient("--runs-dir", disk.path);
    await federation.startClient(2, data.part(2));
    const session = await federation.session(waiting);
    assert.equal(await session.exitCode(), 1, session.printed());
    assert.match(session.stderr, /^error: Session \S+ failed: .*no space is left/);
    assert.ok(session.stderr.includes(disk.path), session.stderr);
    disk.resize(64 * 1024);
    const next = await federation.session(waiting);
    assert.equal(await next.exitCode(), 0, next.printed());
    assert.equal(await statusOf(federation, idOf(session)), "failed");
    assert.equal(await statusOf(federation, idOf(next)), "finished");
  },
);

diskTest("a run fails when the folder of results becomes read-only while it runs", async () => {
  using disk = SmallDisk.mount(64 * 1024);
  await using federation = await oneClient("--runs-dir", disk.path);
  const session = await federation.session(waiting);
  await session.says(/waiting for clients/);
  disk.makeReadOnly();
  await federation.startClient(2, data.part(2));
  assert.equal(await session.exitCode(), 1, session.printed());
  assert.match(session.stderr, /^error: Session \S+ failed: .*read-only/);
  const next = await federation.session(waiting);
  assert.equal(await next.exitCode(), 2, next.printed());
  assert.match(next.stderr, /read-only/);
  assert.equal((await federation.clients()).length, 2);
});

diskTest(
  "a run fails when the disk of the state is full, and goes on at the next start with room",
  async () => {
    using disk = SmallDisk.mount(4096);
    await using federation = await oneClient("--state-dir", disk.path);
    const session = await federation.session(waiting);
    await session.says(/waiting for clients/);
    const filler = join(disk.path, "filler");
    await fill(filler);
    await federation.startClient(2, data.part(2));
    assert.equal(await session.exitCode(), 1, session.printed());
    assert.match(
      session.stderr,
      /^error: Session \S+ failed: Cannot write ".*" as no space is left/,
    );
    assert.ok(session.stderr.includes(disk.path), session.stderr);
    assert.equal(await statusOf(federation, idOf(session)), "failed");
    await Deno.remove(filler);
    federation.server.kill("SIGTERM");
    assert.equal(await federation.server.exitCode(), 0, federation.server.printed());
    await federation.startServer();
    const followed = federation.ask("logs", idOf(session), "--follow");
    assert.equal(await followed.exitCode(), 0, followed.printed());
    assert.match(followed.stdout, /round 1\/1 finished/);
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
