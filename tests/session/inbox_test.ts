import assert from "node:assert/strict";
import { Inbox } from "../../src/session/inbox.ts";
import { countedSignal } from "../fixtures/counted_signal.ts";

Deno.test("Inbox.take() gives items in order of arrival, before and while it waits", async () => {
  const { signal } = new AbortController();
  const inbox = new Inbox<number>();
  inbox.put(1);
  inbox.put(2);
  assert.deepEqual([await inbox.take(signal), await inbox.take(signal)], [1, 2]);
  const third = inbox.take(signal);
  inbox.put(3);
  inbox.put(4);
  assert.deepEqual([await third, await inbox.take(signal)], [3, 4]);
});

Deno.test("Inbox.take() rejects with the signal's reason, while it waits and with items there", async () => {
  const controller = new AbortController();
  const inbox = new Inbox<number>();
  const taken = inbox.take(controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(taken, reason);
  inbox.put(1);
  await assert.rejects(inbox.take(controller.signal), reason);
  assert.equal(await inbox.take(new AbortController().signal), 1);
});

Deno.test("Inbox.take() leaves no listener on the signal, however often it waits", async () => {
  const { signal, controller, listeners } = countedSignal();
  const inbox = new Inbox<number>();
  for (let i = 0; i < 100; i++) {
    const taken = inbox.take(signal);
    inbox.put(i);
    assert.equal(await taken, i);
  }
  assert.equal(listeners(), 0);
  const last = inbox.take(signal);
  assert.equal(listeners(), 1);
  controller.abort();
  await assert.rejects(last);
  assert.equal(listeners(), 0);
});
