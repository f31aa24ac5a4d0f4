import assert from "node:assert/strict";
import { createRest } from "../../../src/server/rest.ts";
import { allEvents, events } from "./event_reader.ts";
import { CONFIG, FakeService, FIRST_EVENTS, parseConfig, WORKSTATION_1 } from "./fake_service.ts";
import { refused } from "./requests.ts";

const PATH = "/api/v1/sessions/session-1/events";
const FINISHED = { type: "session_finished", weights: "w" } as const;

Deno.test("GET events sends each journal entry with its number, type and whole text", async () => {
  const { service, app } = await withRun();
  service.add("session-1", FINISHED);
  const all = await allEvents(await app.request(PATH));
  assert.deepEqual(all.map(({ id, event }) => [id, event]), [
    ["1", "session_submitted"],
    ["2", "session_started"],
    ["3", "round_started"],
    ["4", "session_finished"],
  ]);
  assert.deepEqual(JSON.parse(all[1]!.data!), { seq: 2, at: 1000, event: FIRST_EVENTS[0] });
  assert.equal(JSON.parse(all[2]!.data!).event.selectorState !== undefined, true);
});

Deno.test("GET events sends what happens while it is open, and ends after the last event", async () => {
  const { service, app } = await withRun();
  const reader = events(await app.request(`${PATH}?after=3`));
  await service.until(() => service.followers === 1);
  const note = {
    type: "progress",
    round: 1,
    client: WORKSTATION_1,
    batchesDone: 1,
    batchesTotal: 2,
    loss: null,
  } as const;
  service.note("session-1", note);
  const { value } = await reader.next();
  assert.deepEqual(value, { event: "note", data: JSON.stringify(note) });
  service.add("session-1", FINISHED);
  assert.equal((await reader.next()).value?.id, "4");
  assert.equal((await reader.next()).done, true);
  await service.until(() => service.followers === 0);
});

Deno.test("GET events resumes after Last-Event-ID, which is stronger than ?after=", async () => {
  const { service, app } = await withRun();
  service.add("session-1", FINISHED);
  const headers = { "last-event-id": "2" };
  const resumed = await allEvents(await app.request(`${PATH}?after=1`, { headers }));
  assert.deepEqual(resumed.map(({ id }) => id), ["3", "4"]);
  const after = await allEvents(await app.request(`${PATH}?after=1`));
  assert.deepEqual(after.map(({ id }) => id), ["2", "3", "4"]);
});

Deno.test("GET events answers 204 to a reader that has seen the end", async () => {
  const { service, app } = await withRun();
  service.add("session-1", FINISHED);
  const answer = await app.request(PATH, { headers: { "last-event-id": "4" } });
  assert.equal(answer.status, 204);
});

for (const after of ["-1", "1.5", "last", ""]) {
  Deno.test(`GET events refuses to resume after "${after}"`, async () => {
    const { app } = await withRun();
    const { message } = await refused(
      app.request(`${PATH}?after=${after}`),
      400,
      "invalid_request",
    );
    assert.match(message, new RegExp(`"${after}"`));
  });
}

Deno.test("GET events sends a comment when nothing happens for a while", async () => {
  const { service, app } = await withRun(5);
  const reader = events(await app.request(`${PATH}?after=3`));
  assert.deepEqual((await reader.next()).value, { comment: "heartbeat" });
  // A reader that goes away frees its place and its timer.
  await reader.return(undefined);
  await service.until(() => service.followers === 0);
});

Deno.test("GET events ends when the server closes", async () => {
  const { service, app } = await withRun();
  const closing = new AbortController();
  const answer = await app.request(`${PATH}?after=3`, {}, { closing: closing.signal });
  await service.until(() => service.followers === 1);
  closing.abort();
  assert.deepEqual(await allEvents(answer), []);
  assert.equal(service.followers, 0);
});

async function withRun(heartbeatMs = 60_000) {
  const service = new FakeService();
  await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  service.add("session-1", ...FIRST_EVENTS);
  return { service, app: createRest(service, { parseConfig, heartbeatMs }) };
}
