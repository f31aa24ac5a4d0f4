import assert from "node:assert/strict";
import * as v from "valibot";
import { systemClock } from "../../../src/core/clock.ts";
import { createRest } from "../../../src/server/rest.ts";
import { ClientList } from "../../../src/server/rest/clients.ts";
import { prometheusText } from "../../../src/server/rest/prometheus.ts";
import { client, CONFIG, FakeService, FIRST_EVENTS, parseConfig } from "./fake_service.ts";
import { json, refused } from "./requests.ts";

Deno.test("GET /healthz answers ok also before the server is ready", async () => {
  const app = createRest(new FakeService(), { parseConfig, notReady: () => "no broker" });
  assert.deepEqual(await json(app.request("/healthz"), 200), { status: "ok" });
});

Deno.test("GET /readyz names what is missing until nothing is", async () => {
  let missing: string | null = "the broker at localhost:1 does not answer";
  const app = createRest(new FakeService(), { parseConfig, notReady: () => missing });
  const { message } = await refused(app.request("/readyz"), 503, "not_ready");
  assert.match(message, /the broker at localhost:1 does not answer$/);
  missing = null;
  assert.deepEqual(await json(app.request("/readyz"), 200), { status: "ok" });
});

Deno.test("GET /metrics counts sessions, clients and rounds", async () => {
  const service = new FakeService();
  service.clientList = [client(1), client(2), client(3, "lost")];
  for (let i = 0; i < 3; i++) {
    await service.submit({ config: parseConfig(CONFIG), modelPackage: null });
  }
  service.add("session-1", ...FIRST_EVENTS);
  service.add("session-2", { type: "session_failed", reason: "" });
  let now = 1000;
  const clock = { ...systemClock, monotonicMs: () => now };
  const app = createRest(service, { parseConfig, clock });
  now = 3500;
  const answer = await app.request("/metrics");
  assert.match(answer.headers.get("content-type")!, /^text\/plain; version=0.0.4/);
  const text = await answer.text();
  const samples = new Map(
    text.split("\n").filter((line) => /^[a-z]/.test(line)).map((line) => {
      const [name, value] = line.split(" ");
      return [name, Number(value)];
    }),
  );
  assert.equal(samples.get('flotilla_sessions{status="running"}'), 1);
  assert.equal(samples.get('flotilla_sessions{status="queued"}'), 1);
  assert.equal(samples.get('flotilla_sessions{status="failed"}'), 1);
  assert.equal(samples.get('flotilla_sessions{status="finished"}'), 0);
  assert.equal(samples.get('flotilla_clients{state="active"}'), 2);
  assert.equal(samples.get('flotilla_clients{state="lost"}'), 1);
  assert.equal(samples.get("flotilla_rounds_started"), 1);
  assert.equal(samples.get("flotilla_uptime_seconds"), 2.5);
  assert.ok(samples.get("process_resident_memory_bytes")! > 1_000_000);
});

Deno.test("prometheusText() describes each metric before its samples, and escapes", () => {
  const text = prometheusText([{
    name: "m",
    type: "counter",
    help: "Two\nlines, one \\",
    samples: [{ labels: { a: 'x"\n\\', b: "" }, value: 1.5 }, { labels: {}, value: 2 }],
  }]);
  assert.equal(
    text,
    '# HELP m Two\\nlines, one \\\\\n# TYPE m counter\nm{a="x\\"\\n\\\\",b=""} 1.5\nm 2\n',
  );
});

Deno.test("GET /api/v1/clients shows what the directory knows", async () => {
  const service = new FakeService();
  service.clientList = [client(1), client(2, "inactive")];
  const app = createRest(service, { parseConfig });
  const { clients } = v.parse(ClientList, await json(app.request("/api/v1/clients"), 200));
  assert.deepEqual(clients.map(({ name, state }) => [name, state]), [
    ["workstation_1", "active"],
    ["workstation_2", "inactive"],
  ]);
  assert.deepEqual(clients[0], {
    client_id: "id-1",
    name: "workstation_1",
    endpoint: "127.0.0.1:50053",
    state: "active",
    last_heartbeat: "1970-01-01T00:00:00.000Z",
    datasets: { MNIST: 6000 },
    hardware: { arch: "x86_64", cpu_core_count: "2", model_name: null, cuda_available: false },
    models: {},
  });
});
