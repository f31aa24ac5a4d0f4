import assert from "node:assert/strict";
import { baseUrl } from "../../src/cli/endpoint.ts";
import { spellFlags } from "../../src/cli/flags.ts";

Deno.test("spellFlags() turns _ into - in names of long flags and nowhere else", () => {
  assert.deepEqual(
    spellFlags(["--client_num=1_0", "--set", "a_b.c_d=e_f", "-x_y", "--a_b", "--", "--c_d"]),
    ["--client-num=1_0", "--set", "a_b.c_d=e_f", "-x_y", "--a-b", "--", "--c_d"],
  );
});

Deno.test("baseUrl() takes host and port, with or without a scheme", () => {
  assert.equal(baseUrl("localhost:12345"), "http://localhost:12345");
  assert.equal(baseUrl("https://lab.example:443/"), "https://lab.example:443");
  assert.equal(baseUrl("[::1]:80"), "http://[::1]:80");
});

for (const wrong of ["", "localhost", ":80", "a:0", "a:65536", "a:b", "a b:80", "ftp://a:80"]) {
  Deno.test(`baseUrl() refuses "${wrong}"`, () => {
    assert.throws(() => baseUrl(wrong), { name: "UsageError", message: /HOST:PORT is needed/ });
  });
}
