/** `flotilla model explain`, as a process. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Folder, run } from "./leader_world.ts";

const MODELS = fileURLToPath(new URL("../../models", import.meta.url));

function explain(...args: string[]) {
  return run(["model", "explain", ...args]);
}

Deno.test("flotilla model explain prints layers, costs and the compiled step of LeNet5", async () => {
  const { code, stdout, stderr } = await explain(`${MODELS}/LeNet5`);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^model LeNet5: takes items of \[28, 28, 1\]\n/);
  // 5 x 5 x 6 + 6 parameters; 2 x 150 FLOPs at each of 28 x 28 pixels.
  assert.match(stdout, /^conv2d_1 +Conv2D +\[28, 28, 6\] +156 +235,200$/m);
  assert.match(stdout, /^flatten_1 +Flatten +\[400\] +0 +-$/m);
  assert.match(stdout, /^parameters +61,706$/m);
  assert.match(stdout, /^compiled +yes, a step of 32 items: /m);
  assert.match(stdout, /^plan +\d+ kernel calls/m);
  const page = await Deno.readTextFile(new URL("../../ARCHITECTURE.md", import.meta.url));
  const layers = stdout.slice(0, stdout.indexOf("\nplan "));
  assert.ok(page.includes(layers), `ARCHITECTURE.md shows other layers than\n${layers}`);
});

Deno.test("flotilla model explain --json gives all of it, for the batch size asked for", async () => {
  const { code, stdout, stderr } = await explain(`${MODELS}/MLP`, "--json", "--batch-size=7");
  assert.equal(code, 0, stderr);
  const told = JSON.parse(stdout);
  assert.equal(told.model, "MLP");
  assert.equal(told.batchSize, 7);
  // 784 x 128 + 128 + 128 x 10 + 10; twice the products of the two matrices.
  assert.equal(told.parameters, 101_770);
  assert.equal(told.flops, 203_264);
  assert.deepEqual(told.layers.map(({ kind }: { kind: string }) => kind), [
    "Flatten",
    "Dense",
    "Dense",
  ]);
  assert.equal(told.notCompiled, null);
  assert(told.plan.memoryBytes > 101_770 * 4);
  assert(told.plan.calls.length > 0);
});

Deno.test("flotilla model explain --plan lists the kernel calls", async () => {
  const { stdout } = await explain(`${MODELS}/MLP`, "--plan", "--args", '{"hidden": 9}');
  assert.match(stdout, /^ +1 +dense forward \+ bias, relu +\[9, 32\] +\d/m);
});

Deno.test("flotilla model explain says why a model is not compiled", async () => {
  await using folder = await new Folder().write({
    "model.js": `export default ({ tf }) => {
      class Odd extends tf.layers.Layer {
        static className = "Odd";
        computeOutputShape(shape) { return shape; }
        call(inputs) { return tf.reverse([inputs].flat()[0], -1); }
      }
      return tf.sequential({ layers: [
        tf.layers.dense({ units: 3, inputShape: [2] }), new Odd({ name: "odd" }),
      ] });
    }`,
  });
  const { code, stdout, stderr } = await explain(folder.path);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^compiled +no: there is no rule for kernel Reverse$/m);
});

Deno.test("flotilla model explain refuses a folder without a model, and wrong flags", async () => {
  await using folder = await new Folder().write({ "readme.md": "nothing" });
  const empty = await explain(folder.path);
  assert.equal(empty.code, 2);
  assert.match(empty.stderr, /has no model: write a "model\.json"/);
  const missing = await explain(`${folder.path}/none`);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /none/);
  assert.equal((await explain(`${MODELS}/MLP`, "--batch-size", "0")).code, 2);
  assert.equal((await explain(`${MODELS}/MLP`, "--loss", "hinge")).code, 2);
  assert.equal((await explain(`${MODELS}/MLP`, "--args", "[]")).code, 2);
});

Deno.test("flotilla model explain --help gives examples", async () => {
  const { code, stdout } = await explain("--help");
  assert.equal(code, 0);
  assert.match(stdout, /Examples:\n {2}\$ flotilla model explain models\/LeNet5\n/);
});
