import assert from "node:assert/strict";
import { isSilent, rememberHeartbeat, silenceLimitMs } from "../../src/discovery/heartbeat_rule.ts";

Deno.test("silenceLimitMs() is 27 s for the original's 5 misses of 5 s", () => {
  assert.equal(silenceLimitMs({ intervalS: 5, maxMisses: 5 }), 27_000);
});

Deno.test("isSilent() begins exactly at the limit", () => {
  const rule = { intervalS: 5, maxMisses: 5 };
  assert.equal(isSilent(1000, 27_999, rule), false);
  assert.equal(isSilent(1000, 28_000, rule), true);
});

Deno.test("isSilent() grants two seconds to a client that may miss nothing", () => {
  const rule = { intervalS: 5, maxMisses: 0 };
  assert.equal(isSilent(0, 1999, rule), false);
  assert.equal(isSilent(0, 2000, rule), true);
});

Deno.test("rememberHeartbeat() forgets the oldest", () => {
  assert.deepEqual(rememberHeartbeat([], 1, 3), [1]);
  assert.deepEqual(rememberHeartbeat([1, 2, 3], 4, 3), [2, 3, 4]);
  assert.deepEqual(rememberHeartbeat([1, 2, 3, 4, 5], 6, 1), [6]);
});
