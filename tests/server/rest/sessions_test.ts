import assert from "node:assert/strict";
import * as v from "valibot";
import { ModelError, UnreachableError } from "../../../src/core/errors.ts";
import { createLogger, type LogRecord } from "../../../src/log/log.ts";
import { createRest } from "../../../src/server/rest.ts";
import { SessionView } from "../../../src/server/rest/session_view.ts";
import { SessionList } from "../../../src/server/rest/sessions.ts";
import type { UpdateReceived } from "../../../src/session/events.ts";
import { CONFIG, FakeService, FIRST_EVENTS, parseConfig, WORKSTATION_1 } from "./fake_service.ts";
import { json, post, refused } from "./requests.ts";

const UPDATE: UpdateReceived = {
  type: "update_received",
  round: 1,
  client: WORKSTATION_1,
  weights: "w1",
  samples: 6000,
  metrics: {
    loss: 0.5,
    accuracy: 0.9,
    test: { loss: 0.6, accuracy: 0.8, samples: 100 },
    epochs: 1,
    miniBatches: 60,
    trainSeconds: 1.5,
  },
  bytesDown: 11,
  bytesUp: 22,
  seconds: 2,
};

Deno.test("POST /api/v1/sessions answers 201 with the id and its address", async () => {
  const { service, app } = setUp();
  const answer = await app.request("/api/v1/sessions", post({ config: CONFIG }));
  assert.equal(answer.headers.get("location"), "/api/v1/sessions/session-1");
  assert.deepEqual(await json(answer, 201), { session_id: "session-1" });
  assert.deepEqual(service.submissions, [{
    config: parseConfig(CONFIG),
    modelPackage: null,
    strategies: {},
  }]);
});

Deno.test("POST /api/v1/sessions needs no active clients, and queues unless told not to", async () => {
  const { service, app } = setUp();
  service.clientList = [];
  await json(app.request("/api/v1/sessions", post({ config: CONFIG })), 201);
  await json(app.request("/api/v1/sessions", post({ config: CONFIG })), 201);
  const third = app.request("/api/v1/sessions", post({ config: CONFIG, queue: false }));
  const { message } = await refused(third, 409, "busy");
  assert.equal(message, "A session is already running");
  assert.equal(service.submissions.length, 2);
});

Deno.test("POST /api/v1/sessions decodes the model package", async () => {
  const { service, app } = setUp();
  const files = { "config.yaml": "YTogMQo=", "sub/model.js": "" };
  const body = { config: CONFIG, package: { id: "MLP", files } };
  await json(app.request("/api/v1/sessions", post(body)), 201);
  const sent = service.submissions[0]?.modelPackage;
  assert.equal(sent?.id, "MLP");
  assert.equal(new TextDecoder().decode(sent?.files["config.yaml"]), "a: 1\n");
  assert.equal(sent?.files["sub/model.js"]?.length, 0);
  assert.match(sent?.hash ?? "", /^[0-9a-f]{64}$/);
});

Deno.test("POST /api/v1/sessions names the files that are not base64", async () => {
  const { app } = setUp();
  const files = { "config.yaml": "not base64!", "model.js": "YTogMQo=" };
  const body = { config: CONFIG, package: { id: "MLP", files } };
  const answer = app.request("/api/v1/sessions", post(body));
  const { problems } = await refused(answer, 400, "invalid_request");
  assert.deepEqual(problems, ['package.files "config.yaml" is not base64']);
});

Deno.test("POST /api/v1/sessions refuses a package path that leaves the package", async () => {
  const { app } = setUp();
  const body = { config: CONFIG, package: { id: "MLP", files: { "../evil.js": "" } } };
  const answer = app.request("/api/v1/sessions", post(body));
  const { message } = await refused(answer, 400, "invalid_model");
  assert.match(message, /"..\/evil.js"/);
});

Deno.test("POST /api/v1/sessions names every wrong member of its body", async () => {
  const { app } = setUp();
  const answer = app.request("/api/v1/sessions", post({ queue: 1, confg: {} }));
  const { problems = [] } = await refused(answer, 400, "invalid_request");
  assert.deepEqual(
    problems.map((text) => text.split(":")[0]).sort(),
    ["config", "confg", "queue"].sort(),
  );
});

Deno.test("POST /api/v1/sessions lists all problems of the config", async () => {
  const { app } = setUp();
  const config = { ...CONFIG, session_config: { aggregator: 3, seed: -1 } };
  const answer = app.request("/api/v1/sessions", post({ config }));
  const { problems = [] } = await refused(answer, 400, "invalid_config");
  assert.equal(problems.length, 2);
  assert.match(problems[0]!, /session_config.aggregator/);
  assert.match(problems[1]!, /session_config.seed/);
});

Deno.test("POST /api/v1/sessions tells refusals, outages and bugs apart", async () => {
  const records: LogRecord[] = [];
  const { service, app } = setUp((record) => records.push(record));
  const submit = () => app.request("/api/v1/sessions", post({ config: CONFIG }));
  service.refusal = new ModelError("Cannot build MLP");
  assert.equal((await refused(submit(), 400, "invalid_model")).message, "Cannot build MLP");
  service.refusal = new UnreachableError("Cannot reach Redis at localhost:1");
  await refused(submit(), 503, "unavailable");
  assert.equal(records.length, 0);
  service.refusal = new TypeError("secret detail");
  const { message } = await refused(submit(), 500, "internal");
  assert.doesNotMatch(message, /secret/);
  assert.match(records[0]?.message ?? "", /POST \/api\/v1\/sessions: TypeError: secret detail/);
});

Deno.test("GET /api/v1/sessions lists summaries in order of submission", async () => {
  const { app } = await withRun();
  await json(app.request("/api/v1/sessions", post({ config: CONFIG })), 201);
  const list = await json(app.request("/api/v1/sessions"), 200);
  const { sessions } = v.parse(SessionList, list);
  assert.deepEqual(
    sessions.map(({ session_id, status, rounds_finished, rounds_total }) => ({
      session_id,
      status,
      rounds_finished,
      rounds_total,
    })),
    [
      { session_id: "session-1", status: "running", rounds_finished: 0, rounds_total: 2 },
      { session_id: "session-2", status: "queued", rounds_finished: 0, rounds_total: 2 },
    ],
  );
});

Deno.test("GET /api/v1/sessions/:id shows every round with its updates", async () => {
  const { service, app } = await withRun();
  service.add(
    "session-1",
    UPDATE,
    {
      type: "round_finished",
      round: 1,
      weights: "w2",
      seconds: 3,
      metrics: { loss: NaN, accuracy: null },
      aggregatorState: {},
    },
    { type: "round_validated", round: 1, validation: { loss: 1, accuracy: 0.5, samples: 9 } },
    { type: "session_failed", reason: "disk full" },
  );
  // By the start of its id.
  const view = v.parse(SessionView, await json(app.request("/api/v1/sessions/session"), 200));
  assert.equal(view.status, "failed");
  assert.equal(view.reason, "disk full");
  assert.equal(view.submitted_at, "1970-01-01T00:00:01.000Z");
  assert.equal(view.weights_id, "w2");
  assert.equal(view.rounds_finished, 1);
  assert.deepEqual(view.validation, { loss: 1, accuracy: 0.5, samples: 9 });
  assert.equal(view.config["model_config"] !== undefined, true);
  const client = { client_id: "id-1", name: "workstation_1" };
  assert.deepEqual(view.rounds, [{
    round: 1,
    seed: 7,
    started_at: "1970-01-01T00:00:01.000Z",
    selected: [client],
    replaced: [],
    updates: [{
      client,
      round: 1,
      weights_id: "w1",
      samples: 6000,
      loss: 0.5,
      accuracy: 0.9,
      test: { loss: 0.6, accuracy: 0.8, samples: 100 },
      epochs: 1,
      mini_batches: 60,
      train_seconds: 1.5,
      seconds: 2,
      bytes_down: 11,
      bytes_up: 22,
    }],
    failures: [],
    finished: { weights_id: "w2", seconds: 3, loss: null, accuracy: null },
    given_up: null,
    validation: { loss: 1, accuracy: 0.5, samples: 9 },
  }]);
});

Deno.test("GET /api/v1/sessions/:id names who is in flight, replaced and failed", async () => {
  const { service, app } = await withRun();
  const other = { id: "id-2", name: "workstation_2" };
  service.add("session-1", {
    type: "round_started",
    round: 2,
    seed: 8,
    selected: [other],
    replaced: [{ client: WORKSTATION_1, reason: "silent", by: other }],
    spares: [],
    weights: "w0",
    selectorState: {},
  }, { type: "client_failed", round: 1, client: WORKSTATION_1, reason: "killed" });
  const view = v.parse(SessionView, await json(app.request("/api/v1/sessions/session-1"), 200));
  const [one, two] = [{ client_id: "id-1", name: "workstation_1" }, {
    client_id: "id-2",
    name: "workstation_2",
  }];
  assert.deepEqual(view.in_flight, [{ client: two, round: 2 }]);
  assert.deepEqual(view.rounds[1]?.replaced, [{ client: one, reason: "silent", by: two }]);
  assert.deepEqual(view.rounds[1]?.failures, [{ client: one, round: 1, reason: "killed" }]);
});

for (const path of ["", "/events", "/model", "/results"]) {
  Deno.test(`GET /api/v1/sessions/:id${path} answers 404 to an unknown session`, async () => {
    const { app } = setUp();
    const answer = app.request(`/api/v1/sessions/nobody${path}`);
    assert.match((await refused(answer, 404, "unknown_session")).message, /"nobody"/);
  });
}

Deno.test("POST /api/v1/sessions/:id/stop stops the run with the given reason", async () => {
  const { app } = await withRun();
  const stop = "/api/v1/sessions/session-1/stop";
  await refused(app.request(stop, post({ why: "no" })), 400, "invalid_request");
  const view = v.parse(
    SessionView,
    await json(app.request(stop, post({ reason: "wrong data" })), 200),
  );
  assert.equal(view.status, "stopped");
  assert.equal(view.reason, "wrong data");
});

Deno.test("POST /api/v1/sessions/:id/stop needs no body, but a session", async () => {
  const { app } = await withRun();
  const unknown = app.request("/api/v1/sessions/nobody/stop", { method: "POST" });
  await refused(unknown, 404, "unknown_session");
  const answer = app.request("/api/v1/sessions/session-1/stop", { method: "POST" });
  assert.equal((await json<{ reason: string }>(answer, 200)).reason, "stopped by a user");
});

Deno.test("An unknown route answers 404, and a known one of another method 405", async () => {
  const { app } = setUp();
  const { message } = await refused(app.request("/api/v1/nothing"), 404, "unknown_route");
  assert.match(message, /"\/api\/v1\/nothing"/);
  const answer = await app.request("/api/v1/sessions", { method: "DELETE" });
  assert.deepEqual(answer.headers.get("allow")?.split(", ").sort(), ["GET", "HEAD", "POST"]);
  await refused(answer, 405, "method_not_allowed");
});

Deno.test("An answer allows no other site to read it", async () => {
  const { app } = setUp();
  const answer = await app.request("/api/v1/sessions", { headers: { origin: "http://evil.test" } });
  assert.equal(answer.headers.get("access-control-allow-origin"), null);
  await answer.body?.cancel();
});

function setUp(write: (record: LogRecord) => void = () => {}) {
  const service = new FakeService();
  return { service, app: createRest(service, { parseConfig, log: createLogger(write) }) };
}

async function withRun() {
  const { service, app } = setUp();
  await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  service.add("session-1", ...FIRST_EVENTS);
  return { service, app };
}
