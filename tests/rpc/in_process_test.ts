import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { createInProcessTransport } from "../../src/rpc/in_process.ts";
import { edgeFake, jobOf } from "../contract/edge_fake.ts";
import { collectingSink, rejectsWith, testTransport, within } from "../contract/transport_suite.ts";

const HERE = { sync: "here:1", async: "here:2" };

testTransport("in-process transport", (clients) => {
  const transport = createInProcessTransport({ find: (client) => clients[Number(client)] });
  return Promise.resolve({
    links: clients.map((_, index) => transport.connect(String(index), HERE)),
    close() {
      transport.close();
      return Promise.resolve();
    },
  });
});

Deno.test("createInProcessTransport() asks `before` ahead of each call, which may fail it", async () => {
  const asked: string[] = [];
  const fake = edgeFake();
  const transport = createInProcessTransport({
    find: () => fake,
    before({ client, name }) {
      asked.push(`${client} ${name}`);
      if (name === "train") throw new RangeError("no luck");
    },
  });
  const link = transport.connect("one", HERE);
  await link.echo("x", within(5000));
  await assert.rejects(
    link.train(jobOf("cd".repeat(32)), collectingSink(), within(5000)),
    /no luck/,
  );
  assert.deepEqual(asked, ["one echo", "one train"]);
  assert.deepEqual(fake.jobs, []);
});

Deno.test("createInProcessTransport() measures deadlines by its clock", async () => {
  const deadline = Promise.withResolvers<void>();
  const slept: number[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep(ms) {
      slept.push(ms);
      return deadline.promise;
    },
  };
  const transport = createInProcessTransport({
    find: () => edgeFake(),
    before: () => new Promise(() => {}),
    clock,
  });
  const call = transport.connect("one", HERE).echo("x", within(3_600_000));
  deadline.resolve();
  await rejectsWith("deadline", call, /client one/);
  assert.deepEqual(slept, [3_600_000]);
});

Deno.test("createInProcessTransport() has no answer from a client that is not there", async () => {
  const transport = createInProcessTransport({ find: () => undefined });
  const call = transport.connect("gone", HERE).echo("x", within(5000));
  await rejectsWith("unavailable", call, /client gone: nobody answers/);
});
