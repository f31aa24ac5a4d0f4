/** What the commands ask of a server, over real connections. */
import assert from "node:assert/strict";
import { LeaderApi } from "../../src/cli/leader_api.ts";
import { forgotten } from "../fixtures/garbage.ts";

/** Remembers the answers to what is fetched while it is in use, without holding them. */
class WatchedFetch implements Disposable {
  readonly answers: WeakRef<Response>[] = [];
  readonly #real = globalThis.fetch;

  constructor() {
    globalThis.fetch = async (...request) => {
      const answer = await this.#real(...request);
      this.answers.push(new WeakRef(answer));
      return answer;
    };
  }

  [Symbol.dispose](): void {
    globalThis.fetch = this.#real;
  }
}

Deno.test("openEvents() ends a stream that is silent when its signal aborts", async () => {
  let late: ReturnType<typeof setTimeout> | undefined;
  const server = Deno.serve({ port: 0, onListen() {} }, () =>
    new Response(
      new ReadableStream({
        start(stream) {
          stream.enqueue(new TextEncoder().encode(": heartbeat\n\n"));
          late = setTimeout(() => stream.close(), 20_000);
        },
      }),
    ));
  using watched = new WatchedFetch();
  const stop = new AbortController();
  const events = await new LeaderApi(`127.0.0.1:${server.addr.port}`)
    .openEvents("11111111-1111-4111-8111-111111111111", 0, stop.signal);
  const begun = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const _ of events) begun.resolve();
  })();
  await begun.promise;
  // Of the answer only the body is in use; with the rest goes what it knows of the signal.
  const [answer] = watched.answers;
  await forgotten(answer!);
  stop.abort(new Error("enough"));
  await assert.rejects(reading, { message: "enough" });
  clearTimeout(late);
  await server.shutdown();
});
