import assert from "node:assert/strict";
import { createRest } from "../../../src/server/rest.ts";
import { CONFIG, FakeService, parseConfig } from "./fake_service.ts";
import { json, refused } from "./requests.ts";

const SESSION = "/api/v1/sessions/session-1";

Deno.test("GET model streams the weights of a finished run under a name of its own", async () => {
  const { service, app } = await withRun();
  await using folder = await temporaryFolder();
  const weights = crypto.getRandomValues(new Uint8Array(60_000));
  await Deno.writeFile(`${folder.path}/model.safetensors`, weights);
  service.folder = folder.path;
  service.add("session-1", { type: "session_finished", weights: "w" });
  const answer = await app.request(`${SESSION}/model`);
  assert.equal(answer.headers.get("content-length"), "60000");
  assert.equal(answer.headers.get("content-type"), "application/octet-stream");
  assert.match(answer.headers.get("content-disposition")!, /"session-1.safetensors"/);
  assert.deepEqual(await answer.bytes(), weights);
});

Deno.test("HEAD model names the size and leaves no file open", async () => {
  const { service, app } = await withRun();
  await using folder = await temporaryFolder();
  await Deno.writeFile(`${folder.path}/model.safetensors`, new Uint8Array(7));
  service.folder = folder.path;
  service.add("session-1", { type: "session_finished", weights: "w" });
  const answer = await app.request(`${SESSION}/model`, { method: "HEAD" });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-length"), "7");
});

Deno.test("GET results gives results.json as it stands", async () => {
  const { service, app } = await withRun();
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/results.json`, '{"schema":1}');
  service.folder = folder.path;
  service.add("session-1", { type: "session_failed", reason: "no updates" });
  assert.deepEqual(await json(app.request(`${SESSION}/results`), 200), { schema: 1 });
  const { message } = await refused(app.request(`${SESSION}/model`), 404, "no_results");
  assert.match(message, /model.safetensors of session session-1 as it failed .*\(no updates\)/);
});

for (const what of ["model", "results"]) {
  Deno.test(`GET ${what} answers 409 while the run goes on`, async () => {
    const { app } = await withRun();
    const { message } = await refused(app.request(`${SESSION}/${what}`), 409, "not_ended");
    assert.match(message, /it is queued: wait until it ends/);
  });

  Deno.test(`GET ${what} answers 404 if the run left no folder`, async () => {
    const { service, app } = await withRun();
    await service.stop("session-1", "by hand");
    await refused(app.request(`${SESSION}/${what}`), 404, "no_results");
  });
}

async function withRun() {
  const service = new FakeService();
  await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  return { service, app: createRest(service, { parseConfig }) };
}

async function temporaryFolder() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
