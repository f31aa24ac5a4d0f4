/** The memory store against the contract. */
import { openMemoryStore } from "../../src/state/memory.ts";
import { testStore } from "../contract/store_suite.ts";

testStore({
  name: "memory",
  keeps: false,
  test: (name, body) => Deno.test(name, body),
  place: () =>
    Promise.resolve({
      open: () => Promise.resolve(openMemoryStore()),
      leftovers: () => Promise.resolve([]),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});
