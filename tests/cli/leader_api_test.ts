/** What the commands ask of a server, over real connections. */
import assert from "node:assert/strict";
import { LeaderApi } from "../../src/cli/leader_api.ts";

Deno.test("openEvents() ends a stream that is silent when its signal aborts", async () => {
  const server = Deno.serve({ port: 0, onListen() {} }, () =>
    new Response(
      new ReadableStream({
        start(stream) {
          stream.enqueue(new TextEncoder().encode(": heartbeat\n\n"));
        },
      }),
    ));
  const stop = new AbortController();
  const events = await new LeaderApi(`127.0.0.1:${server.addr.port}`)
    .openEvents("11111111-1111-4111-8111-111111111111", 0, stop.signal);
  const begun = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const _ of events) begun.resolve();
  })();
  await begun.promise;
  // Long enough for the answer itself, of which only the body is in use, to be forgotten.
  await new Promise((resolve) => setTimeout(resolve, 300));
  stop.abort(new Error("enough"));
  await assert.rejects(reading, { message: "enough" });
  await server.shutdown();
});
