import assert from "node:assert/strict";
import { ModelError } from "../../../src/core/errors.ts";
import { createRest } from "../../../src/server/rest.ts";
import { ContinuationError } from "../../../src/server/session_service.ts";
import { client, CONFIG, FakeService, parseConfig } from "./fake_service.ts";
import { json, post } from "./requests.ts";

interface Answer {
  readonly message: string;
  readonly session_id?: string;
  readonly problems?: readonly string[];
}

const COMMAND = { session_id: "mine", federated_learning_config: CONFIG };

Deno.test("POST /execute_command answers 200 only when the session has finished", async () => {
  const { service, run } = setUp();
  let answered = false;
  const answer = run(COMMAND).finally(() => answered = true);
  await service.until(() => service.followers === 1);
  assert.equal(answered, false);
  service.add("session-1", { type: "session_finished", weights: "w" });
  assert.deepEqual(await json<Answer>(answer, 200), {
    message: "Session mine finished",
    session_id: "session-1",
  });
  assert.equal(service.submissions[0]?.config.server_training_config.num_training_rounds, 2);
  assert.equal(service.submissions[0]?.modelPackage, null);
});

Deno.test("POST /execute_command answers 500 with the reason of a failed session", async () => {
  const { service, run } = setUp();
  const answer = run(COMMAND);
  await service.until(() => service.followers === 1);
  service.add("session-1", { type: "session_failed", reason: "no updates in round 1" });
  const { message } = await json<Answer>(answer, 500);
  assert.equal(message, "Session mine failed: no updates in round 1");
});

Deno.test("POST /execute_command answers 500 with the reason of a stopped session", async () => {
  const { service, run } = setUp();
  const answer = run(COMMAND);
  await service.until(() => service.followers === 1);
  await service.stop("session-1", "stopped by a user");
  const { message } = await json<Answer>(answer, 500);
  assert.equal(message, "Session mine stopped: stopped by a user");
});

Deno.test("POST /execute_command checks in the original's order", async () => {
  const { service, run } = setUp();
  service.clientList = [client(1, "inactive"), client(2, "lost")];
  await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  assert.deepEqual(await json(run({}), 400), { message: "A session is already running" });
  service.add("session-1", { type: "session_finished", weights: "w" });
  assert.deepEqual(await json(run({}), 400), { message: "No active clients" });
  service.clientList = [client(1, "training")];
  assert.deepEqual(await json(run({}), 400), { message: "Invalid request" });
  assert.deepEqual(await json(run([]), 400), { message: "Invalid request" });
  assert.equal(service.submissions.length, 1);
});

Deno.test("POST /execute_command refuses the second of two commands at once", async () => {
  const { service, run } = setUp();
  const [first, second] = [run(COMMAND), run(COMMAND)];
  assert.deepEqual(await json(second, 400), { message: "A session is already running" });
  await service.until(() => service.followers === 1);
  service.add("session-1", { type: "session_finished", weights: "w" });
  await json(first, 200);
});

Deno.test("POST /execute_command refuses a command beside a submission that is on its way", async () => {
  const { app, run } = setUp();
  const submitted = app.request("/api/v1/sessions", post({ config: CONFIG }));
  assert.deepEqual(await json(run(COMMAND), 400), { message: "A session is already running" });
  await json(submitted, 201);
});

Deno.test("POST /execute_command queues with queue: true", async () => {
  const { service, run } = setUp();
  await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  const answer = run({ ...COMMAND, queue: true });
  await service.until(() => service.followers === 1);
  service.add("session-2", { type: "session_finished", weights: "w" });
  assert.equal((await json<Answer>(answer, 200)).session_id, "session-2");
});

Deno.test("POST /execute_command names all that is wrong with a config", async () => {
  const { service, run } = setUp();
  const config = { server_training_config: { num_training_rounds: -1 }, typo: 1 };
  const answer = await json<Answer>(run({ ...COMMAND, federated_learning_config: config }), 400);
  const problems = answer.problems?.join("\n") ?? "";
  assert.match(problems, /num_training_rounds/);
  assert.match(problems, /typo/);
  assert.match(problems, /client_training_config/);
  assert.equal(service.submissions.length, 0);
});

Deno.test("POST /execute_command names missing and mistyped members of its body", async () => {
  const { run } = setUp();
  const body = { federated_learning_config: CONFIG, restore: "yes" };
  const { problems = [] } = await json<Answer>(run(body), 400);
  assert.deepEqual(problems.map((text) => text.split(":")[0]), ["session_id", "restore"]);
  const empty = await json<Answer>(run({ ...COMMAND, session_id: "" }), 400);
  assert.match(empty.message, /session_id/);
});

Deno.test("POST /execute_command continues the run that its flags name, by its own config", async () => {
  const { service, run } = setUp();
  const id = await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  service.add(id, { type: "session_stopped", reason: "enough" });
  const flags = [
    [{ restore: true }, "restore", null],
    [{ revive: true }, "revive", null],
    [{ restore: true, revive: true, file: true }, "either", { round: null }],
  ] as const;
  for (const [given] of flags) {
    const body = { session_id: id, federated_learning_config: {}, ...given };
    await json<Answer>(run(body), 500);
  }
  assert.deepEqual(
    service.continued,
    flags.map(([, how, file]) => [id, { how, file, config: null }]),
  );
  const { message } = await json<Answer>(run({ ...COMMAND, file: true }), 400);
  assert.match(message, /with "file" alone/);
  service.refusal = new ContinuationError("finished");
  await json<Answer>(run({ ...COMMAND, session_id: id, restore: true }), 409);
});

Deno.test("POST /execute_command passes on why a submission is refused", async () => {
  const { service, run } = setUp();
  service.refusal = new ModelError("Cannot find the model MLP");
  assert.deepEqual(await json(run(COMMAND), 400), { message: "Cannot find the model MLP" });
  service.refusal = null;
  // The refused command has released its place.
  const answer = run(COMMAND);
  await service.until(() => service.followers === 1);
  service.add("session-1", { type: "session_finished", weights: "w" });
  await json(answer, 200);
});

Deno.test("POST /execute_command answers 400 to malformed JSON", async () => {
  const { run } = setUp();
  const { message } = await json<Answer>(run('{"session_id": '), 400);
  assert.match(message, /^Cannot read the body as JSON: /);
});

for (const type of ["text/plain", "application/jsonp", "text/json; charset=utf-8"]) {
  Deno.test(`POST /execute_command answers 415 to ${type}`, async () => {
    const { app } = setUp();
    const { message } = await json<Answer>(
      app.request("/execute_command", post(COMMAND, { "content-type": type })),
      415,
    );
    assert.match(message, new RegExp(`"${type}"`));
  });
}

Deno.test("POST /execute_command accepts JSON with parameters or of another name", async () => {
  const { app } = setUp();
  for (
    const type of ["application/json; charset=utf-8", "Application/JSON", "application/a+json"]
  ) {
    const answer = app.request("/execute_command", post({}, { "content-type": type }));
    assert.deepEqual(await json(answer, 400), { message: "Invalid request" });
  }
});

Deno.test("GET /execute_command answers 405 with Allow: POST", async () => {
  const { app } = setUp();
  const answer = await app.request("/execute_command");
  assert.equal(answer.headers.get("allow"), "POST");
  assert.match((await json<Answer>(answer, 405)).message, /POST/);
});

Deno.test("POST /execute_command answers 503 when the server closes before the end", async () => {
  const { service, app } = setUp();
  const closing = new AbortController();
  const answer = app.request("/execute_command", post(COMMAND), { closing: closing.signal });
  await service.until(() => service.followers === 1);
  closing.abort();
  assert.match((await json<Answer>(answer, 503)).message, /^Session mine goes on/);
});

function setUp() {
  const service = new FakeService();
  const app = createRest(service, { parseConfig });
  const run = (body: unknown) => Promise.resolve(app.request("/execute_command", post(body)));
  return { service, app, run };
}
