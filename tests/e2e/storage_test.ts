/** What a leader does when it can no longer keep results: the run fails, the leader lives on. */
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

async function oneClient(runs: string): Promise<Federation> {
  const federation = await Federation.start({
    leaderData: data.leader,
    serverArgs: ["--runs-dir", runs],
  });
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
  await using federation = await oneClient("runs");
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
    await using federation = await oneClient(disk.path);
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
  await using federation = await oneClient(disk.path);
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
