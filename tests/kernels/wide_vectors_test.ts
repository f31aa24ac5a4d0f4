/** What V8's optimising compiler makes of kernels that are made for pairs of vectors. */
import assert from "node:assert/strict";
import { detectArithmetic, ModuleBuilder, WORKBENCH_BYTES } from "../../src/kernels/mod.ts";
import { addProduct } from "../../src/kernels/panel_tile.ts";
import { projectRoot, V8_FLAGS } from "../../tools/project.ts";

/** Compiles all code at once as it is compiled when it has run for a while. */
const OPTIMISED = `${V8_FLAGS},--no-liftoff`;

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: projectRoot });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("hasWideVectors() is so under the flags that Flotilla is started with, and not without", async () => {
  const code = 'import { hasWideVectors } from "./src/kernels/wide_vectors.ts";' +
    "console.log(hasWideVectors());";
  const wide = detectArithmetic() === "fused";
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, code.replace("./src", `file://${projectRoot}/src`));
    assert.deepEqual(await run("run", "-q", "-A", V8_FLAGS, file), {
      code: 0,
      text: `${wide}\n`,
    });
    assert.deepEqual(await run("run", "-q", "-A", file), { code: 0, text: "false\n" });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test({
  name: "V8 makes 256-bit instructions of a panel tile",
  ignore: Deno.build.arch !== "x86_64" || detectArithmetic() !== "fused",
  async fn() {
    const module = new ModuleBuilder({ arithmetic: "fused" })
      .withWorkbench(64, WORKBENCH_BYTES, true);
    const tile = { rows: 6, vectors: 4, depth: 8, aRow: 1, aDepth: 6 };
    module.export(
      "tile",
      module.function("tile", { a: "i32" }, (f, { a }) => addProduct(f, module, tile, a)),
    );
    const file = await Deno.makeTempFile({ suffix: ".wasm" });
    try {
      await Deno.writeFile(file, module.bytes());
      const code =
        `new WebAssembly.Instance(new WebAssembly.Module(Deno.readFileSync("${file}")),` +
        " { env: { memory: new WebAssembly.Memory({ initial: 1 }) } }).exports.tile(8192);";
      const flags = `${OPTIMISED},--trace-wasm-revectorize`;
      const { code: status, text } = await run("eval", "-q", flags, code);
      assert.equal(status, 0, text);
      assert.match(text, /Decided to vectorize/);
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test("kernels compute the same when V8 has optimised them", async () => {
  const files = ["blocks", "conv2d", "gemm"].map((name) => `tests/kernels/${name}_test.ts`);
  const { code, text } = await run("test", "-q", "-A", "--no-check", OPTIMISED, ...files);
  assert.equal(code, 0, text);
});

Deno.test("training gives the same weights whether vectors are joined or not", async () => {
  const script = `${projectRoot}/tests/fixtures/print_trained.ts`;
  const [wide, single] = await Promise.all([
    run("run", "-q", "-A", V8_FLAGS, script),
    run("run", "-q", "-A", script),
  ]);
  assert.match(wide.text, /^[0-9a-f]{64}\n$/);
  assert.deepEqual(single, wide);
});
