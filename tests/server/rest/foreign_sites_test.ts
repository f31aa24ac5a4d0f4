import assert from "node:assert/strict";
import { createRest } from "../../../src/server/rest.ts";
import { isLoopback } from "../../../src/server/rest/foreign_sites.ts";
import { FakeService, parseConfig } from "./fake_service.ts";
import { json, refused } from "./requests.ts";

Deno.test("isLoopback() knows the names and addresses of this machine", () => {
  for (
    const host of ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]
  ) {
    assert.equal(isLoopback(host), true, host);
  }
  const foreign = ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "0.0.0.0", "::", ""];
  for (const host of foreign) assert.equal(isLoopback(host), false, host);
});

Deno.test("A server bound to loopback refuses requests for a foreign host", async () => {
  const ask = asker(true);
  for (const host of ["evil.test:12345", "evil.test", "127.0.0.1.evil.test:12345"]) {
    const { message } = await refused(ask("GET", { host }), 403, "foreign_host");
    assert.match(message, new RegExp(`"${host}"`));
  }
});

Deno.test("A server bound to loopback answers for this machine's names on any port", async () => {
  const ask = asker(true);
  for (const host of ["localhost:12345", "localhost", "127.0.0.1:8", "[::1]:12345", "[::1]"]) {
    await json(ask("GET", { host }), 200);
  }
});

Deno.test("A server opened to the network answers for every host", async () => {
  await json(asker(false)("GET", { host: "leader.lab.example:12345" }), 200);
});

Deno.test("A page of another site can change nothing, even on an open server", async () => {
  const host = "leader.lab.example:12345";
  const ask = asker(false);
  for (const origin of ["http://evil.test", "null", "http://leader.lab.example"]) {
    await refused(ask("POST", { host, origin }), 403, "foreign_origin");
  }
  await refused(ask("POST", { host, origin: `http://${host}` }), 405, "method_not_allowed");
  await json(ask("GET", { host, origin: "http://evil.test" }), 200);
});

function asker(loopback: boolean) {
  const app = createRest(new FakeService(), { parseConfig });
  return (method: string, headers: Record<string, string>) =>
    app.request("/healthz", { method, headers }, { loopback });
}
