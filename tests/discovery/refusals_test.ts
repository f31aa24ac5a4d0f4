import assert from "node:assert/strict";
import { refusalLog } from "../../src/discovery/refusals.ts";
import { createLogger, type LogRecord } from "../../src/log/log.ts";

Deno.test("refusalLog() tells each topic and reason once", () => {
  const records: LogRecord[] = [];
  const refused = refusalLog(createLogger((record) => records.push(record)));
  refused("heartbeat", "not JSON");
  refused("heartbeat", "not JSON");
  refused("heartbeat", "id is missing");
  refused("advert_client", "not JSON");
  assert.deepEqual(records.map(({ message }) => message), [
    'Dropped a message on topic "heartbeat": not JSON',
    'Dropped a message on topic "heartbeat": id is missing',
    'Dropped a message on topic "advert_client": not JSON',
  ]);
});

Deno.test("refusalLog() falls silent after a hundred different refusals, each cut to 200 characters", () => {
  const records: LogRecord[] = [];
  const refused = refusalLog(createLogger((record) => records.push(record)));
  for (let i = 0; i < 1000; i++) refused("t", `${i} ${"x".repeat(1000)}`);
  assert.equal(records.length, 100);
  assert.equal(records[0]!.fields["reason"], `0 ${"x".repeat(198)}`);
});
