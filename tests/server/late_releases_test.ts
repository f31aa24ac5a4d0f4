/** Who was away at the end of a run is told of it later. */
import assert from "node:assert/strict";
import { configOf, PACKAGE, SumClient } from "../session/world.ts";
import { Leader } from "./sessions_world.ts";

const submission = { config: configOf(), modelPackage: PACKAGE };

/** A sign of life. */
function heartbeat({ id }: SumClient) {
  return { kind: "heartbeat", client: id, timestamp: 0 } as const;
}

Deno.test("Sessions.heard() tells a client of the end that it has missed, once", async () => {
  const leader = new Leader();
  const isGone = Promise.withResolvers<void>();
  const gone = new SumClient("u1", "c_1", 10, 1, (job, honest) => {
    if (job.round === 2) {
      leader.vanish(gone);
      isGone.resolve();
    }
    return honest();
  });
  const held = new SumClient("u2", "c_2", 10, 1, async (job, honest) => {
    if (job.round === 2) await isGone.promise;
    return honest();
  });
  for (const client of [gone, held]) leader.join(client);
  const id = await leader.sessions.submit(submission);
  await leader.events(id);
  assert.deepEqual([gone.released, held.released], [[], [id]]);
  leader.directory.hear(heartbeat(gone));
  await turns();
  assert.deepEqual(gone.released, []);
  leader.join(gone);
  await turns();
  assert.deepEqual(gone.released, [id]);
  leader.directory.hear(heartbeat(gone));
  await turns();
  assert.deepEqual([gone.released, held.released], [[id], [id]]);
  await leader.sessions.close();
});

Deno.test("Sessions.heard() tells a client of a new leader of the runs it took part in and no other", async () => {
  const [one, two] = [1, 2].map((n) => new SumClient(`u${n}`, `c_${n}`, 10, n));
  const first = new Leader({ clients: [one!] });
  const id = await first.sessions.submit(submission);
  await first.events(id);
  await first.sessions.close();
  one!.released.length = 0;
  const second = new Leader({ store: first.store });
  await second.sessions.resume();
  second.join(one!);
  second.join(two!);
  await turns();
  assert.deepEqual([one!.released, two!.released], [[id], []]);
  await second.sessions.close();
});

/** Lets calls in this process come to their end. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve));
}
