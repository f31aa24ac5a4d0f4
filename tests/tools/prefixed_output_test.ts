import assert from "node:assert/strict";
import picocolors from "picocolors";
import { noColours } from "../../src/cli/colours.ts";
import { prefixed } from "../../tools/prefixed_output.ts";

const label = { name: "redis", colour: "yellow", width: 6 } as const;

Deno.test("prefixed() puts a label of the given width before each line", () => {
  const lines: string[] = [];
  const say = prefixed(label, noColours, (line) => lines.push(line));
  say("ready");
  say("");
  assert.deepEqual(lines, ["redis  | ready", "redis  | "]);
});

Deno.test("prefixed() colours the label alone", () => {
  const lines: string[] = [];
  prefixed(label, picocolors.createColors(true), (line) => lines.push(line))("ready");
  assert.deepEqual(lines, ["\x1b[33mredis  |\x1b[39m ready"]);
});
