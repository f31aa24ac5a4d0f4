import assert from "node:assert/strict";
import { chosenTargets, compileFlags, targets } from "../../tools/compile.ts";

Deno.test("chosenTargets() is this machine's own, those named, or all", () => {
  assert.deepEqual(chosenTargets([]), [null]);
  assert.deepEqual(
    chosenTargets(["aarch64-apple-darwin", "x86_64-pc-windows-msvc"]),
    ["aarch64-apple-darwin", "x86_64-pc-windows-msvc"],
  );
  assert.deepEqual(chosenTargets(["all"]), [...targets]);
});

Deno.test("chosenTargets() refuses a target that does not exist and names those that do", () => {
  assert.throws(
    () => chosenTargets(["aarch64-apple-darwin", "amiga"]),
    /^Error: Cannot compile for "amiga" as it is not a target: choose all, x86_64-unknown-linux-gnu/,
  );
});

const bundle = {
  folder: "dist/bundle",
  main: "dist/bundle/main.js",
  workers: ["dist/bundle/src/training/worker.ts"],
};

/** The values of a flag, in order. */
function valuesOf(flags: readonly string[], flag: string): string[] {
  return flags.flatMap((word, i) => word === flag ? [flags[i + 1] ?? ""] : []);
}

Deno.test("compileFlags() carries the bundle and its workers, and ends with the program", () => {
  const flags = compileFlags({ bundle, out: "dist/flotilla", target: null });
  assert.equal(flags[0], "compile");
  assert.equal(flags.at(-1), bundle.main);
  assert.deepEqual(valuesOf(flags, "--include"), [bundle.folder, ...bundle.workers]);
  assert.deepEqual(valuesOf(flags, "--output"), ["dist/flotilla"]);
  assert.ok(!flags.includes("--target"));
});

Deno.test("compileFlags() names the target, if it is another machine's", () => {
  const flags = compileFlags({ bundle, out: "f.exe", target: "x86_64-pc-windows-msvc" });
  assert.deepEqual(valuesOf(flags, "--target"), ["x86_64-pc-windows-msvc"]);
});
