import assert from "node:assert/strict";
import { ArchiveError } from "../../../src/core/errors.ts";
import { createRest } from "../../../src/server/rest.ts";
import { ContinuationError } from "../../../src/server/session_service.ts";
import { CONFIG, FakeService, parseConfig } from "./fake_service.ts";
import { type ErrorAnswer, json, post } from "./requests.ts";

async function setUp() {
  const service = new FakeService();
  const id = await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  const app = createRest(service, { parseConfig });
  return { service, app, id };
}

Deno.test("POST continue and fork pass on what they are asked, and say which run goes on", async () => {
  const { service, app, id } = await setUp();
  const path = `/api/v1/sessions/${id}`;
  const body = { how: "restore", round: 3, config: CONFIG };
  const answer = await app.request(`${path}/continue`, post(body));
  assert.equal(answer.headers.get("location"), path);
  assert.deepEqual(await json(answer, 202), { session_id: id });
  assert.deepEqual(service.continued, [
    [id, { how: "restore", file: { round: 3 }, config: parseConfig(CONFIG) }],
  ]);
  assert.deepEqual(await json(app.request(`${path}/fork`, post({ round: 2 })), 201), {
    session_id: id,
  });
  assert.deepEqual(service.forks, [[id, { round: 2, config: null, strategies: {} }]]);
});

Deno.test("POST continue answers 409 to what cannot go on, 400 to a bad checkpoint or body", async () => {
  const { service, app, id } = await setUp();
  const ask = (body: unknown) => app.request(`/api/v1/sessions/${id}/continue`, post(body));
  await json(ask({ how: "again" }), 400);
  await json(ask({ how: "revive", round: 0 }), 400);
  const busy = await json<ErrorAnswer>(ask({ how: "revive", queue: false }), 409);
  assert.equal(busy.error.code, "busy");
  for (
    const [error, status, code] of [
      [new ContinuationError("finished"), 409, "not_continuable"],
      [new ArchiveError("cut off"), 400, "invalid_archive"],
    ] as const
  ) {
    service.refusal = error;
    const answer = await json<ErrorAnswer>(ask({ how: "revive" }), status);
    assert.deepEqual(answer.error, { code, message: error.message });
  }
});

Deno.test("POST gc counts or frees, /state goes out and in as bytes", async () => {
  const { app } = await setUp();
  const freed = { blobs: 3, kept_blobs: 4, kept_bytes: 5, unknown_blobs: 0 };
  assert.deepEqual(await json(app.request("/api/v1/gc", { method: "POST" }), 200), {
    ...freed,
    ...{ bytes: 2, dry_run: false },
  });
  assert.deepEqual(await json(app.request("/api/v1/gc", post({ dry_run: true })), 200), {
    ...freed,
    ...{ bytes: 1, dry_run: true },
  });
  const out = await app.request("/api/v1/state");
  assert.deepEqual([...new Uint8Array(await out.arrayBuffer())], [1, 2, 3]);
  const sent = app.request("/api/v1/state", { method: "POST", body: new Uint8Array(7) });
  assert.deepEqual(await json(sent, 200), { sessions: 7, blobs: 0, blob_bytes: 0 });
});
