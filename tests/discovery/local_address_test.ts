import assert from "node:assert/strict";
import {
  advertisedHost,
  isLoopback,
  type NetworkAddress,
} from "../../src/discovery/local_address.ts";

const MACHINE: readonly NetworkAddress[] = [
  { name: "lo", family: "IPv4", address: "127.0.0.1" },
  { name: "lo", family: "IPv6", address: "::1" },
  { name: "docker0", family: "IPv4", address: "172.17.0.1" },
  { name: "usb0", family: "IPv4", address: "169.254.3.4" },
  { name: "eth0", family: "IPv6", address: "fe80::1" },
  { name: "eth0", family: "IPv4", address: "10.1.2.3" },
];

Deno.test("advertisedHost() is the bound address itself where it is one", () => {
  assert.equal(advertisedHost("192.168.7.7", MACHINE), "192.168.7.7");
  assert.equal(advertisedHost("127.0.0.1", MACHINE), "127.0.0.1");
  assert.equal(advertisedHost("localhost", MACHINE), "127.0.0.1");
  assert.equal(advertisedHost("::1", MACHINE), "[::1]");
});

Deno.test("advertisedHost() finds the outer IPv4 address when bound to all interfaces", () => {
  assert.equal(advertisedHost("0.0.0.0", MACHINE), "10.1.2.3");
  assert.equal(advertisedHost("::", MACHINE), "10.1.2.3");
});

Deno.test("advertisedHost() takes a container bridge if there is nothing else, and then loopback", () => {
  assert.equal(advertisedHost("0.0.0.0", MACHINE.slice(0, 4)), "172.17.0.1");
  assert.equal(advertisedHost("0.0.0.0", MACHINE.slice(0, 2)), "127.0.0.1");
  assert.equal(advertisedHost("0.0.0.0", []), "127.0.0.1");
});

Deno.test("isLoopback() knows loopback by all its names", () => {
  const hosts = ["localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "10.127.0.1", "::"];
  assert.deepEqual(hosts.filter(isLoopback), ["localhost", "127.0.0.1", "127.9.9.9", "::1"]);
});
